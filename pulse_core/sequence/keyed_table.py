"""Tables with one row per example, beside its key (user, split, position)."""

import numpy as np
import pandas as pd
import pyarrow as pa


def list_column(values: np.ndarray, kind: pa.DataType) -> pa.Array:
    """A matrix as a column of equally long lists."""
    offsets = np.arange(0, values.size + 1, max(values.shape[1], 1), dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values.ravel(), kind))


def keyed_table(examples: pd.DataFrame, columns: dict[str, pa.Array]) -> pa.Table:
    """Columns beside the key (user, split, position) of the examples."""
    key = {
        "user": pa.array(examples["user"], pa.int32()),
        "split": pa.array(examples["split"], pa.string()),
        "position": pa.array(examples["position"], pa.int32()),
    }
    return pa.table({**key, **columns})
