"""A sheet of unedited rationales for reading by eye, sampled by seed."""

import pandas as pd

from pulse_core.keys import KEY
from pulse_core.seeding import derive_seed

HISTORY_SHOWN = 8


def sample_rows(rationales: pd.DataFrame, count: int, seed: int) -> pd.DataFrame:
    """`count` rows (all, if there are fewer) with the smallest hashes of the seed and of (user, split, position, node).

    The sample does not depend on the order of rows and hardly changes when rows are added or removed.
    """
    key = [*KEY, "node"]
    draws = [derive_seed(seed, "sheet", *map(str, row)) for row in rationales[key].itertuples(index=False)]
    return rationales.assign(_draw=draws).sort_values(["_draw", *key]).head(count).drop(columns="_draw")


def rationale_sheet(
    rationales: pd.DataFrame, examples: pd.DataFrame, items: pd.DataFrame, count: int, seed: int, heading: str
) -> str:
    """Markdown: for each sampled rationale, the end of its history, the target and its unedited text.

    Columns: rationales (user, split, position, node, rationale), examples (user, split, position, history, target).
    """
    titles = items.set_index("item")["title"].to_dict()
    known = examples.set_index(KEY)[["history", "target"]].sort_index()
    drawn = sample_rows(rationales, count, seed)
    lines = [f"# {heading}", "", f"{len(drawn)} of {len(rationales)}, drawn by seed {seed}; none was left out.", ""]
    for number, row in enumerate(drawn.itertuples(), start=1):
        example = known.loc[(row.user, row.split, row.position)]
        history = [titles[int(item)] for item in example["history"]][-HISTORY_SHOWN:]
        lines += [f"## {number}. user {row.user}, {row.split}", "", "History: " + " | ".join(history), ""]
        lines += [f"Target: {titles[int(example['target'])]}", ""]
        lines += ["> " + str(row.rationale).replace("\n", "\n> "), ""]
    return "\n".join(lines)
