"""Candidates: the target and items the user never touched, drawn once and shared by every model.

Each example has its own counter-based random stream, seeded by (run seed, user_id, split[, position]), so that adding
users or examples changes no other set, and all examples are drawn at once in numpy.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from pulse_core.data.examples import sequences_by_user
from pulse_core.errors import InputError
from pulse_core.keys import key_columns, keys
from pulse_core.seeding import derive_seed
from pulse_core.sequence.model import SASRec
from pulse_core.sequence.settings import CandidateSettings
from pulse_core.sequence.states import states

PROPOSALS = 64  # random items proposed per example; enough unless few items of the catalogue are allowed
MASK_BYTES = 64_000_000  # maximum size of the item mask of a block of examples


def stream(seeds: np.ndarray, count: int) -> np.ndarray:
    """The first `count` words of each seed's SplitMix64 stream (Steele et al. 2014): (n,) -> (n, count) uint64."""
    counters = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = seeds.astype(np.uint64)[:, None] + counters
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def title_groups(titles: Sequence[str]) -> np.ndarray:
    """Group number of each item: items whose titles agree but for case and whitespace share one."""
    groups: dict[str, int] = {}
    return np.array([groups.setdefault(" ".join(title.casefold().split()), len(groups)) for title in titles])


def run_candidates(
    interactions: pd.DataFrame,
    examples: pd.DataFrame,
    user_ids: Sequence[str],
    titles: Sequence[str],
    settings: CandidateSettings,
    seed: int,
    model: SASRec | None = None,
) -> pa.Table:
    """The candidates table of all examples; titles by item code, `model` for `sasrec_hard` only.

    Raises InputError if too few items are left for a user.
    """
    bought = sequences_by_user(interactions)
    # Only train examples use the position, since a user may have several.
    seeds = [
        derive_seed(seed, "candidates", user_ids[user], split, *([position] if split == "train" else []))
        for user, split, position in keys(examples)
    ]
    drawn = draw_candidates(
        examples["target"].to_numpy(),
        [bought[user] for user in examples["user"]],
        np.array(seeds, dtype=np.uint64),
        title_groups(titles),
        settings.count,
        None if model is None else _top_items(model, examples["history"].tolist(), settings.hard_depth),
    )
    return pa.table({**key_columns(examples), "candidates": pa.array(list(drawn), pa.list_(pa.int32()))})


def _top_items(model: SASRec, histories: Sequence[np.ndarray], depth: int) -> np.ndarray:
    vectors, user_states = model.item_vectors().detach().numpy(), states(model, histories)
    parts = []
    for start in range(0, len(user_states), 2048):
        scores = user_states[start : start + 2048] @ vectors.T
        parts.append(np.argsort(-scores, axis=1, kind="stable")[:, :depth])
    return np.concatenate(parts)


def draw_candidates(
    targets: np.ndarray,
    touched: Sequence[np.ndarray],
    seeds: np.ndarray,
    groups: np.ndarray,
    count: int,
    ranking: np.ndarray | None = None,
) -> np.ndarray:
    """The target and count-1 other items in a random order: (n, count) int32 item codes.

    targets (n,); touched: per example, all items of its user in any split; seeds (n,) uint64; groups (items,) from
    `title_groups`. No two candidates share a title and none but the target was touched. The others are drawn uniformly
    from the catalogue or, with `ranking` (n, depth) item codes, from the example's row of it (`sasrec_hard`). Raises
    InputError if an example has too few items to draw from.
    """
    block = max(1, MASK_BYTES // len(groups))
    parts = [np.zeros((0, count), dtype=np.int32)]
    for start in range(0, len(targets), block):
        rows = slice(start, start + block)
        # (examples, items): neither touched nor with the target's title
        allowed = groups != groups[targets[rows], None]
        owners = np.repeat(np.arange(len(allowed)), [len(items) for items in touched[rows]])
        allowed[owners, np.concatenate(touched[rows])] = False
        others = _draw(allowed, seeds[rows], groups, count - 1, None if ranking is None else ranking[rows])
        parts.append(np.concatenate([targets[rows, None], others], axis=1).astype(np.int32))
    drawn = np.concatenate(parts)
    order = np.argsort(stream(~seeds, count), axis=1, kind="stable")  # a different stream from the draw's
    return np.take_along_axis(drawn, order, axis=1)


def _draw(
    mask: np.ndarray, seeds: np.ndarray, groups: np.ndarray, wanted: int, ranking: np.ndarray | None
) -> np.ndarray:
    if ranking is not None:
        order = np.argsort(stream(seeds, ranking.shape[1]), axis=1, kind="stable")
        proposed = np.take_along_axis(ranking, order, axis=1)
    else:
        proposed = (stream(seeds, PROPOSALS) % np.uint64(mask.shape[1])).astype(np.int64)
    good = np.take_along_axis(mask, proposed, axis=1)
    banned = -1 - np.arange(proposed.shape[1])  # unique numbers, so that a banned item does not use up its title
    good &= _first_of_group(np.where(good, groups[proposed], banned))
    chosen = np.argsort(~good, axis=1, kind="stable")[:, :wanted]
    drawn = np.zeros((len(mask), wanted), dtype=np.int64)
    drawn[:, : chosen.shape[1]] = np.take_along_axis(proposed, chosen, axis=1)
    for row in np.flatnonzero(good.sum(axis=1) < wanted):
        drawn[row] = _draw_exactly(mask[row], seeds[row], groups, wanted, None if ranking is None else ranking[row])
    return drawn


def _first_of_group(groups: np.ndarray) -> np.ndarray:
    """(n, m) group numbers -> bool, true where no earlier column of the row has the same group."""
    order = np.argsort(groups, axis=1, kind="stable")
    ordered = np.take_along_axis(groups, order, axis=1)
    first = np.ones_like(ordered, dtype=bool)
    first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    out = np.empty_like(first)
    np.put_along_axis(out, order, first, axis=1)
    return out


def _draw_exactly(
    mask: np.ndarray, seed: np.uint64, groups: np.ndarray, wanted: int, ranking: np.ndarray | None
) -> np.ndarray:
    """One example's draw from a permutation of all allowed items, used if random proposals gave too few."""
    allowed = np.flatnonzero(mask) if ranking is None else ranking[mask[ranking]]
    order = np.argsort(stream(np.array([seed]), len(allowed))[0], kind="stable") if len(allowed) else allowed
    permuted = allowed[order]
    _, first = np.unique(groups[permuted], return_index=True)
    if len(first) < wanted:
        titles = len(np.unique(groups))
        shared = f" ({len(groups)} items with {titles} distinct titles)" if titles < len(groups) else ""
        where, remedies = "in the catalogue", [f"give a corpus with more {'distinct titles' if shared else 'items'}"]
        if ranking is not None:
            where, remedies = "among SASRec's top ranks", ["raise candidates.hard_depth", *remedies]
        if len(first):  # a set has at least two candidates
            remedies.insert(0, f"lower candidates.count to {len(first) + 1}")
        raise InputError(
            f"candidates.count = {wanted + 1} needs {wanted} items with distinct titles that the user never touched; "
            f"there are only {len(first)} {where}{shared}: {' or '.join(remedies)}"
        )
    return permuted[np.sort(first)[:wanted]]
