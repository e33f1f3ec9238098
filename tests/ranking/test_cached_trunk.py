"""Training on cached trunk states equals recomputing them, and only one batch of them is in memory."""

import gc
from contextlib import closing
from io import BufferedRandom, FileIO
from pathlib import Path
from typing import Any

import pytest
import torch

from pulse_core.errors import InputError
from pulse_core.ranking import cached_trunk
from pulse_core.ranking.cached_trunk import CachedTrunk
from pulse_core.ranking.layout import collate, length_batches
from pulse_core.ranking.model import Ranker
from pulse_core.ranking.training import train
from pulse_core.training_loop import trained_state
from tests.process_probe import question_set, ranker_settings
from tests.resume_probe import save_models

STEADY: dict[str, Any] = {"lora_dropout": 0.0, "batch_users": 3, "epochs": 3, "learning_rate": 1e-2}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("models")
    save_models(directory)
    return directory / "slm"


@pytest.mark.parametrize("head", ["likelihood", "scalar"])
def test_training_on_cached_states_equals_recomputing_every_layer(model: Path, head: str) -> None:
    def trained(*, recompute: bool) -> tuple[dict[str, Any], dict[str, torch.Tensor], dict[str, torch.Tensor]]:
        ranker = Ranker(model, ranker_settings(**STEADY, head=head), 3)
        if recompute:
            ranker.frozen_layers = 0  # the trunk is then only the embedding, and nothing is cached
        before = trained_state(ranker)
        return train(ranker, question_set(11), question_set(5), 3), before, trained_state(ranker)

    (cached, before, weights), (recomputed, _, expected) = trained(recompute=False), trained(recompute=True)
    assert cached["steps"] == recomputed["steps"] == 6 and cached["best_epoch"] == recomputed["best_epoch"] > 0
    for losses in ("training_loss", "validation_loss"):
        assert cached[losses] == pytest.approx(recomputed[losses], abs=1e-5)
    # The scalar head's bias adds the same to every candidate: its gradient is only rounding error.
    names = [name for name in expected if name != "linear.bias"]
    for name in names:
        torch.testing.assert_close(weights[name], expected[name], atol=1e-4, rtol=0, msg=name)
        assert float((weights[name] - before[name]).abs().max()) > 1e-2, f"{name} did not change"


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_cached_states_equal_the_trunks_output(model: Path, tmp_path: Path, dtype: str) -> None:
    """Rows do not depend on the rest of their batch; with one user per batch they are bit-identical."""
    ranker = Ranker(model, ranker_settings(batch_users=1, dtype=dtype), 1).eval()
    questions = question_set(7).questions
    with closing(CachedTrunk(ranker, questions, "test", tmp_path)) as cache:
        assert list(tmp_path.iterdir()) == [], "a killed process would leave the file behind"
        for rows in ([5, 0, 3], [6], [1, 1]):
            batch, states = cache.batch(rows)
            assert torch.equal(batch.tokens, collate([cache.packed[row] for row in rows]).tokens)
            for row, state in zip(rows, states, strict=True):
                alone = ranker.trunk(collate([cache.packed[row]]))[0]
                assert torch.equal(state[: len(alone)], alone) and not state[len(alone) :].any()
    assert list(tmp_path.iterdir()) == []


def test_memory_holds_no_more_than_a_batch(model: Path) -> None:
    def tensor_bytes() -> int:
        gc.collect()
        return sum(item.nbytes for item in gc.get_objects() if issubclass(type(item), torch.Tensor))

    ranker = Ranker(model, ranker_settings(batch_users=2), 1)
    questions = question_set(100).questions
    before = tensor_bytes()
    with closing(CachedTrunk(ranker, questions, "test", None)) as cache:
        batches = [cache.batch(rows) for rows in length_batches(cache.packed, 2)][-1:]
        assert 0 < tensor_bytes() - before < cache._starts[-1] / 10
    assert len(batches) == 1


def test_a_full_disk_error_says_what_to_do(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cached_trunk, "_shared_file", lambda _: BufferedRandom(FileIO("/dev/full", "r+")))
    with pytest.raises(InputError, match=r"40 users, 0\.0 GB, in .*No space left.*ranker\.adapted_layers: null"):
        CachedTrunk(Ranker(model, ranker_settings(batch_users=50), 1), question_set(40).questions, "test", tmp_path)
