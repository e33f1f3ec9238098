"""`generation.engine: auto`, and the engine recorded in an artifact."""

import importlib.util
from pathlib import Path

import pytest

from pulse_core.errors import InputError
from pulse_core.generation.engines import chosen_engine, make_generator
from pulse_core.generation.fake_engine import FakeGenerator
from pulse_core.generation.requests import engine_identity, engine_of
from pulse_core.generation.settings import GenerationSettings


@pytest.mark.parametrize(
    ("accelerated", "installed", "engine", "level", "reason"),
    [
        (True, True, "vllm", "INFO", "it is installed and there is a GPU"),
        (True, False, "transformers", "WARNING", "vLLM, which is faster, is not installed"),
        (False, True, "transformers", "INFO", "there is no GPU"),
    ],
)
def test_auto_takes_vllm_only_with_gpu_and_package_and_logs_the_choice(
    accelerated: bool,
    installed: bool,
    engine: str,
    level: str,
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("pulse_core.generation.engines.accelerated", lambda: accelerated)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if installed else None)
    caplog.set_level("INFO", logger="pulse")
    assert chosen_engine(GenerationSettings(engine="transformers")) == "transformers"
    assert not caplog.records
    assert chosen_engine(GenerationSettings()) == engine
    (record,) = caplog.records
    assert record.levelname == level
    assert f"auto is {engine} here" in record.message
    assert reason in record.message


def test_a_missing_engine_is_not_replaced_by_another(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="make setup TORCH=cuda"):
        make_generator(GenerationSettings(engine="vllm"), tmp_path)


def test_vllm_refuses_an_untested_family(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    (tmp_path / "config.json").write_text('{"model_type": "granite"}')
    with pytest.raises(InputError, match=r"llama and phi3, but models\.slm is granite: set generation\.engine: transf"):
        make_generator(GenerationSettings(engine="vllm"), tmp_path)


def test_an_identity_names_its_engine() -> None:
    origin = {"name": "package-of-weights", "sha256": ["12"]}
    identity = engine_identity(chosen_engine.__code__.co_filename, "vllm-0.33.0", origin, "bfloat16", 8, "cuda", 4096)
    assert engine_of(identity) == "vllm"
    assert engine_of(FakeGenerator.identity) == "fake"
