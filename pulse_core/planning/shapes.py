"""Number of parameters and size of the cache of a transformer, from its dimensions."""

from collections.abc import Mapping
from typing import Any

from pulse_core.errors import InputError
from pulse_core.plan_settings import ShapeSettings

ENCODERS = {"bert", "distilbert", "roberta", "mpnet"}


def shape_of_config(config: Mapping[str, Any], source: str) -> ShapeSettings:
    """The dimensions in a model's config.json; `source` names the file in errors.

    Raises:
        InputError: a dimension is missing (an unknown family of models).
    """

    def size(*names: str) -> int:
        for name in names:
            if config.get(name):
                return int(config[name])
        raise InputError(f"{source}: has no {names[0]}, so its size is unknown: give its shape under plan.models")

    hidden, heads = size("hidden_size", "dim"), size("num_attention_heads", "n_heads")
    encoder = config.get("model_type") in ENCODERS
    return ShapeSettings(
        kind="encoder" if encoder else "causal",
        layers=size("num_hidden_layers", "n_layers"),
        hidden=hidden,
        heads=heads,
        kv_heads=int(config.get("num_key_value_heads") or heads),
        head_dim=int(config.get("head_dim") or hidden // heads),
        intermediate=size("intermediate_size", "hidden_dim"),
        vocabulary=size("vocab_size"),
        tied=bool(config.get("tie_word_embeddings", encoder)),
    )


def layer_parameters(shape: ShapeSettings) -> int:
    """Weights of all layers' matrices, without embeddings, biases and norms (the latter two are below 1 %)."""
    attention = 2 * shape.hidden * shape.head_dim * (shape.heads + shape.kv_heads)
    matrices = 2 if shape.kind == "encoder" else 3  # up, down and gate
    return shape.layers * (attention + matrices * shape.hidden * shape.intermediate)


def embedding_parameters(shape: ShapeSettings) -> int:
    """Parameters of input and output embeddings."""
    return (1 if shape.tied else 2) * shape.vocabulary * shape.hidden


def parameters(shape: ShapeSettings) -> int:
    """All parameters."""
    return layer_parameters(shape) + embedding_parameters(shape)


def cache_bytes(shape: ShapeSettings, width: int) -> int:
    """Bytes of the KV cache per token, at `width` bytes per number."""
    return 2 * shape.layers * shape.kv_heads * shape.head_dim * width
