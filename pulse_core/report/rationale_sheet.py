"""A sheet of unedited rationales for reading by eye, sampled by seed."""

from collections.abc import Mapping

import pandas as pd

from pulse_core.errors import InputError
from pulse_core.keys import KEY
from pulse_core.seeding import derive_seed

HISTORY_SHOWN = 8


def sample_rows(rationales: pd.DataFrame, count: int, seed: int) -> pd.DataFrame:
    """`count` rows (all, if there are fewer) with the smallest hashes of the seed and the row's key.

    The sample does not depend on the order of rows and hardly changes when rows are added or removed.

    Args:
        rationales: (user, split, position, rationale, and node where an example has several).
    """
    key = [*KEY, "node"] if "node" in rationales.columns else KEY
    draws = [derive_seed(seed, "sheet", *map(str, row)) for row in rationales[key].itertuples(index=False)]
    return rationales.assign(_draw=draws).sort_values(["_draw", *key]).head(count).drop(columns="_draw")


def rationale_sheet(
    rationales: pd.DataFrame,
    examples: pd.DataFrame,
    items: pd.DataFrame,
    count: int,
    seed: int,
    heading: str = "Unedited rationales",
    targets: bool = False,
) -> str:
    """Markdown: for each sampled rationale, the end of its history and its unedited text.

    Args:
        rationales: (user, split, position, rationale, ...): positive, base, tree or selected.
        examples: (user, split, position, history, target, ...).
        items: (item, title, ...).
        targets: also show the target's title (only positive rationales were written with it).

    Raises:
        InputError: a rationale belongs to no example.
    """
    titles: Mapping[int, str] = items.set_index("item")["title"].to_dict()
    known = examples.set_index(KEY)[["history", "target"]].sort_index()
    drawn = sample_rows(rationales, count, seed)
    lines = [f"# {heading}", "", f"{len(drawn)} of {len(rationales)}, drawn by seed {seed}; none was left out.", ""]
    for number, row in enumerate(drawn.to_dict("records"), start=1):
        key = (row["user"], row["split"], row["position"])
        if key not in known.index:
            raise InputError(f"rationale sheet: {key} (user, split, position) has no example; make them again")
        example = known.loc[key]
        history = [titles[int(item)] for item in example["history"]][-HISTORY_SHOWN:]
        lines += [f"## {number}. user {row['user']}, {row['split']}", "", "History: " + " | ".join(history), ""]
        if targets:
            lines += [f"Target: {titles[int(example['target'])]}", ""]
        lines += ["> " + str(row["rationale"]).replace("\n", "\n> "), ""]
    return "\n".join(lines)
