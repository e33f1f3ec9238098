"""The one place that turns settings into an engine."""

import importlib.util
from pathlib import Path

from pulse_core.accelerators import accelerated
from pulse_core.errors import InputError
from pulse_core.generation.requests import TextGenerator
from pulse_core.generation.settings import GenerationSettings


def chosen_engine(settings: GenerationSettings) -> str:
    """The configured engine; for `auto` vllm where it is installed and there is a GPU to use, else transformers."""
    if settings.engine != "auto":
        return settings.engine
    return "vllm" if accelerated() and importlib.util.find_spec("vllm") else "transformers"


def make_generator(settings: GenerationSettings, model: Path) -> TextGenerator:
    """The configured engine over the prepared model directory; engines are imported when they are asked for."""
    engine = chosen_engine(settings)
    if engine == "fake":
        from pulse_core.generation.fake_engine import FakeGenerator

        return FakeGenerator()
    if engine == "vllm":
        if importlib.util.find_spec("vllm") is None:
            raise InputError(
                "generation.engine: vllm is not installed: run `make setup TORCH=cuda`, or name another engine"
            )
        from pulse_core.generation.vllm_engine import VLLMGenerator

        return VLLMGenerator(model, settings)
    from pulse_core.generation.transformers_engine import TransformersGenerator

    return TransformersGenerator(model, settings.dtype, settings.batch_size)
