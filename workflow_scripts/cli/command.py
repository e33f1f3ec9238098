"""The `snakemake` command of this project's environment: Snakemake's own, with pitfalls of its command line removed.

Options with several values (`--resources NAME=INT [NAME=INT ...]`, `--configfile FILE [FILE ...]`) consume a target
that follows them, so `snakemake --cores 8 --resources gpu=2 results/luxury/hr1.json` ends in a traceback; here targets
come first. A repeated option drops its earlier values; here they are joined. `--config ranker.epochs=1` ends in a
traceback; here it becomes `ranker={epochs: 1}`. Configuration files are checked before Snakemake reads them.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from pulse_core.errors import InputError
from workflow_scripts.cli.given_config import check_file, check_pairs

REPOSITORY = Path(__file__).resolve().parents[2]
CONFIG_OPTIONS = {"--config", "-C"}
FILE_OPTIONS = {"--configfile", "--configfiles"}
PAIR_OPTIONS = {
    *CONFIG_OPTIONS,
    *("--resources", "--res", "--default-resources", "--default-res", "--set-threads", "--set-resources"),
}
ALIASES = {
    "--res": "--resources",
    "-C": "--config",
    "--configfiles": "--configfile",
    "--default-res": "--default-resources",
}
ARTIFACTS = ("results/", "resources/", "logs/")  # files below these are targets, whether they exist or not


def targets_first(arguments: Sequence[str]) -> list[str]:
    """Move targets that would be read as values of an option to the front."""
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
    """Whether `argument` is a target rather than another value of `option`, which has one already."""
    if option in FILE_OPTIONS:
        return argument.startswith(ARTIFACTS) or not Path(argument).is_file()
    return option in PAIR_OPTIONS and "=" not in argument


def joined_options(arguments: Sequence[str]) -> list[str]:
    """Join all values of a repeated option behind one occurrence of it."""
    others: list[str] = []
    values: dict[str, list[str]] = {}
    rest: list[str] = []
    option = ""  # the option whose values are being read
    targets: list[str] = []
    after_equals = False  # `--configfile=FILE` takes no further value
    for position, argument in enumerate(arguments):
        if argument == "--":
            rest = list(arguments[position:])
            break
        name, sign, value = argument.partition("=")
        name = ALIASES.get(name, name)
        if argument.startswith("-"):
            option = name if name in PAIR_OPTIONS | FILE_OPTIONS else ""
            after_equals = bool(option and sign)
            if option:
                values.setdefault(option, []).extend([value] if sign else [])
            else:
                others.append(argument)
        elif after_equals:
            targets.append(argument)
        elif option:
            values[option].append(argument)
        else:
            others.append(argument)
    return [*targets, *others, *(part for name, given in values.items() for part in (name, *given)), *rest]


def nested_values(arguments: Sequence[str]) -> list[str]:
    """Rewrite `--config section.key=value` as `section={key: value}`."""
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


def check(arguments: Sequence[str]) -> None:
    """Check the configuration and the number of cores of a repaired command line.

    Raises:
        InputError: Snakemake would misread them, hang or print a traceback.
    """
    from snakemake.cli import get_argument_parser
    from snakemake.exceptions import CliException
    from snakemake_interface_common.exceptions import WorkflowError

    try:
        given, _ = get_argument_parser().parse_known_args(arguments)
    except WorkflowError:
        return  # Snakemake reports it in a line
    except CliException as error:
        raise InputError(error.msg) from None
    for number, option in ((given.cores, "--cores"), (given.jobs, "--jobs")):
        if number is not None and number < 1:
            raise InputError(f"{option}: got {number}, expected at least 1")
    for file in (REPOSITORY / "config.yaml", *given.configfile):
        check_file(file)
    check_pairs(given.config or [])


def main() -> None:
    """Run Snakemake on the repaired command line."""
    from snakemake.cli import main as snakemake_main

    sys.argv[1:] = joined_options(targets_first(sys.argv[1:]))
    try:
        check(sys.argv[1:])
    except InputError as error:
        raise SystemExit(f"snakemake: {error}") from None
    sys.argv[1:] = nested_values(sys.argv[1:])
    if Path("results").is_dir():
        from workflow_scripts.cli.verify import warn

        warn(Path("results"))
    snakemake_main()


if __name__ == "__main__":
    main()
