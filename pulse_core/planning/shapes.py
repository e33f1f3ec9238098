"""Parameters, caches and arithmetic of a transformer, from its shape alone."""

from collections.abc import Mapping
from typing import Any

from pulse_core.errors import InputError
from pulse_core.plan_settings import ShapeSettings

# Model types whose queries, keys and values (and gate and up projection) are one linear layer each.
FUSED = {"phi3"}
ENCODERS = {"bert", "distilbert", "roberta", "mpnet"}


def shape_of_config(config: Mapping[str, Any], source: str) -> ShapeSettings:
    """The shape that a model's config.json describes; `source` names it in errors.

    Raises:
        InputError: a size is missing (another family of models).
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
        positions=size("max_position_embeddings") + int(config.get("type_vocab_size") or 0) if encoder else 0,
        tied=bool(config.get("tie_word_embeddings", encoder)),
        fused=config.get("model_type") in FUSED,
    )


def linear_layers(shape: ShapeSettings) -> list[tuple[int, int]]:
    """(inputs, outputs) of every linear map of one layer."""
    queries, keys = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    if shape.kind == "encoder":
        feed_forward = [(shape.hidden, shape.intermediate), (shape.intermediate, shape.hidden)]
        return [(shape.hidden, queries)] + 2 * [(shape.hidden, keys)] + [(queries, shape.hidden), *feed_forward]
    if shape.fused:
        into = [(shape.hidden, queries + 2 * keys), (shape.hidden, 2 * shape.intermediate)]
    else:
        into = [(shape.hidden, queries), *2 * [(shape.hidden, keys)], *2 * [(shape.hidden, shape.intermediate)]]
    return [*into, (queries, shape.hidden), (shape.intermediate, shape.hidden)]


def layer_parameters(shape: ShapeSettings) -> int:
    """Parameters of one layer; encoders have biases and two norms of two vectors, language models two of one."""
    matrices = sum(inputs * outputs for inputs, outputs in linear_layers(shape))
    if shape.kind == "encoder":
        return matrices + sum(outputs for _, outputs in linear_layers(shape)) + 4 * shape.hidden
    return matrices + 2 * shape.hidden


def embedding_parameters(shape: ShapeSettings) -> int:
    """Token and position embeddings, the last (or first) norm, and the output layer where it is one of its own."""
    tables = shape.vocabulary + shape.positions
    if shape.kind == "encoder":
        return (tables + 2) * shape.hidden
    return (tables + (0 if shape.tied else shape.vocabulary) + 1) * shape.hidden


def parameters(shape: ShapeSettings) -> int:
    """All parameters. An unused pooling layer of an encoder is not counted."""
    return shape.layers * layer_parameters(shape) + embedding_parameters(shape)


def lora_parameters(shape: ShapeSettings, rank: int, layers: int) -> int:
    """Parameters of adapters of this rank on every linear map of so many layers."""
    return layers * rank * sum(inputs + outputs for inputs, outputs in linear_layers(shape))


def cache_bytes(shape: ShapeSettings, width: int) -> int:
    """Keys and values of one token over all layers, of numbers of `width` bytes."""
    return 2 * shape.layers * shape.kv_heads * shape.head_dim * width


def forward_operations(shape: ShapeSettings, tokens: float, seen: float, layers: int | None = None) -> float:
    """Operations of a pass over `tokens` tokens that attend to `seen` tokens each; without the output layer.

    Two a weight and token, and four a width of attention and pair of tokens (scores and weighted sum).
    """
    chosen = shape.layers if layers is None else layers
    return chosen * tokens * (2 * layer_parameters(shape) + 4 * shape.heads * shape.head_dim * seen)
