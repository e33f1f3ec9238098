"""HR@1 by the target's place in the candidate list, and the places of each system's first choices: position bias."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pulse_core.evaluation.domain_results import DomainResults
from pulse_core.evaluation.predictions import one_row_a_user
from pulse_core.systems import System


def by_place_table(domains: Sequence[DomainResults], systems: Sequence[System]) -> pd.DataFrame:
    """One row per (domain, system, place), over the sampled test users.

    `place` counts from 1 in the order of candidates.parquet, which is the order in prompts. `users` is the number of
    users whose target is at that place and `hr1` is over them (NaN if there are none); `chosen` is the share of all
    users whose best candidate is there, split equally between ties. Without position bias `hr1` is the same at every
    place, and `chosen` is the share of targets there.
    """
    return pd.DataFrame([row for results in domains for system in systems for row in _rows(results, system)])


def _rows(results: DomainResults, system: System) -> list[dict[str, object]]:
    name = system.name
    hit = results.ranks([name])[name] == 1
    targets = one_row_a_user(results.examples[results.examples["sampled"].astype(bool)], "test", "examples")["target"]
    official = one_row_a_user(results.candidates, "test", "candidates").loc[targets.index]
    predicted = one_row_a_user(results.predictions[name], "test", name).loc[targets.index]
    columns = (official["candidates"], predicted["candidates"], predicted["scores"])
    offered, ranked, scores = (np.stack(column.to_list()) for column in columns)  # (users, candidates)
    target_at = (offered == targets.to_numpy()[:, None]).argmax(axis=1)
    best = scores == scores.max(axis=1, keepdims=True)
    share = best / best.sum(axis=1, keepdims=True)
    return [
        {
            "domain": results.domain,
            "corpus": results.corpus,
            "system": name,
            "label": system.label,
            "place": place + 1,
            "users": int((target_at == place).sum()),
            "hr1": float(hit[target_at == place].mean()),
            "chosen": float(share[ranked == offered[:, place, None]].mean()),
            "oracle": name in results.oracle,
            "note": results.notice,
        }
        for place in range(offered.shape[1])
    ]
