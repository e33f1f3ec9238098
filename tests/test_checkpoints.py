"""A training that is killed and resumed ends with the bytes of an uninterrupted one, wherever it was killed."""

import errno
import json
import logging
import multiprocessing
import signal
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
from safetensors import SafetensorError

from pulse_core import checkpoints, processes
from pulse_core.checkpoints import Checkpoint
from tests import resume_probe
from tests.resume_probe import Died, artifacts, dying_at, run
from tests.test_artifacts import killed_writer

TRAININGS = ("space", "ranker")  # can run in several processes
ONE_PROCESS = "sasrec"  # trains three models in turn: one on all users, two cross-fitted


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("models")
    resume_probe.save_models(directory)
    return directory


@pytest.fixture(scope="module")
def uninterrupted(models: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, bytes]]:
    """The artifacts of each training when no checkpoint is ever written."""
    return {name: run(name, models, tmp_path_factory.mktemp(name)) for name in (*TRAININGS, ONE_PROCESS)}


def die() -> None:
    raise Died


def killed(training: str, models: Path, folder: Path, life: int, **changes: Any) -> None:
    with dying_at(life, die), pytest.raises(Died):
        run(training, models, folder, **changes)


def together(training: str, models: Path, folder: Path, life: int) -> list[int | None]:
    """Exit codes of two processes, the first of which dies at checkpoint opportunity `life`."""
    folder.mkdir(exist_ok=True)
    context = multiprocessing.get_context("forkserver")  # imports once, and has no threads when it forks
    context.set_forkserver_preload(["tests.resume_probe"])
    started = [
        context.Process(target=resume_probe.process, args=(training, models, folder, rank, 2, life)) for rank in (0, 1)
    ]
    try:
        for process in started:
            process.start()
        for process in started:
            process.join(120)
        return [process.exitcode for process in started]
    finally:
        for process in started:
            process.kill()


def check_same(got: dict[str, bytes], wanted: dict[str, bytes]) -> None:
    assert got.keys() == wanted.keys()
    assert [name for name in wanted if got[name] != wanted[name]] == []


def test_the_trainings_end_after_their_best_epoch(uninterrupted: dict[str, dict[str, bytes]]) -> None:
    """They end after their best epoch; otherwise the tests below would not cover the kept weights."""
    space, ranker = (json.loads(uninterrupted[training]["training.json"]) for training in TRAININGS)
    assert 1 < space["kept_epoch"] < len(space["curve"])
    assert 1 < ranker["best_epoch"] < len(ranker["training_loss"])
    sasrec = json.loads(uninterrupted[ONE_PROCESS]["metrics.json"])
    assert 1 < sasrec["best_epoch"] < sasrec["epochs_run"]


@pytest.mark.parametrize("training", [*TRAININGS, ONE_PROCESS])
def test_killed_again_and_again_it_ends_with_the_same_bytes(
    uninterrupted: dict[str, dict[str, bytes]], models: Path, tmp_path: Path, training: str
) -> None:
    """Each run writes its state at the first checkpoint opportunity and dies at the second, so training resumes from
    every possible point and repeats the lost work."""
    attempts = 0
    while True:
        attempts += 1
        try:
            with dying_at(2, die):
                got = run(training, models, tmp_path)
            break
        except Died:
            assert attempts < 100
    assert attempts > 10
    check_same(got, uninterrupted[training])


