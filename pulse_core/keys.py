"""The key of an example in every table: user, split, and position of the target in the user's sequence."""

import pandas as pd

Key = tuple[int, str, int]
KEY = ["user", "split", "position"]


def keys(frame: pd.DataFrame) -> list[Key]:
    """The key of each row."""
    return list(zip(frame["user"].tolist(), frame["split"].tolist(), frame["position"].tolist(), strict=True))
