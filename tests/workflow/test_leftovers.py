"""Leftovers of killed Snakemake processes are removed, except what a running process uses."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from workflow_scripts.job.leftovers import SCRIPTS, remove_leftovers


def test_only_what_no_process_uses_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name in ("snakemakeold", "snakemakenew", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
    for name in ("snakemakeold", "other"):
        os.utime(tmp_path / name, (1_000_000_000, 1_000_000_000))
    SCRIPTS.mkdir(parents=True)
    for name in ("tmpold.corpus.py", "tmprunning.hr1.py"):
        (SCRIPTS / name).write_text("print(flush=True)\ninput()")
    running = (SCRIPTS / "tmprunning.hr1.py").absolute()
    with subprocess.Popen([sys.executable, str(running)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()  # while a process starts, its command line is empty
        remove_leftovers()
        process.communicate(b"\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".snakemake", "other", "snakemakenew"]
    assert [path.name for path in SCRIPTS.iterdir()] == ["tmprunning.hr1.py"]
