"""Positive rationales (Phase I) and base rationales (Phase II): from examples to a table of rationales."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa

from pulse_core.errors import InputError
from pulse_core.generation.journal import Writer
from pulse_core.generation.requests import Request, Sampling
from pulse_core.keys import KEY_FIELDS, Key, key_columns, keys
from pulse_core.rationales.prompts import PromptTemplate, tidy
from pulse_core.rationales.settings import RationaleSettings
from pulse_core.seeding import derive_seed
from pulse_core.texts import Shop, history_lines, shorten

SCHEMA = pa.schema(
    [
        *KEY_FIELDS,
        ("rationale", pa.string()),
        ("mean_logprob", pa.float32()),
        ("tokens", pa.int32()),
        ("seed", pa.int64()),
        ("model", pa.string()),
    ]
)


def neighbour_titles(shop: Shop, items: Sequence[int], settings: RationaleSettings) -> list[str]:
    """Distinct brief titles of the neighbours' first items.

    The user has bought none of the items, but may have bought one with the same title, such as another shade of a
    polish. Those stay: on Luxury Beauty they are nine of ten targets among the neighbours' items.
    """
    titles: dict[str, str] = {}
    for item in items:
        title = shop.brief_title(item, settings.title_chars)
        titles.setdefault(title.casefold(), title)
    return list(titles.values())[: settings.neighbour_items]


def positive_requests(
    examples: pd.DataFrame, shop: Shop, template: PromptTemplate, settings: RationaleSettings, seed: int
) -> list[Request]:
    """Prompts of section 4.1: why did the user buy the target? For sampled training examples only.

    Raises:
        InputError: an example is of another split, whose targets must not be shown.
    """
    if set(examples["split"]) - {"train"}:
        raise InputError("positive rationales show the target and its review: only training examples may have them")
    values = []
    for user, target in zip(examples["user"], examples["target"], strict=True):
        opinion = shop.opinion(user, target)
        title = shop.brief_title(target, settings.title_chars)
        review = shorten(opinion.words, settings.target_review_chars)
        values.append({"target": title, "stars": opinion.stars, "review": review})
    return _requests("positive", examples, values, shop, template, settings, seed)


def base_requests(
    examples: pd.DataFrame,
    neighbour_items: Mapping[Key, Sequence[int]],
    shop: Shop,
    template: PromptTemplate,
    settings: RationaleSettings,
    seed: int,
) -> list[Request]:
    """Prompts of section 4.2: what will the user look for next? From the history and similar users' items only."""
    values = [{"similar": neighbour_titles(shop, neighbour_items[key], settings)} for key in keys(examples)]
    return _requests("base", examples, values, shop, template, settings, seed)


def _requests(
    kind: str,
    examples: pd.DataFrame,
    values: Sequence[dict[str, Any]],
    shop: Shop,
    template: PromptTemplate,
    settings: RationaleSettings,
    seed: int,
) -> list[Request]:
    """One request per example, whose prompt shows the history and `values`."""
    requests, sampling = [], Sampling(**settings.sampling.model_dump())
    limits = {"title_chars": settings.title_chars, "review_chars": settings.review_chars}
    for key, history, shown in zip(keys(examples), examples["history"], values, strict=True):
        lines = history_lines(shop, key[0], history, most=settings.history_items, **limits)
        messages, start = template.render(history=lines, **shown)
        requests.append(Request(messages, sampling, derive_seed(seed, kind, *key), answer_start=start))
    return requests


def write_rationales(examples: pd.DataFrame, requests: Sequence[Request], writer: Writer, label: str) -> pa.Table:
    """Answers to the requests, one row per example. `label` names the work in progress lines."""
    completions = [answer[0] for answer in writer.run(requests, label)]
    return pa.table(
        {
            **key_columns(examples),
            "rationale": [tidy(r, c) for r, c in zip(requests, completions, strict=True)],
            "mean_logprob": [completion.mean_logprob for completion in completions],
            "tokens": [completion.tokens for completion in completions],
            "seed": [request.seed for request in requests],
            "model": [writer.generator.identity] * len(requests),
        },
        schema=SCHEMA,
    )
