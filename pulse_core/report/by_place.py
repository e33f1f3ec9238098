"""HR@1 by the target's place in the candidate list, and the places of each system's first choices: position bias."""

from collections.abc import Sequence

import pandas as pd

from pulse_core.evaluation.predictions import aligned_ranks, one_row_a_user, rectangle
from pulse_core.report.overall import DomainResults
from pulse_core.systems import System

COLUMNS = ("domain", "corpus", "system", "label", "place", "users", "hr1", "chosen", "oracle", "note")


def by_place_table(domains: Sequence[DomainResults], systems: Sequence[System]) -> pd.DataFrame:
    """One row per (domain, system, place), over the sampled test users (COLUMNS).

    `place` counts from 1 in the order of candidates.parquet, which is the order in prompts. `users` is the number of
    users whose target is at that place and `hr1` is over them (NaN if there are none); `chosen` is the share of all
    users whose best candidate is there, split equally between ties. Without position bias `hr1` is the same at every
    place, and `chosen` is the share of targets there.

    Raises:
        InputError: as `overall_table`.
    """
    rows = [row for results in domains for system in systems for row in _rows(results, system)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _rows(results: DomainResults, system: System) -> list[dict[str, object]]:
    sampled = results.examples[results.examples["sampled"].astype(bool)]
    file = results.files.get(system.name, system.name)
    predictions = results.predictions[system.name]
    hit = aligned_ranks(predictions, sampled, results.candidates, "test", file) == 1
    offered = rectangle(one_row_a_user(results.candidates, "test", "candidates").loc[hit.index, "candidates"], "", "")
    users = one_row_a_user(predictions, "test", file).loc[hit.index]
    ranked, scores = rectangle(users["candidates"], "candidates", file), rectangle(users["scores"], "scores", file)
    targets = one_row_a_user(sampled, "test", "examples").loc[hit.index, "target"].to_numpy()
    target_at = (offered == targets[:, None]).argmax(axis=1)
    best = scores == scores.max(axis=1, keepdims=True)
    share = best / best.sum(axis=1, keepdims=True)  # (users, candidates)
    shared = {
        "domain": results.domain,
        "corpus": results.corpus,
        "system": system.name,
        "label": system.label,
        "oracle": system.name in results.oracle([system]),
        "note": results.note,
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
