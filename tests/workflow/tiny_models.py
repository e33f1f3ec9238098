"""Tiny models with random weights in the layout of real ones, so that every stage really loads and trains them."""

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoModelForCausalLM,
    BertConfig,
    BertModel,
    Gemma3TextConfig,
    GraniteConfig,
    LlamaConfig,
    Phi3Config,
    PretrainedConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3Config,
)

CHAT = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LOCAL, GLOBAL = "sliding_attention", "full_attention"
# Model types allowed for models.slm, with each family's special features; windows are shorter than the texts.
FAMILIES: dict[str, dict[str, Any]] = {
    "llama": {"architecture": LlamaConfig, "num_hidden_layers": 4},
    "phi3": {"architecture": Phi3Config, "num_hidden_layers": 4, "sliding_window": 8},
    "qwen2": {
        "architecture": Qwen2Config,
        "num_hidden_layers": 4,
        "use_sliding_window": True,
        "sliding_window": 8,
        "max_window_layers": 2,
    },
    "qwen3": {"architecture": Qwen3Config, "num_hidden_layers": 4, "head_dim": 24},
    "gemma3_text": {
        "architecture": Gemma3TextConfig,
        "num_hidden_layers": 4,
        "head_dim": 16,
        "sliding_window": 8,
        "layer_types": [LOCAL, LOCAL, GLOBAL, LOCAL],
        "final_logit_softcapping": 2.0,
    },
    "granite": {
        "architecture": GraniteConfig,
        "num_hidden_layers": 4,
        "embedding_multiplier": 12.0,
        "logits_scaling": 0.1,
        "residual_multiplier": 0.5,
        "attention_multiplier": 0.1,
    },
}
SPECIAL = ["<pad>", "<|im_start|>", "<|im_end|>"]


def tokenizer(texts: list[str]) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer fitted to `texts`, with the chat template of SmolLM2."""
    fitted = Tokenizer(models.BPE())
    fitted.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    fitted.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=1000, special_tokens=SPECIAL, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    fitted.train_from_iterator(texts, trainer)
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=fitted, pad_token="<pad>", eos_token="<|im_end|>", bos_token="<|im_start|>"
    )
    wrapped.chat_template = CHAT
    return wrapped


def save_language_model(
    directory: Path,
    texts: list[str],
    architecture: type[PretrainedConfig] = LlamaConfig,
    **sizes: Any,
) -> None:
    """Save a tiny causal model and its tokenizer; by default a two-layer Llama (SmolLM2's architecture)."""
    words = tokenizer(texts)
    tiny = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = architecture(
        vocab_size=len(words),
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        pad_token_id=words.pad_token_id,
        bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id,
        **{**tiny, "num_key_value_heads": 1, **sizes},
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        AutoModelForCausalLM.from_config(config).save_pretrained(directory)
    words.save_pretrained(directory)


def save_encoder(directory: Path, texts: list[str]) -> None:
    """Save a two-layer BERT (MiniLM's architecture) and its tokenizer."""
    words = tokenizer(texts)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=512,
        pad_token_id=words.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        BertModel(config).save_pretrained(directory)
    words.save_pretrained(directory)
