"""The one place that turns settings into an engine."""

import importlib.util
from pathlib import Path

from pulse_core.errors import InputError
from pulse_core.generation.requests import TextGenerator
from pulse_core.generation.settings import GenerationSettings


def make_generator(settings: GenerationSettings, model: Path) -> TextGenerator:
    """The configured engine over the prepared model directory; engines are imported when they are asked for."""
    if settings.engine == "fake":
        from pulse_core.generation.fake_engine import FakeGenerator

        return FakeGenerator()
    if settings.engine == "vllm":
        if importlib.util.find_spec("vllm") is None:
            raise InputError(
                "generation.engine: vllm is not installed: run `make setup TORCH=cuda`, or name another engine"
            )
        from pulse_core.generation.vllm_engine import VLLMGenerator

        return VLLMGenerator(model, settings)
    from pulse_core.generation.transformers_engine import TransformersGenerator

    return TransformersGenerator(model, settings.dtype, settings.batch_size)
