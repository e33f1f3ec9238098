"""The comparison with RecBole: same split and steps on both sides, and the promised keys. RecBole is not needed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.peers import data, run
from benchmarks.peers.figures import Side, figures, table
from pulse_core.errors import InputError


def shop(users: int = 40, items: int = 30) -> data.Peers:
    generator = np.random.default_rng(0)
    sequences = [generator.permutation(items)[: generator.integers(3, 12)] for _ in range(users)]
    sequences.append(np.arange(80) % items)  # longer than either model reads
    return data.cut("shop", sequences, items)


def left_two_out(path: Path) -> dict[int, tuple[list[int], int, int]]:
    """RecBole's time-ordered `LS: valid_and_test` split of an atomic file: training items, validation, test."""
    header, *rows = path.read_text().splitlines()
    assert [column.split(":")[0] for column in header.split("\t")] == ["user_id", "item_id", "timestamp"]
    events: dict[int, list[tuple[float, int]]] = {}
    for row in rows:
        user, item, time = row.split("\t")
        events.setdefault(int(user), []).append((float(time), int(item)))
    items = {user: [item for _, item in sorted(bought, key=lambda event: event[0])] for user, bought in events.items()}
    return {user: (sequence[:-2], sequence[-2], sequence[-1]) for user, sequence in items.items()}


def test_recbole_gets_the_same_split(tmp_path: Path) -> None:
    peers = shop()
    split = left_two_out(data.write_atomic(peers, tmp_path))
    assert sorted(split) == list(range(len(peers.sequences)))
    histories, targets = peers.validation()
    test_histories, test_targets = peers.test()
    for user, (training, validation, test) in split.items():
        assert training == peers.training()[user].tolist() == histories[user].tolist()
        assert (validation, test) == (targets[user], test_targets[user])
        assert test_histories[user].tolist() == [*training, validation]


def test_both_sides_have_the_same_training_targets_and_steps() -> None:
    """RecBole makes one sample per prefix, ours reads a user's last items; the cut makes the targets equal."""
    peers = shop()
    settings = run.settings_of(run.PLANS["luxury"]).model_copy(update={"batch_size": 10})
    samples = sum(len(training) - 1 for training in peers.training())
    assert max(len(training) for training in peers.training()) - 1 == settings.max_length
    assert samples == peers.training_targets()
    config = run.recbole_config(peers, settings, 1, Path("nowhere"))
    steps = -(-len(peers.sequences) // settings.batch_size)
    assert -(-samples // config["train_batch_size"]) == steps
    shared = {
        "hidden_size": 64,
        "n_layers": 2,
        "n_heads": 2,
        "epochs": settings.epochs,
        "learning_rate": settings.learning_rate,
    }
    assert shared.items() <= config.items()


@pytest.mark.parametrize("epochs", [1, 7, 30])
def test_both_sides_validate_the_last_epoch(epochs: int) -> None:
    plan = replace(run.PLANS["luxury"], epochs=epochs)
    config = run.recbole_config(shop(), run.settings_of(plan), 1, Path("nowhere"))
    assert config["epochs"] == epochs and epochs % config["eval_step"] == 0


def test_user_lines_become_sequences_of_item_codes(tmp_path: Path) -> None:
    (tmp_path / "sequences").mkdir()
    (tmp_path / "sequences" / "beauty.txt").write_text("1 70 20 50 20 90\n2 50 70 20\n\n3 90 70 50 20\n")
    peers = data.beauty(tmp_path)
    assert peers.item_count == 4
    assert [sequence.tolist() for sequence in peers.sequences] == [
        [2, 0, 1, 0, 3],
        [3, 2, 1, 0],
    ]  # the short and the empty line are dropped
    assert [history.tolist() for history in peers.test()[0]] == [[2, 0, 1, 0], [3, 2, 1]]


def test_missing_data_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"beauty\.txt.*PULSE_REAL_DATA"):
        data.beauty(tmp_path)
    monkeypatch.setenv(data.PLACE, str(tmp_path / "gone"))
    with pytest.raises(InputError, match="PULSE_REAL_DATA"):
        data.place()


def test_keys_means_and_bars() -> None:
    ranks = np.array([1, 2, 11, 40])  # HR@10 .5, NDCG@10 (1 + 1 / log2 3) / 4
    worse = np.array([11, 11, 11, 1])
    sides = {"ours": [Side(ranks, 1.0, 5), Side(worse, 3.0, 5)], "recbole": [Side(ranks, 5.0, 5)] * 2}
    means = figures("luxury", sides)
    assert means == pytest.approx(
        {
            "luxury_ours_hr10": 0.375,
            "luxury_ours_ndcg10": (1 + 1 / np.log2(3)) / 8 + 1 / 8,
            "luxury_ours_epoch_seconds": 2.0,
            "luxury_recbole_hr10": 0.5,
            "luxury_recbole_ndcg10": (1 + 1 / np.log2(3)) / 4,
            "luxury_recbole_epoch_seconds": 5.0,
        }
    )
    lines = table("luxury", means, {"hr10": 0.2, "ndcg10": 0.0}).splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["hr10", "ndcg10", "epoch_seconds"]
    assert [line.split()[-1] for line in lines[1:]] == ["met", "MISSED", "MISSED"]


@pytest.mark.parametrize("arguments", [[], ["--seeds", "1"]])
def test_only_a_complete_run_is_saved(arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "python").touch()
    monkeypatch.setattr(run, "PYTHON", tmp_path / "python")
    monkeypatch.setattr(run, "RESULTS", tmp_path / "peers.json")
    monkeypatch.setenv(data.PLACE, str(tmp_path))
    monkeypatch.setattr(run, "PLANS", {"luxury": replace(run.PLANS["luxury"], read=lambda _: shop())})
    side = Side(np.array([1, 2, 11, 40]), 1.0, 5)
    monkeypatch.setattr(run, "compare", lambda *_: {"ours": [side], "recbole": [side]})
    monkeypatch.setattr(run.torch, "set_num_threads", lambda _: None)
    run.main(arguments)
    assert (tmp_path / "peers.json").exists() == (not arguments)


def test_recbole_vectors_go_through_our_evaluator() -> None:
    """Ranks from states and item vectors with the history masked, by hand."""
    vectors = np.array([[3.0], [2.0], [1.0]])
    ranks = run.ranks_by_product(np.array([[1.0], [1.0]]), vectors, [np.array([0]), np.array([1])], np.array([1, 2]))
    assert ranks.tolist() == [1, 2]


def test_peers_are_refused_without_their_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "PYTHON", tmp_path / "python")
    with pytest.raises(InputError, match="make setup-peers"):
        run.main([])
    with pytest.raises(InputError, match="sports"):
        run.main(["sports"])
