"""The Thought Space's training data: behaviour texts, positive rationales, held-out users, dropped targets."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pulse_core.seeding import derive_seed


@dataclass(frozen=True)
class TrainingExample:
    """One observed purchase of a training split, explained."""

    user: str
    """The raw user id: a person in two domains is one user, whose rationales are never each other's negatives."""
    with_target: str
    """The behaviour text b_u = (s_u, i_{t+1}) of section 4.1."""
    history_only: str
    """The same without the target: the text that selection reads."""
    rationale: str
    """The positive rationale R+."""
    domain: str = ""
    """The example's domain, for figures per domain and for negatives inside a domain."""


def held_out_users(examples: Sequence[TrainingExample], share: float, seed: int) -> set[str]:
    """The users kept for validation: in each domain `share` of its users, at least two where it has four or more.

    Users are taken by a seeded hash of their id, so the choice hardly depends on the other users. A user held out of
    one domain is held out of all.
    """
    users_of: dict[str, set[str]] = {}
    for example in examples:
        users_of.setdefault(example.domain, set()).add(example.user)
    chosen: set[str] = set()
    for users in users_of.values():
        count = round(share * len(users))
        if share > 0 and len(users) >= 4:
            count = max(count, 2)
        chosen.update(sorted(users, key=lambda user: (derive_seed(seed, "held-out", user), user))[:count])
    return chosen


def without_target(count: int, share: float, generator: np.random.Generator) -> np.ndarray:
    """Which of `count` examples lose the target: round(share * count) of them drawn uniformly, (count,) bool."""
    dropped = np.zeros(count, dtype=bool)
    dropped[generator.permutation(count)[: round(share * count)]] = True
    return dropped


def batches(count: int, size: int, generator: np.random.Generator) -> list[np.ndarray]:
    """One epoch: a random order of `count` examples in batches of `size`, each (size,) int64.

    An incomplete last batch, which has fewer negatives, is dropped unless it is the only one. Every epoch drops other
    examples.
    """
    order = generator.permutation(count)
    full = [order[start : start + size] for start in range(0, count - size + 1, size)]
    return full or [order]
