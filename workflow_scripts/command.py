"""The `snakemake` command of this project's environment: Snakemake's own, with one trap of its command line removed.

Snakemake's options of several values (`--resources NAME=INT [NAME=INT ...]`) swallow a target behind them, so that
`snakemake --cores 8 --resources gpu=2 results/luxury/hr1.json` ends in a traceback. Here the target is put first.
"""

import sys
from collections.abc import Sequence

PAIR_OPTIONS = {"--resources", "--res", "--config", "-C", "--set-threads", "--set-resources", "--default-resources"}


def targets_first(arguments: Sequence[str]) -> list[str]:
    """The same arguments, with targets that would be read as values of a NAME=VALUE option moved to the front."""
    kept: list[str] = []
    targets: list[str] = []
    values_seen = -1  # values of the current NAME=VALUE option so far; -1 outside of one
    for position, argument in enumerate(arguments):
        if argument == "--":
            kept += arguments[position:]
            break
        if argument.startswith("-"):
            values_seen = 0 if argument in PAIR_OPTIONS else -1
        elif values_seen > 0 and "=" not in argument:
            targets.append(argument)
            continue
        elif values_seen >= 0:
            values_seen += 1
        kept.append(argument)
    return targets + kept


def main() -> None:
    """Run Snakemake on the repaired command line."""
    from snakemake.cli import main as snakemake_main

    sys.argv[1:] = targets_first(sys.argv[1:])
    snakemake_main()


if __name__ == "__main__":
    main()