@pytest.mark.parametrize("training", TRAININGS)
def test_two_processes_of_which_one_is_killed_end_with_the_same_bytes(
    models: Path, tmp_path: Path, training: str
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert together(training, models, whole, 0) == [0, 0]
    first, second = together(training, models, broken, 6)
    assert first == -signal.SIGKILL and second != 0
    assert artifacts(broken) == {}
    assert together(training, models, broken, 0) == [0, 0]
    resumed, complete = (int((folder / "opportunities").read_text()) for folder in (broken, whole))
    assert resumed == complete - 5, "it started over"
    check_same(artifacts(broken), artifacts(whole))
    assert artifacts(broken, 1)["training.json"] == artifacts(whole)["training.json"]


@pytest.mark.parametrize(
    ("training", "changes"),
    [
        ("space", {"temperature": 0.1}),
        ("ranker", {"learning_rate": 2e-2}),
        ("ranker", {"code": "edited"}),
        ("sasrec", {"learning_rate": 2e-2}),
    ],
)
def test_the_state_of_another_training_is_not_used(
    models: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, training: str, changes: dict[str, Any]
) -> None:
    caplog.set_level(logging.INFO)
    killed(training, models, tmp_path, 4)
    got = run(training, models, tmp_path, **changes)
    assert "training.safetensors is of other settings, data, model or code" in caplog.text
    assert "training resumes" not in caplog.text
    (tmp_path / "fresh").mkdir()
    check_same(got, run(training, models, tmp_path / "fresh", **changes))


def test_a_state_belongs_to_its_data_and_initial_weights(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model/model.safetensors").write_text("weights")

    def resumes(*data: str) -> bool:
        checkpoint = Checkpoint(tmp_path / "work", "code", tmp_path / "model")
        resumed = checkpoint.resume(data) is not None
        checkpoint.write({}, weights={"w": torch.ones(1)})
        return resumed

    assert [resumes("a"), resumes("a"), resumes("b"), resumes("b")] == [False, True, False, True]
    (tmp_path / "model/model.safetensors").write_text("other weights")
    assert [resumes("b"), resumes("b")] == [False, True]


def test_a_half_written_state_is_not_used_and_a_damaged_one_is_named(
    uninterrupted: dict[str, dict[str, bytes]], models: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    file = tmp_path / "work/training.safetensors"
    killed("ranker", models, tmp_path, 4)
    killed_writer("whole_file", file)
    (file.parent / "scratch/.tmp123456").write_text("half")
    with dying_at(0, die):
        check_same(run("ranker", models, tmp_path), uninterrupted["ranker"])
    assert "training resumes from" in caplog.text
    assert [path for path in file.parent.rglob("*") if path.is_file()] == [file], "leftovers were not removed"
    caplog.clear()
    file.write_bytes(file.read_bytes()[:-100])
    check_same(run("ranker", models, tmp_path), uninterrupted["ranker"])
    assert "training.safetensors cannot be read" in caplog.text and "training resumes" not in caplog.text


def test_all_processes_resume_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = Checkpoint(tmp_path)
    checkpoint.resume()
    checkpoint.write({}, weights={"w": torch.ones(1)})
    assert checkpoint.resume() is not None
    monkeypatch.setattr(processes, "count", lambda: 2)
    monkeypatch.setattr(processes, "total", lambda mine: mine)  # the other process has no state
    assert checkpoint.resume() is None


def test_it_is_written_at_most_once_a_minute_and_takes_at_most_a_fiftieth_of_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: now)
    checkpoint = Checkpoint(tmp_path)
    checkpoint.resume()

    def write(seconds: float) -> None:
        def save(_: Any, file: Path, __: Any) -> None:
            nonlocal now
            now += seconds
            file.write_text("")

        monkeypatch.setattr(checkpoints, "save_file", save)
        checkpoint.write({})

    def pause() -> float:
        nonlocal now
        before = now
        while not checkpoint.due():
            now += 1.0
        return now - before

    assert pause() == 60
    write(0.1)
    assert pause() == 60
    write(30.0)
    assert pause() == 1500
    assert not Checkpoint().due()
    monkeypatch.setattr(processes, "rank", lambda: 1)
    assert not checkpoint.due()


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), SafetensorError("I/O error: No space left")])
def test_a_full_disk_costs_no_training(
    uninterrupted: dict[str, dict[str, bytes]],
    models: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    monkeypatch.setattr(checkpoints, "save_file", mock.Mock(side_effect=error))
    with dying_at(0, die):
        check_same(run("ranker", models, tmp_path), uninterrupted["ranker"])
    assert "No space left" in caplog.text
    assert [file for file in tmp_path.rglob("work/**/*") if file.is_file()] == []


def test_it_can_be_removed(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "work")
    checkpoint.remove()
    checkpoint.resume()
    checkpoint.write({}, weights={"w": torch.ones(1)})
    checkpoint.remove()
    assert not (tmp_path / "work").exists()
