"""Drawing tokens: known answers."""

import pytest
import torch

from pulse_core.generation.requests import Sampling
from pulse_core.generation.sampling import draw, repeating, uniforms

LOGITS = torch.log(torch.tensor([[0.5, 0.3, 0.15, 0.05]]))


@pytest.mark.parametrize(("uniform", "token"), [(0.0, 0), (0.49, 0), (0.51, 1), (0.81, 2), (0.96, 3), (0.9999, 3)])
def test_inverse_transform(uniform: float, token: int) -> None:
    sampling = Sampling(1, temperature=1.0, top_p=1.0, top_k=4)
    assert draw(LOGITS, torch.tensor([uniform]), sampling).tolist() == [token]


def test_nucleus_and_top_k_cut_the_tail() -> None:
    late = torch.tensor([0.9999])
    assert draw(LOGITS, late, Sampling(1, 1.0, 0.6, 4)).tolist() == [1]
    assert draw(LOGITS, late, Sampling(1, 1.0, 1.0, 3)).tolist() == [2]
    assert draw(LOGITS, late, Sampling(1, 1.0, 0.01, 4)).tolist() == [0]


def test_temperature_zero_is_greedy_and_low_temperature_nearly_so() -> None:
    assert draw(LOGITS, torch.tensor([0.99]), Sampling(1, 0.0, 1.0, 4)).tolist() == [0]
    assert draw(LOGITS, torch.tensor([0.99]), Sampling(1, 0.05, 1.0, 4)).tolist() == [0]


def test_uniforms_depend_on_seed_and_sample() -> None:
    assert torch.equal(uniforms(1, 0, 5), uniforms(1, 0, 9)[:5])
    assert not torch.equal(uniforms(1, 0, 5), uniforms(1, 1, 5))
    assert not torch.equal(uniforms(1, 0, 5), uniforms(2, 0, 5))


def test_repeating_lists_tokens_that_would_repeat_a_run() -> None:
    assert repeating([1, 2, 3, 1, 2], 3) == [3]
    assert repeating([1, 2, 3, 1, 2, 4, 1, 2], 3) == [3, 4]
    assert repeating([7, 7], 2) == [7]
    assert repeating([1, 2], 3) == []
    assert repeating([1, 2, 3, 1, 2], 0) == []
