import math

import numpy as np
import pytest
import torch

from pulse_core.thought_space.examples import TrainingExample
from pulse_core.thought_space.loss import NO_NEGATIVE, draw_negatives, info_nce, may_contrast


def allowed_among(users, rationales, domains=None, *, inter_domain=True):
    columns = zip(users, rationales, domains or [""] * len(users), strict=True)
    examples = [TrainingExample(user, "", "", rationale, domain) for user, rationale, domain in columns]
    return may_contrast(examples, inter_domain=inter_domain)


def plain_info_nce(history, positive, negatives, temperature):
    """Eq. (1) as printed: loops, no log-sum-exp."""
    losses = []
    for u in range(len(history)):
        similarity = [torch.cosine_similarity(rationale, history[u], dim=0) / temperature for rationale in positive]
        top = torch.exp(similarity[u])
        bottom = top + sum(torch.exp(similarity[int(v)]) for v in negatives[u] if v != NO_NEGATIVE)
        losses.append(-torch.log(top / bottom))
    return torch.stack(losses).mean()


def test_hand_worked_case():
    # Cosines of history 0 with rationales 0, 1, 2: 1, 0, -1; of history 1: 0, 1, 0; tau = 0.5.
    history = torch.tensor([[2.0, 0.0], [0.0, 3.0]])
    positive = torch.tensor([[5.0, 0.0], [0.0, 1.0]])
    loss = info_nce(history, positive, torch.tensor([[1], [0]]), 0.5)
    assert loss.item() == pytest.approx(-math.log(math.exp(2) / (math.exp(2) + 1)), abs=1e-6)


def test_hand_worked_case_with_opposite_and_missing_negatives():
    history = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    positive = torch.tensor([[0.0, 1.0], [0.0, 4.0], [-2.0, 0.0]])
    negatives = torch.tensor([[1, 2], [0, NO_NEGATIVE], [NO_NEGATIVE, NO_NEGATIVE]])
    first = -math.log(1 / (1 + 1 + math.exp(-1)))  # positive 0, negatives 0 and -1
    second = -math.log(math.e / (math.e + math.e))  # positive 1, negative 1
    assert info_nce(history, positive, negatives, 1.0).item() == pytest.approx((first + second + 0) / 3, abs=1e-6)


def test_fast_equals_plain_with_gradients():
    generator = torch.Generator().manual_seed(1)
    users = [f"u{index % 9}" for index in range(12)]
    allowed = allowed_among(users, [f"r{index}" for index in range(12)])
    negatives = torch.from_numpy(draw_negatives(allowed, 5, np.random.default_rng(0)))
    gradients = []
    values = []
    for function in (info_nce, plain_info_nce):
        generator.manual_seed(1)
        history = torch.randn(12, 6, generator=generator).requires_grad_()
        positive = torch.randn(12, 6, generator=generator).requires_grad_()
        value = function(history, positive, negatives, 0.1)
        value.backward()
        values.append(value.item())
        gradients.append((history.grad, positive.grad))
    assert values[0] == pytest.approx(values[1], abs=1e-5)
    for fast, plain in zip(*gradients, strict=True):
        torch.testing.assert_close(fast, plain, atol=1e-5, rtol=1e-4)


def test_the_gradient_pulls_the_positive_and_pushes_the_negative():
    history = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    positive = torch.tensor([[0.6, 0.8], [0.6, -0.8]], requires_grad=True)
    info_nce(history[:1].repeat(2, 1), positive, torch.tensor([[1], [NO_NEGATIVE]]), 0.5).backward()
    step = positive.detach() - 0.1 * positive.grad
    before = torch.cosine_similarity(positive.detach(), history)
    after = torch.cosine_similarity(step, history)
    assert after[0] > before[0]
    assert after[1] < before[1]


def test_negatives_are_never_the_users_own():
    users = [f"u{index % 7}" for index in range(32)]
    allowed = allowed_among(users, [f"r{index}" for index in range(32)])
    for seed in range(20):
        drawn = draw_negatives(allowed, 10, np.random.default_rng(seed))
        assert drawn.shape == (32, 10)
        for user, row in zip(users, drawn, strict=True):
            assert len(set(row)) == 10
            assert user not in {users[index] for index in row}


def test_equal_rationales_and_other_domains_are_excluded():
    users, rationales, domains = ["a", "b", "c", "d"], ["x", "x", "y", "z"], ["p", "p", "p", "q"]
    allowed = allowed_among(users, rationales, domains, inter_domain=True)
    assert not allowed[0, 1] and allowed[0, 2] and allowed[0, 3]
    inside = allowed_among(users, rationales, domains, inter_domain=False)
    assert inside[0, 2] and not inside[0, 3] and not inside[3].any()


def test_a_small_batch_uses_all_the_others():
    drawn = draw_negatives(allowed_among(["a", "b", "c"], ["x", "y", "z"]), 10, np.random.default_rng(0))
    assert drawn.shape == (3, 10)
    assert set(drawn[0]) == {1, 2, NO_NEGATIVE}
    assert (drawn[:, 2:] == NO_NEGATIVE).all()
    assert torch.isfinite(info_nce(torch.eye(3), torch.eye(3), torch.from_numpy(drawn), 0.1))


def test_negatives_are_drawn_uniformly_and_from_the_seed():
    allowed = allowed_among([str(index) for index in range(12)], [str(index) for index in range(12)])
    counts = np.zeros(12)
    generator = np.random.default_rng(5)
    for _ in range(600):
        np.add.at(counts, draw_negatives(allowed, 3, generator)[0], 1)
    assert counts[0] == 0
    assert counts[1:].min() > 110 and counts[1:].max() < 220  # expected: 600 * 3 / 11 = 164
    again = [draw_negatives(allowed, 3, np.random.default_rng(9)) for _ in range(2)]
    np.testing.assert_array_equal(*again)
