"""The one schema of predictions (user, split, candidates, scores), and what every table read has to hold.

Apart from the metrics: whoever writes predictions imports this module alone, so an edited metric reruns no ranker.
"""

from collections.abc import Iterable

import pandas as pd
import pyarrow as pa

from pulse_core.errors import InputError

PREDICTION_SCHEMA = pa.schema(
    [
        ("user", pa.int32()),
        ("split", pa.string()),
        ("candidates", pa.list_(pa.int32())),
        ("scores", pa.list_(pa.float32())),
    ]
)


def predictions_table(frame: pd.DataFrame) -> pa.Table:
    """A predictions frame as the table that is written, rows sorted by (user, split)."""
    ordered = frame.sort_values(["user", "split"], ignore_index=True)
    return pa.Table.from_pandas(ordered[PREDICTION_SCHEMA.names], schema=PREDICTION_SCHEMA, preserve_index=False)


def require_columns(frame: pd.DataFrame, columns: Iterable[str], file: str) -> None:
    """Raise InputError naming `file` where a column is missing."""
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise InputError(f"{file}: columns {missing} are missing; it has {list(frame.columns)}")
