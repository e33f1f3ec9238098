"""HR@1 by the target's place in the candidate list, and where each system's first choices stand: position bias."""

from collections.abc import Sequence

import pandas as pd

from pulse_core.baselines.registry import System
from pulse_core.evaluation.predictions import aligned_ranks, one_row_a_user, rectangle
from pulse_core.report.overall import DomainResults, corpus_name, notices, shown_the_answer

COLUMNS = ("domain", "corpus", "system", "label", "place", "users", "hr1", "chosen", "oracle", "note")


def by_place_table(domains: Sequence[DomainResults], systems: Sequence[System]) -> pd.DataFrame:
    """One row a (domain, system, place), over the sampled test users (COLUMNS).

    `place` counts from 1 in the order of candidates.parquet, in which prompts list the candidates. `users` have their
    target there, `hr1` is theirs (NaN where there are none); `chosen` is the share of all users whose best candidate
    stands there, a user whose best tie being shared out among them. Without bias `hr1` is the same at every place, and
    `chosen` the share of targets there.

    Raises:
        InputError: as `overall_table`.
    """
    rows = [row for given in domains for system in systems for row in _rows(given, system)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _rows(given: DomainResults, system: System) -> list[dict[str, object]]:
    sampled = given.examples[given.examples["sampled"].astype(bool)]
    file = given.files.get(system.name, system.name)
    found = given.predictions[system.name]
    hit = aligned_ranks(found, sampled, given.candidates, "test", file) == 1
    offered = rectangle(one_row_a_user(given.candidates, "test", "candidates").loc[hit.index, "candidates"], "", "")
    users = one_row_a_user(found, "test", file).loc[hit.index]
    ranked, scores = rectangle(users["candidates"], "candidates", file), rectangle(users["scores"], "scores", file)
    targets = one_row_a_user(sampled, "test", "examples").loc[hit.index, "target"].to_numpy()
    target_at = (offered == targets[:, None]).argmax(axis=1)
    best = scores == scores.max(axis=1, keepdims=True)
    share = best / best.sum(axis=1, keepdims=True)  # (users, candidates): of each user's first choice
    shared = {
        "domain": given.domain,
        "corpus": corpus_name(given.statistics),
        "system": system.name,
        "label": system.label,
        "oracle": system.name in shown_the_answer(given, [system]),
        "note": notices(given),
    }
    return [
        {
            **shared,
            "place": place + 1,
            "users": int((target_at == place).sum()),
            "hr1": float(hit[target_at == place].mean()),
            "chosen": float(share[ranked == offered[:, place, None]].mean()),
        }
        for place in range(offered.shape[1])
    ]
