"""The vLLM engine on a model small enough to start in seconds: its model runner, prompt limit, prefix cache and
identity, and LongRoPE (used by Phi-4-mini) equal in both engines."""

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
    """A Phi-3 whose LongRoPE switches at MODEL_TOKENS between very different short and long factors."""
    directory = tmp_path_factory.mktemp("phi") / "causal"
    rope = {
        "rope_type": "longrope",
        "partial_rotary_factor": 0.75,  # as in Phi-4-mini
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
    """Output of `vllm_facts`."""
    out = model.parent / "facts.json"
    command = [PYTHON, "-m", "tests.generation.vllm_facts", model, out]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert done.returncode == 0, f"vLLM's CPU build, or our engine on it, failed:\n{done.stdout[-4000:]}"
    return json.loads(out.read_text())


def test_a_cuda_host_uses_the_model_runner_that_our_sampler_supports(facts: dict[str, Any]) -> None:
    """The second runner cannot load our logits processor: the program would already have failed."""
    assert facts["second_runner"] is False


def test_samples_and_prompts_share_cached_prefixes(facts: dict[str, Any]) -> None:
    """All full blocks of a prompt come from the cache for its second and third sample, as do those of the shared prefix
    for the next prompt; the first prompt finds nothing cached."""
    block, cached = facts["block"], facts["cached"]
    whole = [(tokens - 1) // block * block for tokens, _ in cached]
    assert min(whole) > 0, "the prompts are too short for this test"
    assert [known for _, known in cached] == [0, *whole[1:]]


def test_an_overlong_prompt_is_refused_before_the_model_is_loaded(facts: dict[str, Any]) -> None:
    assert "generation.vllm.max_model_tokens: 2 of 2 prompts do not fit into 128 tokens" in facts["refusal"]["message"]
    assert "raise it, or show less" in facts["refusal"]["message"]
    assert facts["refusal"]["started"] is False


def test_the_identity_depends_on_the_token_limit_but_not_on_the_memory_share(
    facts: dict[str, Any],
) -> None:
    assert facts["identity_of_longer"] != facts["identity"] == facts["identity_of_smaller_share"]


def test_longrope_equals_transformers_up_to_the_original_length(facts: dict[str, Any], model: Path) -> None:
    want = TransformersGenerator(model, "float32", 8).generate(REQUESTS)
    for answers, wanted in zip(facts["texts"], want, strict=True):
        assert [text for text, _ in answers] == [completion.text for completion in wanted]
        assert [logprob for _, logprob in answers] == pytest.approx([c.mean_logprob for c in wanted], abs=1e-4)
