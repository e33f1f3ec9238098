"""Removes what killed Snakemake processes left behind: their temporary directories, and copies of scripts."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil

SCRIPTS = Path(".snakemake/scripts")
MARGIN_SECONDS = 2  # process start times have a resolution of one second
NAMES = ("snakemake", "workflow_scripts.cli.command")


def remove_leftovers() -> None:
    """Remove temporary directories that are older than this user's oldest Snakemake process, and copies of scripts that
    no process runs. Called only by a driver that holds the lock of the working directory."""
    commands = list(_snakemake_commands())
    oldest = min(started for started, _ in commands)
    for directory in Path(tempfile.gettempdir()).glob("snakemake*"):
        status = directory.lstat()
        if directory.is_dir() and status.st_uid == os.getuid() and status.st_mtime < oldest - MARGIN_SECONDS:
            shutil.rmtree(directory, ignore_errors=True)
    running = {argument for _, command in commands for argument in command}
    for script in SCRIPTS.glob("tmp*"):
        if str(script.absolute()) not in running:
            script.unlink(missing_ok=True)


def _snakemake_commands() -> Iterator[tuple[float, list[str]]]:
    """Start time and command line of this user's processes that belong to Snakemake, this one included."""
    for process in psutil.process_iter(["create_time", "cmdline", "uids"]):
        command, uids = process.info["cmdline"] or [], process.info["uids"]
        named = any(name in argument for argument in command for name in NAMES)
        if uids and uids.real == os.getuid() and (named or process.pid == os.getpid()):
            yield process.info["create_time"], command
