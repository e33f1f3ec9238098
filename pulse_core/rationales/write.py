"""Positive rationales (Phase I) and base rationales (Phase II): from examples to a table of rationales."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa

from pulse_core.errors import InputError
from pulse_core.generation.journal import Journal, run_requests
from pulse_core.generation.requests import Request, Sampling, TextGenerator
from pulse_core.keys import Key, keys
from pulse_core.rationales.prompts import PromptTemplate, tidy
from pulse_core.rationales.settings import RationaleSettings
from pulse_core.seeding import derive_seed
from pulse_core.texts import Shop, history_lines, shorten

SCHEMA = pa.schema(
    [
        ("user", pa.int32()),
        ("split", pa.string()),
        ("position", pa.int32()),
        ("rationale", pa.string()),
        ("mean_logprob", pa.float32()),
        ("tokens", pa.int32()),
        ("seed", pa.int64()),
        ("model", pa.string()),
    ]
)


@dataclass(frozen=True)
class Writer:
    """An engine, its journal and the number of prompts per chunk."""

    generator: TextGenerator
    journal: Journal
    chunk_prompts: int


def neighbour_titles(shop: Shop, items: Sequence[int], *, most: int, chars: int) -> list[str]:
    """Up to `most` distinct brief titles of the neighbours' items, in order.

    The user has bought none of the items, but may have bought one with the same title, such as another shade of a
    polish. Those stay: on Luxury Beauty they are nine of ten targets among the neighbours' items.
    """
    seen: set[str] = set()
    titles: list[str] = []
    for item in items:
        title = shop.brief_title(item, chars)
        if title.casefold() not in seen and len(titles) < most:
            seen.add(title.casefold())
            titles.append(title)
    return titles


def positive_requests(
    examples: pd.DataFrame, shop: Shop, template: PromptTemplate, settings: RationaleSettings, seed: int
) -> list[Request]:
    """Prompts of section 4.1: why did the user buy the target? For sampled training examples only.

    Raises:
        InputError: an example is of another split, whose targets must not be shown.
    """
    if set(examples["split"]) - {"train"}:
        raise InputError("positive rationales show the target and its review: only training examples may have them")
    requests, sampling = [], Sampling(**settings.sampling.model_dump())
    for key, history, target in zip(keys(examples), examples["history"], examples["target"], strict=True):
        opinion = shop.opinion(key[0], target)
        messages, start = template.render(
            history=_history(shop, key[0], history, settings),
            target=shop.brief_title(target, settings.title_chars),
            stars=opinion.stars,
            review=shorten(opinion.words, settings.target_review_chars) if settings.target_review_chars else "",
        )
        request_seed = derive_seed(seed, "positive", *key)
        requests.append(Request(messages, sampling, request_seed, answer_start=start))
    return requests


def base_requests(
    examples: pd.DataFrame,
    neighbour_items: Mapping[Key, Sequence[int]],
    shop: Shop,
    template: PromptTemplate,
    settings: RationaleSettings,
    seed: int,
) -> list[Request]:
    """Prompts of section 4.2: what will the user look for next? From the history and similar users' items only."""
    requests, sampling = [], Sampling(**settings.sampling.model_dump())
    for key, history in zip(keys(examples), examples["history"], strict=True):
        similar = neighbour_titles(
            shop, neighbour_items[key], most=settings.neighbour_items, chars=settings.title_chars
        )
        messages, start = template.render(history=_history(shop, key[0], history, settings), similar=similar)
        request_seed = derive_seed(seed, "base", *key)
        requests.append(Request(messages, sampling, request_seed, answer_start=start))
    return requests


def positive_rationales(
    examples: pd.DataFrame, shop: Shop, template: PromptTemplate, settings: RationaleSettings, seed: int, writer: Writer
) -> pa.Table:
    """Answers to `positive_requests`, one row per example."""
    requests = positive_requests(examples, shop, template, settings, seed)
    return _written(examples, requests, writer, "positive rationales")


def base_rationales(
    examples: pd.DataFrame,
    neighbour_items: Mapping[Key, Sequence[int]],
    shop: Shop,
    template: PromptTemplate,
    settings: RationaleSettings,
    seed: int,
    writer: Writer,
) -> pa.Table:
    """Answers to `base_requests`, one row per example."""
    requests = base_requests(examples, neighbour_items, shop, template, settings, seed)
    return _written(examples, requests, writer, "base rationales")


def _history(shop: Shop, user: int, history: Sequence[int], settings: RationaleSettings) -> list[str]:
    return history_lines(
        shop,
        user,
        history,
        most=settings.history_items,
        title_chars=settings.title_chars,
        review_chars=settings.review_chars,
    )


def _written(examples: pd.DataFrame, requests: list[Request], writer: Writer, what: str) -> pa.Table:
    answers = run_requests(writer.generator, requests, writer.journal, writer.chunk_prompts, what)
    completions = [answer[0] for answer in answers]
    return pa.table(
        {
            "user": examples["user"].tolist(),
            "split": examples["split"].tolist(),
            "position": examples["position"].tolist(),
            "rationale": [tidy(r, c) for r, c in zip(requests, completions, strict=True)],
            "mean_logprob": [completion.mean_logprob for completion in completions],
            "tokens": [completion.tokens for completion in completions],
            "seed": [request.seed for request in requests],
            "model": [writer.generator.identity] * len(requests),
        },
        schema=SCHEMA,
    )
