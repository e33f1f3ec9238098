"""Prints unedited rationales: `python -m workflow_scripts.cli.rationale_sheet results/luxury 20`."""

import sys

from workflow_scripts.wiring import layout

SELECTED = layout.of_domain(layout.fill(layout.SELECTED, scorer="thought_space"))


def main(folder: str = "results/luxury", count: str = "20") -> None:
    """Print `count` selected rationales of test users, drawn by a fixed seed, with their histories."""
    import pandas as pd

    from pulse_core.artifacts import corpus_of
    from pulse_core.report.rationale_sheet import rationale_sheet
    from workflow_scripts.cli.demo_summary import finished

    root = finished(folder, SELECTED)
    file = root / SELECTED
    selected = pd.read_parquet(file)
    sheet = rationale_sheet(
        selected[selected["split"] == "test"],
        pd.read_parquet(root / layout.of_domain(layout.EXAMPLES)),
        pd.read_parquet(root / layout.of_domain(layout.CATALOGUE)),
        int(count),
        seed=0,
        heading=f"Unedited rationales (corpus: {corpus_of(file)})",
    )
    print(sheet)


if __name__ == "__main__":
    main(*sys.argv[1:3])
