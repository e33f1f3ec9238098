"""The `snakemake` command of this project's environment: Snakemake's own, with one trap of its command line removed.

Snakemake's options of several values (`--resources NAME=INT [NAME=INT ...]`, `--configfile FILE [FILE ...]`) swallow a
target behind them, so that `snakemake --cores 8 --resources gpu=2 results/luxury/hr1.json` ends in a traceback, and a
target behind `--configfile` is read as configuration. Here the target is put first.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

PAIR_OPTIONS = {"--resources", "--res", "--config", "-C", "--set-threads", "--set-resources", "--default-resources"}
FILE_OPTIONS = {"--configfile", "--configfiles"}
ARTIFACTS = ("results/", "resources/", "logs/")  # files below these are targets, whether they are there yet or not


def targets_first(arguments: Sequence[str]) -> list[str]:
    """The same arguments, with targets that would be read as further values of an option moved to the front."""
    kept: list[str] = []
    targets: list[str] = []
    option = ""
    values_seen = 0  # values of `option` so far
    for position, argument in enumerate(arguments):
        if argument == "--":
            kept += arguments[position:]
            break
        if argument.startswith("-"):
            option, values_seen = argument, 0
        elif values_seen and _is_target(argument, option):
            targets.append(argument)
            continue
        else:
            values_seen += 1
        kept.append(argument)
    return targets + kept


def _is_target(argument: str, option: str) -> bool:
    """Whether `argument` is a target rather than one more value of `option`, which has had one."""
    if option in FILE_OPTIONS:
        return argument.startswith(ARTIFACTS) or not Path(argument).is_file()
    return option in PAIR_OPTIONS and "=" not in argument


def main() -> None:
    """Run Snakemake on the repaired command line."""
    from snakemake.cli import main as snakemake_main

    sys.argv[1:] = targets_first(sys.argv[1:])
    snakemake_main()


if __name__ == "__main__":
    main()
