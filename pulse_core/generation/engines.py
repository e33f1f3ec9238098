"""Creates the configured engine."""

import importlib.util
import logging
from pathlib import Path

from pulse_core.accelerators import accelerated
from pulse_core.artifacts import read_json
from pulse_core.errors import InputError
from pulse_core.generation.requests import TextGenerator
from pulse_core.generation.settings import GenerationSettings

log = logging.getLogger("pulse")
INSTALL = "run `make setup TORCH=cuda`"
VLLM_MODELS = ("llama", "phi3")  # model types whose texts are tested to be the same in both engines


def chosen_engine(settings: GenerationSettings) -> str:
    """The configured engine. `auto` is vllm with a GPU and vLLM installed, else transformers; logs the choice."""
    if settings.engine != "auto":
        return settings.engine
    if not accelerated():
        log.info("generation.engine: auto is transformers here: there is no GPU")
    elif importlib.util.find_spec("vllm"):
        log.info("generation.engine: auto is vllm here: it is installed and there is a GPU")
        return "vllm"
    else:
        reason = f"vLLM, which is faster, is not installed ({INSTALL})"
        log.warning("generation.engine: auto is transformers here, on a GPU: %s", reason)
    return "transformers"


def make_generator(settings: GenerationSettings, model: Path) -> TextGenerator:
    """The configured engine with the prepared model directory `model`.

    Raises:
        InputError: vLLM is not installed, or not tested with this type of model.
    """
    engine = chosen_engine(settings)
    if engine == "fake":
        from pulse_core.generation.fake_engine import FakeGenerator

        return FakeGenerator()
    if engine == "transformers":
        from pulse_core.generation.transformers_engine import TransformersGenerator

        return TransformersGenerator(model, settings.dtype, settings.batch_size)
    if importlib.util.find_spec("vllm") is None:
        raise InputError(f"generation.engine: vllm is not installed: {INSTALL}, or name another engine")
    model_type = read_json(model / "config.json")["model_type"]
    if model_type not in VLLM_MODELS:
        raise InputError(
            f"generation.engine: vllm is tested with the model types {' and '.join(VLLM_MODELS)}, "
            f"but models.slm is {model_type}: set generation.engine: transformers"
        )
    from pulse_core.generation.vllm_engine import VLLMGenerator

    return VLLMGenerator(model, settings)
