"""The `snakemake` command of this project's environment: Snakemake's own, with two traps of its command line removed.

Snakemake's options of several values (`--resources NAME=INT [NAME=INT ...]`, `--configfile FILE [FILE ...]`) swallow a
target behind them, so that `snakemake --cores 8 --resources gpu=2 results/luxury/hr1.json` ends in a traceback, and a
target behind `--configfile` is read as configuration. Here the target is put first. And `--config ranker.epochs=1`,
which Snakemake refuses with a traceback, is written out as `ranker={epochs: 1}`.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

PAIR_OPTIONS = {"--resources", "--res", "--config", "-C", "--set-threads", "--set-resources", "--default-resources"}
CONFIG_OPTIONS = {"--config", "-C"}
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


def nested_values(arguments: Sequence[str]) -> list[str]:
    """The same arguments, with `--config section.key=value` written as `section={key: value}`."""
    option = ""
    written = []
    for argument in arguments:
        option = argument if argument.startswith("-") else option
        name, sign, value = argument.partition("=")
        if option in CONFIG_OPTIONS and sign and "." in name:
            section, *keys = name.split(".")
            for key in reversed(keys):
                value = f"{{{key}: {value}}}"
            argument = f"{section}={value}"
        written.append(argument)
    return written


def main() -> None:
    """Run Snakemake on the repaired command line."""
    from snakemake.cli import main as snakemake_main

    sys.argv[1:] = nested_values(targets_first(sys.argv[1:]))
    snakemake_main()


if __name__ == "__main__":
    main()
