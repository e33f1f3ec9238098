"""Which language models are prepared, and which are refused."""

from pathlib import Path

import pytest
from transformers import Gemma3TextConfig, MistralConfig

from pulse_core.artifacts import read_json
from pulse_core.errors import InputError
from pulse_core.model_settings import ModelSettings
from pulse_core.models import LANGUAGE_MODELS, prepare_model
from tests.workflow.tiny_models import FAMILIES, save_language_model


def test_every_tested_family_is_prepared(tmp_path: Path) -> None:
    assert set(FAMILIES) == set(LANGUAGE_MODELS)
    for family, sizes in FAMILIES.items():
        save_language_model(tmp_path / family, ["a title"], **sizes)
        prepare_model(ModelSettings(path=str(tmp_path / family), package=None), "causal", tmp_path / "out" / family)
        assert read_json(tmp_path / "out" / family / "origin.json")["kind"] == "causal"


@pytest.mark.parametrize(
    ("architecture", "changes", "message"),
    [
        (MistralConfig, {}, r"models\.slm: .*type mistral, which is not tested: use gemma3_text \(Gemma 3.*qwen3"),
        (Gemma3TextConfig, {"head_dim": 16, "attn_logit_softcapping": 50.0}, "caps attention logits"),
    ],
)
def test_an_untested_language_model_is_refused(
    tmp_path: Path, architecture: type, changes: dict[str, float], message: str
) -> None:
    save_language_model(tmp_path / "model", ["a title"], architecture, **changes)
    with pytest.raises(InputError, match=message):
        prepare_model(ModelSettings(path=str(tmp_path / "model"), package=None), "causal", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_unknown_architecture_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "perceptron9"}')
    with pytest.raises(InputError, match=r"models: cannot load .*perceptron9"):
        prepare_model(ModelSettings(path=str(tmp_path), package=None), "causal", tmp_path / "out")
