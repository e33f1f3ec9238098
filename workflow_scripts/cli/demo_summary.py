"""The ending of `make demo`: `python -m workflow_scripts.cli.demo_summary results/luxury`."""

import sys
from pathlib import Path


def finished(folder: str, artifact: str) -> Path:
    """The folder of one domain's results, or an end with what to run where `artifact` is not in it."""
    root = Path(folder)
    if not (root / artifact).is_file():
        target = root / "hr1.json"
        raise SystemExit(f"{root / artifact} is not there: run `snakemake --cores 8 --resources gpu=2 {target}` first")
    return root


def main(folder: str) -> None:
    """Print HR@1 beside its rivals, one user from history to ranking, and where to look next."""
    import pandas as pd

    from pulse_core.artifacts import read_json
    from pulse_core.report.shown_example import shown_example
    from pulse_core.report.summary import render

    root = finished(folder, "hr1.json")
    shown = shown_example(
        examples=pd.read_parquet(root / "examples.parquet"),
        items=pd.read_parquet(root / "corpus/items.parquet"),
        users=pd.read_parquet(root / "corpus/users.parquet"),
        selected=pd.read_parquet(root / "selected/thought_space.parquet"),
        predictions=pd.read_parquet(root / "rankers/thought_space/predictions.parquet"),
    )
    print(render(read_json(root / "hr1.json"), shown, folder))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "results/luxury")
