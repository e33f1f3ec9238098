"""The one place that turns settings into an engine."""

from pathlib import Path

from pulse_core.generation.requests import TextGenerator
from pulse_core.generation.settings import GenerationSettings


def make_generator(settings: GenerationSettings, model: Path) -> TextGenerator:
    """The configured engine over the prepared model directory; engines are imported when they are asked for."""
    if settings.engine == "fake":
        from pulse_core.generation.fake_engine import FakeGenerator

        return FakeGenerator()
    from pulse_core.generation.transformers_engine import TransformersGenerator

    return TransformersGenerator(model, settings.dtype, settings.batch_size)
