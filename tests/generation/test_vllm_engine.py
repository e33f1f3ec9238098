"""The vLLM engine on a model so small that it starts in seconds: which of vLLM's parts it takes, what it refuses, what
its prompts share, and that LongRoPE, which Phi-4-mini has, is the same in both engines."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from transformers import Phi3Config

from pulse_core.artifacts import write_json
from pulse_core.generation.transformers_engine import TransformersGenerator
from tests.generation.vllm_cpu import PYTHON, ROOT, environment
from tests.generation.vllm_requests import MODEL_TOKENS, REQUESTS, WORDS
from tests.workflow.tiny_models import save_language_model

pytestmark = pytest.mark.vllm


@pytest.fixture(scope="module")
def model(vllm_cpu: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Phi-3 whose LongRoPE turns over at MODEL_TOKENS, its short and long factors far apart."""
    directory = tmp_path_factory.mktemp("phi") / "causal"
    rope = {
        "rope_type": "longrope",
        "partial_rotary_factor": 0.75,  # as Phi-4-mini's
        "short_factor": [1.0] * 24,
        "long_factor": [1.0 + number for number in range(24)],
        "original_max_position_embeddings": MODEL_TOKENS,
    }
    save_language_model(
        directory, [WORDS], Phi3Config, hidden_size=128, initializer_range=0.2, rope_parameters=rope,
        original_max_position_embeddings=MODEL_TOKENS,
    )  # fmt: skip
    write_json(directory / "origin.json", {"name": "tiny", "sha256": ["ab12"]})
    return directory


@pytest.fixture(scope="module")
def facts(model: Path) -> dict[str, Any]:
    """What `vllm_facts` found out."""
    out = model.parent / "facts.json"
    command = [PYTHON, "-m", "tests.generation.vllm_facts", model, out]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert done.returncode == 0, (
        f"vLLM's CPU build does not run on this machine, or our engine on it:\n{done.stdout[-4000:]}"
    )
    return json.loads(out.read_text())


def test_a_cuda_host_takes_the_model_runner_that_our_draws_are_written_for(facts: dict[str, Any]) -> None:
    """The second runner would not even have loaded them: the program would have failed."""
    assert facts["second_runner"] is False


def test_samples_of_a_prompt_and_prompts_with_one_beginning_compute_it_once(facts: dict[str, Any]) -> None:
    """All whole blocks of a prompt come from the cache for its second sample and third, and of the next prompt those
    that it begins with; for the very first nothing does."""
    block, cached = facts["block"], facts["cached"]
    whole = [(tokens - 1) // block * block for tokens, _ in cached]
    assert min(whole) > 0, "the prompts are too short to test it"
    assert [known for _, known in cached] == [0, *whole[1:]]


def test_a_prompt_too_long_is_refused_before_the_model_is_loaded(facts: dict[str, Any]) -> None:
    assert "generation.vllm.max_model_tokens: 2 of 2 prompts do not fit into 128 tokens" in facts["refusal"]["message"]
    assert "raise it, or show less" in facts["refusal"]["message"]
    assert facts["refusal"]["started"] is False


def test_the_journal_asks_again_where_the_limit_of_tokens_changed_not_the_share_of_memory(
    facts: dict[str, Any],
) -> None:
    assert facts["identity_of_longer"] != facts["identity"] == facts["identity_of_smaller_share"]


def test_longrope_is_that_of_transformers_up_to_the_original_length(facts: dict[str, Any], model: Path) -> None:
    want = TransformersGenerator(model, "float32", 8).generate(REQUESTS)
    for answers, wanted in zip(facts["texts"], want, strict=True):
        assert [text for text, _ in answers] == [completion.text for completion in wanted]
        assert [logprob for _, logprob in answers] == pytest.approx([c.mean_logprob for c in wanted], abs=1e-4)
