"""The common schema of predictions (user, split, candidates, scores).

Kept apart from the metrics, so that editing a metric does not rerun the stages that write predictions.
"""

import pandas as pd
import pyarrow as pa

PREDICTION_SCHEMA = pa.schema(
    [
        ("user", pa.int32()),
        ("split", pa.string()),
        ("candidates", pa.list_(pa.int32())),
        ("scores", pa.list_(pa.float32())),
    ]
)


def predictions_table(frame: pd.DataFrame) -> pa.Table:
    """Predictions in the common schema, sorted by (user, split)."""
    ordered = frame.sort_values(["user", "split"], ignore_index=True)
    return pa.Table.from_pandas(ordered[PREDICTION_SCHEMA.names], schema=PREDICTION_SCHEMA, preserve_index=False)
