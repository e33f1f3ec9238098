"""Rules gather_*: one table from the shards of a generation stage, in an order independent of their number."""

from typing import Any

from workflow_scripts.job.stage import stage


def main(job: Any) -> None:
    """Join the shards, sorted by example and node."""
    with stage(job):
        import pyarrow as pa
        import pyarrow.parquet as pq

        from pulse_core.artifacts import write_table
        from pulse_core.keys import KEY

        table = pa.concat_tables([pq.read_table(file) for file in job.input])
        order = [*KEY, "node"] if "node" in table.column_names else KEY
        write_table(job.output[0], table.sort_by([(name, "ascending") for name in order]))


if "snakemake" in globals():
    main(globals()["snakemake"])
