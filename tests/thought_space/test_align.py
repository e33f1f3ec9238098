import math
import random

import numpy as np
import pytest
import torch

from pulse_core.artifacts import read_json
from pulse_core.errors import InputError
from pulse_core.thought_space.examples import TrainingExample, batches, held_out_users, without_target
from pulse_core.thought_space.settings import ThoughtSpaceSettings
from pulse_core.thought_space.training import load_thought_space, train_thought_space
from pulse_core.training_loop import warmup_cosine

SETTINGS = ThoughtSpaceSettings(
    batch_size=12,
    learning_rate=3e-3,
    epochs=12,
    dtype="float32",
    max_tokens=16,
    validation_share=0.25,
    retrieval_pool=8,
)


@pytest.fixture(scope="module")
def trained(tiny_bert, planted):
    return train_thought_space(planted(160), SETTINGS, 7, tiny_bert)


def test_a_planted_correspondence_is_learnt_for_unseen_users(trained):
    before, after = trained.report["before"], trained.report["after"]
    for kind in ("history_only", "with_target"):
        assert after[kind]["chance"] == pytest.approx(1 / 8, abs=0.01)
        assert before[kind]["accuracy"] < 0.35
        assert after[kind]["accuracy"] > 0.6
        assert after[kind]["mrr"] > before[kind]["mrr"] + 0.2
        # Random weights embed all texts close together; training must spread them out.
        assert after[kind]["uniformity_history"] < before[kind]["uniformity_history"]
        assert after[kind]["uniformity_rationale"] < before[kind]["uniformity_rationale"]
    assert trained.report["curve"][-1]["loss"] < trained.report["curve"][0]["loss"]


def test_the_two_encoders_diverge(trained):
    one, two = (
        dict(encoder.model.named_parameters()) for encoder in (trained.rationale_encoder, trained.history_encoder)
    )
    name = "encoder.layer.0.attention.self.query.weight"
    assert not torch.equal(one[name], two[name])


def test_same_seed_same_space_whatever_the_order(tiny_bert, trained, planted):
    examples = planted(160)
    random.Random(3).shuffle(examples)
    state = torch.get_rng_state()
    again = train_thought_space(examples, SETTINGS, 7, tiny_bert)
    assert torch.equal(state, torch.get_rng_state()), "training moved the global generator"
    timeless = [{k: v for k, v in space.report.items() if k != "timing"} for space in (trained, again)]
    assert timeless[0] == timeless[1]
    np.testing.assert_array_equal(
        trained.history_encoder.encode(["bought soap"]), again.history_encoder.encode(["bought soap"])
    )


def test_saved_and_loaded(trained, tmp_path):
    trained.save(tmp_path / "space")
    rationale_encoder, history_encoder = load_thought_space(tmp_path / "space", "float32")
    texts = ["bought the soap", "needs whysoap"]
    np.testing.assert_array_equal(rationale_encoder.encode(texts), trained.rationale_encoder.encode(texts))
    np.testing.assert_array_equal(history_encoder.encode(texts), trained.history_encoder.encode(texts))
    assert read_json(tmp_path / "space/training.json")["after"]["history_only"]["accuracy"] > 0


def test_domains_are_reported_separately(tiny_bert, planted):
    settings = SETTINGS.model_copy(update={"epochs": 1})
    pooled = planted(40, "luxury") + planted(24, "games")
    report = train_thought_space(pooled, settings, 1, tiny_bert).report
    assert set(report["after"]["history_only"]["domains"]) == {"games", "luxury"}
    assert report["examples"]["validation"] == {"games": 6, "luxury": 10}
    assert report["steps"] == 48 // 12


def test_max_steps_and_patience_end_training(tiny_bert, planted):
    limited = SETTINGS.model_copy(update={"max_steps": 3})
    assert train_thought_space(planted(40), limited, 1, tiny_bert).report["steps"] == 3
    # With a vanishing learning rate nothing improves after the first epoch.
    patient = SETTINGS.model_copy(update={"learning_rate": 1e-12, "patience": 2})
    report = train_thought_space(planted(40), patient, 1, tiny_bert).report
    assert (report["kept_epoch"], len(report["curve"])) == (1, 3)


def test_the_kept_epoch_is_the_one_reported(tiny_bert, planted):
    settings = SETTINGS.model_copy(update={"learning_rate": 3e-2, "epochs": 4})
    report = train_thought_space(planted(60), settings, 2, tiny_bert).report
    kept = report["curve"][report["kept_epoch"] - 1]["validation"]["history_only"]["mrr"]
    assert kept == max(epoch["validation"]["history_only"]["mrr"] for epoch in report["curve"])
    assert report["after"]["history_only"]["mrr"] == pytest.approx(kept)


def test_training_works_without_held_out_users(tiny_bert, planted):
    settings = SETTINGS.model_copy(update={"validation_share": 0.0, "epochs": 2})
    report = train_thought_space(planted(5), settings, 1, tiny_bert).report
    assert report["before"] == {} and report["kept_epoch"] == 2 and report["steps"] == 2


def test_one_user_is_refused(tiny_bert, planted):
    with pytest.raises(InputError, match="at least 2"):
        train_thought_space(planted(1), SETTINGS, 1, tiny_bert)


def test_held_out_users_are_whole_and_stable(planted):
    examples = planted(40) + planted(40, "games") + [TrainingExample("luxury1", "a", "b", "c", "games")]
    held_out = held_out_users(examples, 0.25, 3)
    assert held_out == held_out_users(examples[::-1], 0.25, 3)
    assert 18 <= len(held_out) <= 21
    assert held_out_users(examples, 0.0, 3) == set()
    assert len(held_out_users(planted(4), 0.01, 3)) == 2


def test_targets_are_dropped_in_the_configured_share():
    for share, count in ((0.0, 0), (0.5, 10), (1.0, 20)):
        assert without_target(20, share, np.random.default_rng(0)).sum() == count


def test_batches_are_full_and_disjoint():
    parts = batches(70, 32, np.random.default_rng(0))
    assert [len(part) for part in parts] == [32, 32]
    assert len(set(np.concatenate(parts))) == 64
    assert [len(part) for part in batches(5, 32, np.random.default_rng(0))] == [5]


def test_the_rate_rises_then_falls_along_a_cosine():
    factors = [warmup_cosine(step, 100, 0.1) for step in range(100)]
    assert factors[0] == pytest.approx(0.1) and factors[9] == pytest.approx(1.0) and max(factors) == 1.0
    assert factors[55] == pytest.approx(0.5 * (1 + math.cos(math.pi * 0.5)))
    assert factors[10:] == sorted(factors[10:], reverse=True) and factors[-1] < 0.001
    assert warmup_cosine(0, 1, 0.0) == 1.0
