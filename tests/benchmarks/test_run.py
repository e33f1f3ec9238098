"""The table of `make bench`: each bar is met or missed, and a missed bar is not a failure."""

import json
import subprocess
from pathlib import Path

import pytest

from benchmarks import run


@pytest.mark.parametrize(
    ("name", "figure", "reached"),
    [("noop_seconds", 4.0, True), ("noop_seconds", 4.1, False), ("generation_vs_engine", 0.9, True),
     ("generation_vs_engine", 0.89, False)],
)  # fmt: skip
def test_bars_limit_from_above_or_below(name: str, figure: float, reached: bool) -> None:
    assert run.met(name, figure) is reached
    assert run.table({name: figure}).endswith(" met" if reached else " MISSED")


def test_figures_are_kept_with_the_machine_and_a_missed_bar_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results.json"
    results.write_text(json.dumps({"corpus_vs_floor": 2.5, "noop_seconds": 1.0, "machine": run.machine()}))
    monkeypatch.setattr(run, "RESULTS", results)
    monkeypatch.setattr(run, "measure", lambda name: {"noop_seconds": 9.0, "other": 2.0})
    run.main(["orchestration"])
    saved = json.loads(results.read_text())
    assert saved.pop("machine") == run.machine()
    assert saved == {"corpus_vs_floor": 2.5, "noop_seconds": 9.0, "other": 2.0}
    printed = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line}
    assert printed["noop_seconds"].endswith("MISSED") and "met" not in printed["other"]


def test_figures_of_another_machine_are_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = tmp_path / "results.json"
    results.write_text(json.dumps({"corpus_vs_floor": 2.5, "machine": {"cores": 64}}))
    monkeypatch.setattr(run, "RESULTS", results)
    monkeypatch.setattr(run, "measure", lambda name: {"noop_seconds": 1.0})
    run.main(["orchestration"])
    assert json.loads(results.read_text()) == {"noop_seconds": 1.0, "machine": run.machine()}


def test_a_failed_benchmark_loses_only_its_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(name: str) -> dict[str, float]:
        if name == "corpus":
            raise subprocess.CalledProcessError(1, name)
        return {"noop_seconds": 1.0}

    monkeypatch.setattr(run, "RESULTS", tmp_path / "results.json")
    monkeypatch.setattr(run, "measure", measure)
    with pytest.raises(SystemExit, match="corpus"):
        run.main(["corpus", "orchestration"])
    assert json.loads((tmp_path / "results.json").read_text())["noop_seconds"] == 1.0
