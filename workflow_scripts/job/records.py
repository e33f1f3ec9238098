"""Checks a job's inputs against the records of the stages that wrote them, and records its outputs."""

import os
import re
import shlex
import sys
import time
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pulse_core.errors import InputError

VARIABLE = "PULSE_OPTIONS"  # from the driver to its jobs: the configuration to name in commands
OPTIONS = {"--configfile", "--configfiles", "--config", "-C", "--profile", "--directory", "-d"}
# The column that an error of pandas or pyarrow is about.
TABLE_LIBRARY = re.compile(r"\b(pandas|pyarrow)\b")
COLUMN = re.compile(r"""['"](\w+)['"]|FieldRef\.Name\((\w+)\)""")
MADE_BY_STAGES = ("results/", "resources/models/", "resources/synthetic/")


def configuration_options(arguments: Sequence[str]) -> list[str]:
    """The arguments that choose configuration, profile and working directory."""
    kept, keep = [], False
    for argument in arguments:
        keep = argument.partition("=")[0] in OPTIONS if argument.startswith("-") else keep
        kept += [argument] * keep
    return kept


def pass_on_options() -> None:
    """Pass the driver's configuration options on to its jobs."""
    os.environ[VARIABLE] = shlex.join(configuration_options(sys.argv[1:]))


def command(*targets: str) -> str:
    """The command that makes stages' outputs again, even if Snakemake takes them for up to date."""
    return f"snakemake {shlex.join(targets)} --cores all --force {os.environ.get(VARIABLE, '')}".rstrip()


@contextmanager
def recorded(job: Any) -> Iterator[None]:
    """Check the job's inputs, run the block, record the job's outputs.

    Raises:
        InputError: an input is not what its stage wrote, or cannot be read.
    """
    from pulse_core.verification import delete_records, write_records

    outputs = [Path(name) for name in job.output]
    unrecorded = check_inputs(map(str, job.input))
    delete_records(outputs)
    started = time.monotonic()
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        check_readable(unrecorded)
        check_columns(unrecorded, error)
        raise
    if outputs:
        seconds = time.monotonic() - started
        write_records(job.rule, outputs, [str(name) for name in job.input], seconds, command(str(outputs[0])))


def check_inputs(inputs: Iterable[str]) -> list[Path]:
    """Compare inputs with their records; returns those without one.

    Raises:
        InputError: an input is not what its stage wrote.
    """
    from pulse_core.verification import difference, message, read_record, with_companions

    unrecorded = []
    for path in (file for name in inputs for file in with_companions(Path(name))):
        record = read_record(path)
        if record is None:
            unrecorded.append(path)
        elif problem := difference(path, record):
            raise InputError(message(path, problem, record))
    return unrecorded


def check_readable(files: Iterable[Path]) -> None:
    """Raise InputError for the first artifact that cannot be read."""
    from pulse_core.verification import unreadable

    for path in files:
        if path.as_posix().startswith(MADE_BY_STAGES) and (reason := unreadable(path)):
            raise InputError(f"{path} cannot be read ({reason}): run `{command(str(path))}`") from None


def check_columns(files: Iterable[Path], error: Exception) -> None:
    """Raise InputError if `error` is about a column that artifacts among `files` lack."""
    import pyarrow.parquet as pq

    raised_in = traceback.extract_tb(error.__traceback__)[-1].filename
    column = COLUMN.search(str(error)) if TABLE_LIBRARY.search(raised_in) else None
    if column is None:
        return
    name = column[1] or column[2]
    tables = [path for path in files if path.as_posix().startswith(MADE_BY_STAGES) and path.suffix == ".parquet"]
    lacking = [str(path) for path in tables if name not in pq.read_schema(path).names]
    if lacking:
        raise InputError(f"no column {name!r} in {' or '.join(lacking)}: run `{command(*lacking)}`") from None
