"""Prints the summary that ends `make demo`: `python -m workflow_scripts.cli.demo_summary results/luxury`."""

import sys
from pathlib import Path

from workflow_scripts.wiring.layout import (
    CATALOGUE,
    EXAMPLES,
    HR1,
    RANKER_PREDICTIONS,
    RANKERS,
    SELECTED,
    STATISTICS,
    TREE,
    USERS,
    fill,
    of_domain,
)

PULSE = {"scorer": "thought_space", "variant": "thought_space"}


def finished(folder: str, artifact: str) -> Path:
    """The folder of one domain's results; exits with the command to run if it lacks `artifact`."""
    root = Path(folder)
    if not (root / artifact).is_file():
        target = root / of_domain(HR1)
        raise SystemExit(
            f"{root / artifact} does not exist: run `snakemake --cores 8 --resources gpu=2 {target}` first"
        )
    return root


def main(folder: str) -> None:
    """Print HR@1 of all systems, one user from history to ranking, and the files to open next."""
    import pandas as pd

    from pulse_core.artifacts import read_json
    from pulse_core.report.summary import render, shown_example

    root = finished(folder, of_domain(HR1))

    def path(pattern: str) -> Path:
        return root / of_domain(fill(pattern, **PULSE))

    shown = shown_example(
        examples=pd.read_parquet(path(EXAMPLES)),
        items=pd.read_parquet(path(CATALOGUE)),
        users=pd.read_parquet(path(USERS)),
        selected=pd.read_parquet(path(SELECTED)),
        predictions=pd.read_parquet(path(RANKER_PREDICTIONS)),
    )
    files = {
        HR1: "all figures, with settings, versions and hashes",
        TREE: "all rationales, from base to leaves",
        SELECTED: "selected rationales with their runners-up",
        RANKERS: "each ranker's training curve and predictions",
        STATISTICS: "corpus statistics",
    }
    print(render(read_json(path(HR1)), shown, {str(path(file)): what for file, what in files.items()}))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "results/luxury")
