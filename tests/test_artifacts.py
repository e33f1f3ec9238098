"""Artifacts appear whole or not at all, and the next writer removes what a killed one left."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pulse_core.artifacts import whole_directory, whole_file

KILLED = """
import os, signal, sys
from pulse_core import artifacts
with getattr(artifacts, sys.argv[1])(sys.argv[2]) as partial:
    (partial if partial.is_file() else partial / "part").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def killed_writer(kind: str, target: Path) -> None:
    """Write half of `target` in a process that then kills itself."""
    done = subprocess.run([sys.executable, "-c", KILLED, kind, str(target)], cwd=Path(__file__).parents[1])
    assert done.returncode == -signal.SIGKILL


def names(directory: Path) -> list[str]:
    return sorted(file.name for file in directory.iterdir())


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    target.write_text("old")
    with pytest.raises(ValueError, match="stop"), whole_file(target) as partial:
        partial.write_text("half")
        raise ValueError("stop")
    assert names(tmp_path) == ["a.json"] and target.read_text() == "old"


@pytest.mark.parametrize("kind", ["whole_file", "whole_directory"])
def test_the_next_writer_removes_what_a_killed_one_left(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "a.json"
    killed_writer(kind, target)
    (left,) = names(tmp_path)
    assert left.startswith(".a.json.") and left.endswith(".part")
    with whole_file(target) as partial:
        partial.write_text("whole")
    assert names(tmp_path) == ["a.json"]


def test_partial_files_of_other_artifacts_stay(tmp_path: Path) -> None:
    with whole_file(tmp_path / "a.json.x") as longer, whole_directory(tmp_path / "a") as shorter:
        with whole_file(tmp_path / "a.json") as partial:
            partial.write_text("whole")
        assert longer.exists() and shorter.exists()
    assert names(tmp_path) == ["a", "a.json", "a.json.x"]
