"""Grows trees level by level, with one list of requests for the nodes of a level over all examples.

The children of a node are samples of one request, so its prompt is computed once.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa

from pulse_core.generation.journal import Writer
from pulse_core.generation.requests import Request, Sampling
from pulse_core.keys import KEY, KEY_FIELDS, Key, keys
from pulse_core.rationales.prompts import PromptTemplate, tidy
from pulse_core.rationales.settings import RationaleSettings
from pulse_core.rationales.write import neighbour_titles
from pulse_core.seeding import derive_seed
from pulse_core.texts import Shop, history_lines
from pulse_core.tree.settings import TreeSettings

SCHEMA = pa.schema(
    [
        *KEY_FIELDS,
        ("node", pa.int32()),
        ("parent", pa.int32()),
        ("depth", pa.int32()),
        ("rationale", pa.string()),
        ("mean_logprob", pa.float32()),
        ("tokens", pa.int32()),
        ("seed", pa.int64()),
        ("is_leaf", pa.bool_()),
    ]
)


def key_of(node: Mapping[str, Any]) -> Key:
    """The tree's key, of any of its nodes."""
    return node["user"], node["split"], node["position"]


def grow_trees(
    examples: pd.DataFrame,
    base: pd.DataFrame,
    neighbour_items: Mapping[Key, Sequence[int]],
    shop: Shop,
    template: PromptTemplate,
    settings: TreeSettings,
    rationales: RationaleSettings,
    seed: int,
    writer: Writer,
) -> pa.Table:
    """One row per node, numbered breadth first within a tree; node 0 is the base rationale.

    Prompts show the history, the neighbours' items and the parent's rationale, never the target.
    """
    contexts = contexts_of(examples, neighbour_items, shop, settings, rationales)
    roots = base[[*KEY, "rationale", "mean_logprob", "tokens", "seed"]].to_dict("records")
    level = [
        {**root, "node": 0, "parent": -1, "depth": 0, "is_leaf": False} for root in roots if key_of(root) in contexts
    ]
    nodes = list(level)
    numbers = {key: itertools.count(1) for key in contexts}
    for depth, width in enumerate(settings.branching, start=1):
        requests = [node_request(template, contexts, node, settings, seed, width) for node in level]
        answers = writer.run(requests, f"tree level {depth}")
        level = [
            {
                **{column: parent[column] for column in KEY},
                "node": next(numbers[key_of(parent)]),
                "parent": parent["node"],
                "depth": depth,
                "rationale": tidy(request, completion),
                "mean_logprob": completion.mean_logprob,
                "tokens": completion.tokens,
                "seed": request.seed,
                "is_leaf": depth == len(settings.branching),
            }
            for parent, request, completions in zip(level, requests, answers, strict=True)
            for completion in completions
        ]
        nodes += level
    nodes.sort(key=lambda node: (*key_of(node), node["node"]))
    return pa.Table.from_pylist(nodes, schema=SCHEMA)


def contexts_of(
    examples: pd.DataFrame,
    neighbour_items: Mapping[Key, Sequence[int]],
    shop: Shop,
    settings: TreeSettings,
    rationales: RationaleSettings,
) -> dict[Key, dict[str, list[str]]]:
    """The prompt values of each example that all nodes of its tree share."""
    limits = {"most": settings.prompt_history_items, "title_chars": rationales.title_chars, "review_chars": 0}
    return {
        key: {
            "history": history_lines(shop, key[0], history, **limits),
            "similar": neighbour_titles(shop, neighbour_items[key], rationales),
        }
        for key, history in zip(keys(examples), examples["history"], strict=True)
    }


def node_request(
    template: PromptTemplate,
    contexts: Mapping[Key, dict[str, list[str]]],
    node: Mapping[str, Any],
    settings: TreeSettings,
    seed: int,
    width: int,
) -> Request:
    """The request for the `width` children of a node."""
    key = key_of(node)
    messages, start = template.render(rationale=node["rationale"], **contexts[key])
    sampling = Sampling(**settings.sampling.model_dump())
    return Request(messages, sampling, derive_seed(seed, "tree", *key, node["node"]), width, start)
