"""`generation.engine: auto`, and what an artifact says of the engine that wrote it."""

import importlib.util

import pytest

from pulse_core.errors import InputError
from pulse_core.generation.engine_identity import engine_identity, engine_of
from pulse_core.generation.engines import chosen_engine, make_generator
from pulse_core.generation.fake_engine import FakeGenerator
from pulse_core.generation.settings import GenerationSettings


@pytest.mark.parametrize(
    ("accelerated", "installed", "engine"),
    [(True, True, "vllm"), (True, False, "transformers"), (False, True, "transformers")],
)
def test_auto_wants_a_gpu_and_the_package(
    accelerated: bool, installed: bool, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pulse_core.generation.engines.accelerated", lambda: accelerated)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if installed else None)
    assert chosen_engine(GenerationSettings()) == engine
    assert chosen_engine(GenerationSettings(engine="transformers")) == "transformers"


def test_a_named_engine_that_is_missing_is_no_other_one(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="make setup TORCH=cuda"):
        make_generator(GenerationSettings(engine="vllm"), tmp_path)


def test_an_identity_names_its_engine() -> None:
    origin = {"name": "package-of-weights", "sha256": ["12"]}
    told = engine_identity(chosen_engine.__code__.co_filename, "vllm-0.33.0", origin, "bfloat16", 8, "cuda")
    assert engine_of(told) == "vllm"
    assert engine_of(FakeGenerator.identity) == "fake"
