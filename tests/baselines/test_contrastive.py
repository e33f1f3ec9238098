"""The contrastive losses against sums written out by hand."""

import math

import pytest
import torch

from pulse_core.baselines.prefix_model import negatives_together, nt_xent

FIRST = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
SECOND = torch.tensor([[1.0, 1.0], [-1.0, 1.0]])


def test_nt_xent_by_hand() -> None:
    """Four views a, b (first), c, d (second): products ab 0, ac 1, ad -1, bc 2, bd 2, cd 0."""
    terms = [
        -1 + math.log(math.exp(0) + math.exp(1) + math.exp(-1)),  # a, its partner c
        -2 + math.log(math.exp(0) + math.exp(2) + math.exp(2)),  # b, d
        -1 + math.log(math.exp(1) + math.exp(2) + math.exp(0)),  # c, a
        -2 + math.log(math.exp(-1) + math.exp(2) + math.exp(0)),  # d, b
    ]
    assert nt_xent(FIRST, SECOND).item() == pytest.approx(sum(terms) / 4, rel=1e-6)


def test_temperature_divides_the_products() -> None:
    half = nt_xent(FIRST / math.sqrt(2), SECOND / math.sqrt(2), temperature=0.5)
    assert half.item() == pytest.approx(nt_xent(FIRST, SECOND).item(), rel=1e-6)


def test_samples_of_one_group_are_not_negatives_of_each_other() -> None:
    """In one group, a view has no negatives and the loss is zero; in two groups, nothing changes."""
    assert nt_xent(FIRST, SECOND, groups=torch.tensor([7, 7])).item() == 0.0
    assert torch.equal(nt_xent(FIRST, SECOND, groups=torch.tensor([7, 8])), nt_xent(FIRST, SECOND))


def test_negatives_together_by_hand() -> None:
    """Negative views e, f at right angles, one positive view p along e: cosines ef 0, ep 1, fp 0; t 0.5."""
    negative, positive = torch.tensor([[3.0, 0.0], [0.0, 0.1]]), torch.tensor([[5.0, 0.0]])
    first = -0 + math.log(math.exp(0) + math.exp(2))
    second = -0 + math.log(math.exp(0) + math.exp(0))
    loss = negatives_together(positive, negative, temperature=0.5)
    assert loss.item() == pytest.approx((first + second) / 2, rel=1e-6)


def test_negatives_together_attracts_negatives_and_repels_the_positive() -> None:
    generator = torch.Generator().manual_seed(3)
    positive = torch.randn(6, 4, generator=generator)
    negative = torch.randn(6, 4, generator=generator).requires_grad_()
    optimiser = torch.optim.SGD([negative], lr=0.3)
    for _ in range(200):
        optimiser.zero_grad()
        negatives_together(positive, negative).backward()
        optimiser.step()
    unit = torch.nn.functional.normalize(negative.detach(), dim=1)
    positive_unit = torch.nn.functional.normalize(positive, dim=1)
    assert (unit @ unit.T).min() > (unit @ positive_unit.T).max()


def test_a_single_negative_has_zero_loss() -> None:
    negative = torch.ones(1, 2, requires_grad=True)
    loss = negatives_together(FIRST, negative)
    loss.backward()
    assert loss.item() == 0.0
    assert negative.grad is not None
