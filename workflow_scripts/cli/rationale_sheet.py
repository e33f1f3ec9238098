"""Rationales as they came, for reading by eye: `python -m workflow_scripts.cli.rationale_sheet results/luxury 20`."""

import sys


def main(folder: str = "results/luxury", count: str = "20") -> None:
    """Print `count` selected rationales of test users, drawn by a fixed seed, with the histories behind them."""
    import pandas as pd

    from pulse_core.artifacts import corpus_of
    from pulse_core.report.rationale_sheet import rationale_sheet
    from workflow_scripts.cli.demo_summary import finished

    root = finished(folder, "selected/thought_space.parquet")
    file = root / "selected/thought_space.parquet"
    selected = pd.read_parquet(file)
    sheet = rationale_sheet(
        selected[selected["split"] == "test"],
        pd.read_parquet(root / "examples.parquet"),
        pd.read_parquet(root / "corpus/items.parquet"),
        int(count),
        seed=0,
        heading=f"Rationales as they came (corpus: {corpus_of(file)})",
        targets=True,
    )
    print(sheet)


if __name__ == "__main__":
    main(*sys.argv[1:3])
