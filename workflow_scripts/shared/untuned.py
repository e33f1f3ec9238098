"""Shared by the scripts of untuned systems; separate from the tuned ones, since it imports no metrics."""

from typing import Any

from pulse_core.artifacts import write_json, write_table


def write_untuned(job: Any, predictions: Any) -> None:
    """Write the predictions, and metrics.json without trials."""
    write_table(job.output.predictions, predictions)
    write_json(job.output.metrics, {"system": job.params.system, "trials": []})
