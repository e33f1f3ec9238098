"""Several processes train like one: same gradients, losses, metrics and predictions."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from pulse_core import processes
from tests import process_probe
from tests.process_probe import RANKERS, SPACES

ROOT = Path(__file__).resolve().parents[1]
# Tolerance of a tensor's gradient, relative to the norm of all gradients: padding and summation order differ, and small
# gradients are sums of large terms that cancel, so rounding errors scale with the whole, not with the element.
GRADIENTS = 1e-5
METRICS = 1e-4  # largest difference of any loss, metric, score or embedding after the training
Measured = tuple[dict[str, dict[str, Any]], dict[str, torch.Tensor]]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("models")
    process_probe.save_models(directory)
    return directory


@pytest.fixture(scope="module")
def alone(models: Path) -> Measured:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    measured = process_probe.measured(models)
    torch.set_num_threads(threads)
    return measured


@pytest.fixture(scope="module", params=[2, 3])
def together(request: pytest.FixtureRequest, models: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Measured]:
    """Reports and tensors of each of several processes."""
    folder = tmp_path_factory.mktemp("together")
    command = [sys.executable, "-m", "tests.process_probe", str(models)]
    started = [
        subprocess.Popen([*command, str(rank), str(request.param), str(folder)], cwd=ROOT)
        for rank in range(request.param)
    ]
    try:
        assert [process.wait(timeout=120) for process in started] == [0] * request.param
    finally:
        for process in started:
            process.kill()
    return [
        (json.loads((folder / f"{rank}.json").read_text()), load_file(folder / f"{rank}.safetensors"))
        for rank in range(request.param)
    ]


def numbers(value: Any, path: str = "") -> dict[str, Any]:
    """All leaves of a report by path, except timings."""
    if isinstance(value, dict):
        return {
            k: v for key, inner in value.items() if key != "timing" for k, v in numbers(inner, f"{path}/{key}").items()
        }
    if isinstance(value, list):
        return {k: v for key, inner in enumerate(value) for k, v in numbers(inner, f"{path}/{key}").items()}
    return {path: value}


@pytest.mark.parametrize("training", [*SPACES, *RANKERS])
def test_the_first_gradients_are_those_of_one_process(alone: Measured, together: list[Measured], training: str) -> None:
    names = {name for name in alone[1] if name.startswith(f"{training}/gradient")}
    assert len(names) > 2 and max(float(alone[1][name].abs().max()) for name in names) > 1e-3
    whole = float(torch.stack([alone[1][name].norm() for name in names]).norm())
    for reports, tensors in together:
        idle = "parameters without a gradient"
        assert reports[training][idle] == alone[0][training][idle]
        for name in names:
            assert float((tensors[name] - alone[1][name]).norm()) <= GRADIENTS * whole, name


@pytest.mark.parametrize("training", [*SPACES, *RANKERS])
def test_losses_and_metrics_of_a_whole_training_are_those_of_one_process(
    alone: Measured, together: list[Measured], training: str
) -> None:
    wanted = numbers(json.loads(json.dumps(alone[0][training])))
    assert any("loss" in name for name in wanted)
    for reports, _ in together:
        assert numbers(reports[training]) == {
            name: pytest.approx(value, abs=METRICS) if isinstance(value, float) else value
            for name, value in wanted.items()
        }


@pytest.mark.parametrize("training", [*SPACES, *RANKERS])
def test_predictions_are_in_order_and_equal_in_all_processes(
    alone: Measured, together: list[Measured], training: str
) -> None:
    name = f"{training}/output"
    # Rows differ by far more than the tolerance, so a wrong order would show.
    assert float((alone[1][name][0] - alone[1][name][1]).abs().max()) > 100 * METRICS
    for _, tensors in together:
        torch.testing.assert_close(tensors[name], alone[1][name], atol=METRICS, rtol=0)
        assert torch.equal(tensors[name], together[0][1][name])


@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize("size", [0, 1, 2, 7, 32])
def test_every_row_of_a_batch_belongs_to_one_process(monkeypatch: pytest.MonkeyPatch, count: int, size: int) -> None:
    monkeypatch.setattr(processes, "count", lambda: count)
    slices, pieces = [], []
    for rank in range(count):
        monkeypatch.setattr(processes, "rank", lambda rank=rank: rank)
        slices.append(list(range(size))[processes.row_slice(size)])
        pieces.append(processes.share(range(size)))
    assert [row for rows in slices for row in rows] == list(range(size))
    assert sorted(row for rows in pieces for row in rows) == list(range(size))
    for shares in (slices, pieces):
        assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_processes_draw_different_dropout_and_rank_0_uses_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    state = torch.get_rng_state()
    draws = []
    for rank in (0, 1, 2):
        monkeypatch.setattr(processes, "rank", lambda rank=rank: rank)
        with processes.seeded_dropout(5, torch.device("cpu")):
            draws.append(torch.rand(4).tolist())
    assert torch.equal(state, torch.get_rng_state())
    assert draws[0] == torch.rand(4, generator=torch.Generator().manual_seed(5)).tolist()
    assert draws[1] != draws[0] and draws[2] not in draws[:2]
