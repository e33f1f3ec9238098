"""The key of an example in every table: user, split, and position of the target in the user's sequence."""

import pandas as pd
import pyarrow as pa

Key = tuple[int, str, int]
KEY = ["user", "split", "position"]
KEY_FIELDS = [("user", pa.int32()), ("split", pa.string()), ("position", pa.int32())]


def keys(frame: pd.DataFrame) -> list[Key]:
    """The key of each row."""
    return list(zip(frame["user"].tolist(), frame["split"].tolist(), frame["position"].tolist(), strict=True))


def key_columns(frame: pd.DataFrame) -> dict[str, pa.Array]:
    """The key of each row as Arrow columns."""
    return {name: pa.array(frame[name], kind) for name, kind in KEY_FIELDS}
