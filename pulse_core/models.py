"""Pre-trained models from a local directory, an installed package or the hub.

`prepare_model` writes any of them as a directory of safetensors and tokenizer files, which later stages load.
"""

import logging
import os
from pathlib import Path
from typing import Any

import torch

from pulse_core.accelerators import VARIABLE, devices_to_use
from pulse_core.artifacts import sha256_of, whole_directory, write_json
from pulse_core.errors import InputError
from pulse_core.model_settings import ModelSettings, config_directory, local_directory

log = logging.getLogger("pulse")
# Model types whose scores and texts are tested against transformers' plain computation.
LANGUAGE_MODELS = {
    "gemma3_text": "Gemma 3, text only",
    "granite": "Granite 3",
    "llama": "Llama, SmolLM2",
    "phi3": "Phi-3, Phi-4-mini",
    "qwen2": "Qwen 2.5",
    "qwen3": "Qwen 3",
}


def _from_gguf(file: Path, dtype: torch.dtype) -> tuple[Any, Any]:
    """A GGUF file as a dense model and its tokenizer."""
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    unpacked = AutoModelForCausalLM.from_pretrained(
        file.parent, gguf_file=file.name, dtype=torch.float32, quantization_config=GgufConfig(dequantize=True)
    )
    if hasattr(unpacked.config, "quantization_config"):
        del unpacked.config.quantization_config
    # The loaded model remains marked as quantised and cannot be saved, so a new one takes its weights.
    model = AutoModelForCausalLM.from_config(unpacked.config, dtype=dtype)
    model.load_state_dict(unpacked.state_dict())
    model.tie_weights()
    return model, AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)


def _require_tested(config: Any, name: str) -> None:
    if config.model_type not in LANGUAGE_MODELS:
        tested = ", ".join(f"{kind} ({families})" for kind, families in LANGUAGE_MODELS.items())
        problem = f"has the model type {config.model_type}, which is not tested: use {tested}"
        raise InputError(f"models.slm: {name} {problem}")
    if getattr(config, "attn_logit_softcapping", None):
        raise InputError(f"models.slm: {name} caps attention logits (attn_logit_softcapping), which is not tested")


def prepare_model(settings: ModelSettings, kind: str, out: Path) -> None:
    """Write a model of this `kind` (`causal` or `encoder`) to the directory `out`, atomically: weights, tokenizer, and
    an `origin.json` with the source and digests of the weights.

    Raises:
        InputError: the origin is missing or cannot be reached, or a language model's type is not tested.
    """
    from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoTokenizer

    dtype: torch.dtype = getattr(torch, settings.dtype)
    auto = AutoModelForCausalLM if kind == "causal" else AutoModel
    source, ggufs = settings.hub or local_directory(settings), []
    if isinstance(source, Path):
        config = config_directory(source)
        source, ggufs = config or source, [] if config else sorted(source.rglob("*.gguf"))
    try:
        if kind == "causal" and not ggufs:
            _require_tested(AutoConfig.from_pretrained(source, revision=settings.revision), settings.name)
        if ggufs:
            model, tokenizer = _from_gguf(ggufs[0], dtype)
        else:
            model = auto.from_pretrained(source, revision=settings.revision, dtype=dtype)
            tokenizer = AutoTokenizer.from_pretrained(source, revision=settings.revision)
    except (OSError, ValueError) as error:  # a missing file, or an architecture unknown to transformers
        offline = " (HF_HUB_OFFLINE is set)" if os.environ.get("HF_HUB_OFFLINE") else ""
        reason = str(error).strip().partition("\n")[0]
        raise InputError(f"models: cannot load {settings.name}{offline}: {reason}") from error
    if kind == "causal":
        _require_tested(model.config, settings.name)
    with whole_directory(out) as partial:
        model.save_pretrained(partial)
        tokenizer.save_pretrained(partial)
        weights = [sha256_of(file) for file in sorted(partial.glob("*.safetensors"))]
        write_json(partial / "origin.json", {"name": settings.name, "kind": kind, "sha256": weights})
    millions = sum(parameter.numel() for parameter in model.parameters()) / 1e6
    log.info("%s: %.0f M parameters, %s", settings.name, millions, settings.dtype)


def device() -> torch.device:
    """The GPU assigned to this job, or the CPU without one.

    Raises:
        InputError: torch cannot use the assigned GPU; falling back to the CPU would take days unnoticed.
    """
    if torch.cuda.is_available():
        return torch.device("cuda")
    if given := devices_to_use():
        reason = (
            f"the NVIDIA driver is missing or too old for CUDA {torch.version.cuda}, or there is no such device"
            if torch.backends.cuda.is_built()
            else f"torch {torch.__version__} is a CPU build (`make setup TORCH=cuda` installs the other)"
        )
        raise InputError(
            f"{VARIABLE} gives this job device {','.join(given)}, but torch sees no GPU: {reason}. To run on the CPU, "
            f"start with {VARIABLE} set to nothing"
        )
    return torch.device("cpu")
