"""A checkout in a temporary directory, where tests run Snakemake and edit files."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("Snakefile", "config.yaml", "rules", "workflow_scripts", "pulse_core", "profiles", "config", "envs")
TARGET = "results/luxury/hr1.json"


def copy(source: Path, destination: Path) -> None:
    """Copy a tree with its modification times."""
    shutil.copytree(source, destination, copy_function=shutil.copy2, symlinks=True, dirs_exist_ok=True)


@dataclass(frozen=True)
class Workspace:
    """One checkout with its results."""

    root: Path

    @classmethod
    def create(cls, root: Path, config: dict[str, Any], code: Path = ROOT) -> "Workspace":
        """Copy the code from `code` and write `config` as its overlay tiny.yaml; nothing has run."""
        for part in PARTS:
            source = code / part
            if source.is_dir():
                copy(source, root / part)
            else:
                root.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, root / part)
        for cache in root.rglob("__pycache__"):
            shutil.rmtree(cache)
        (root / "tiny.yaml").write_text(yaml.safe_dump(config))
        return cls(root)

    def clone(self, root: Path) -> "Workspace":
        """Copy everything, including results, Snakemake's records and modification times."""
        copy(self.root, root)
        return Workspace(root)

    def command(self, *arguments: str, target: str = TARGET) -> list[str]:
        """The README's command on the tiny corpus."""
        run = [sys.executable, "-m", "workflow_scripts.cli.command", "--cores", "8", "--resources", "gpu=2", target]
        return [*run, "--configfile", "tiny.yaml", *arguments]

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a call: offline, with this checkout's code, and with threads that sleep while they wait.

        By default OpenMP's threads spin, which takes ten times the CPU time where tests share the cores.
        """
        return {
            **os.environ,
            "HF_HUB_OFFLINE": "1",
            "OMP_WAIT_POLICY": "PASSIVE",
            "PYTHONPATH": str(self.root),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def start(self, *arguments: str, target: str = TARGET) -> subprocess.Popen[str]:
        """Start the driver in the background, with its output in driver.txt."""
        with (self.root / "driver.txt").open("w") as output:
            return subprocess.Popen(
                self.command(*arguments, target=target),
                cwd=self.root,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )

    def run(self, *arguments: str, target: str = TARGET, fails: bool = False) -> str:
        """Run to the end and return the terminal output."""
        done = subprocess.run(
            self.command(*arguments, target=target),
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=1800,  # for a call that hangs, not one that is slow
        )
        assert (done.returncode != 0) == fails, done.stdout[-6000:]
        return done.stdout

    def stale(self, *arguments: str, target: str = TARGET) -> set[str]:
        """The rules that a call would run."""
        text = self.run("-n", *arguments, target=target)
        if "Nothing to be done" in text:
            return set()
        table = re.search(r"^job +count\n-+ +-+\n(.*?)^total", text, re.MULTILINE | re.DOTALL)
        assert table, text[-3000:]
        return {line.split()[0] for line in table[1].splitlines() if line.strip()}

    def configure(self, values: dict[str, Any]) -> None:
        """Merge `values` into tiny.yaml, one level deep."""
        file = self.root / "tiny.yaml"
        config = yaml.safe_load(file.read_text())
        for key, value in values.items():
            config[key] = {**config.get(key, {}), **value} if isinstance(value, dict) else value
        file.write_text(yaml.safe_dump(config))

    def edit(self, file: str, appended: str = "\nEDITED = True\n") -> None:
        """Append to a file of the checkout."""
        with (self.root / file).open("a") as opened:
            opened.write(appended)


def files_of(workspace: Workspace, patterns: Sequence[str]) -> list[Path]:
    """Matching paths in the workspace, sorted."""
    return sorted(path for pattern in patterns for path in workspace.root.glob(pattern))
