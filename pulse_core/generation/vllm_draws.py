"""Token sampling inside vLLM from each request's seed, as in the transformers engine.

vLLM's seeded sampling crashes on its CPU build, and unseeded sampling depends on the batch. So a logits processor draws
with the same uniform numbers as the transformers engine and raises the drawn token's logit to infinity, for vLLM's
greedy choice. vLLM records log-probabilities before processors run, so they are the model's.
"""

from dataclasses import asdict, dataclass
from typing import Any

import torch
from vllm import SamplingParams
from vllm.config import VllmConfig
from vllm.v1.sample.logits_processor import BatchUpdate, LogitsProcessor
from vllm.v1.sample.logits_processor.builtin import process_dict_updates

from pulse_core.generation.requests import Sampling
from pulse_core.generation.sampling import draw, repeating, uniforms

KEY = "pulse"


def draw_arguments(sampling: Sampling, seed: int, sample: int) -> dict[str, Any]:
    """`SamplingParams.extra_args` of one sample of a request with that seed."""
    return {KEY: {"sampling": asdict(sampling), "seed": seed, "sample": sample}}


@dataclass(frozen=True)
class _Row:
    """A running sequence; vLLM appends its tokens to `written`."""

    sampling: Sampling
    uniforms: torch.Tensor
    written: list[int]


@dataclass(frozen=True)
class _Group:
    """The rows of a batch with the same sampling settings."""

    sampling: Sampling
    rows: list[_Row]
    places: torch.Tensor  # (rows,) row numbers in the batch
    uniforms: torch.Tensor  # (rows, max_new_tokens)


class OwnDraws(LogitsProcessor):
    """Draws the tokens of sequences that carry `draw_arguments`; others are left alone."""

    def __init__(self, vllm_config: VllmConfig, device: torch.device, is_pin_memory: bool) -> None:
        self._rows: dict[int, _Row] = {}
        self._groups: list[_Group] = []
        self._device = device

    def is_argmax_invariant(self) -> bool:
        """No: it decides the token."""
        return False

    def update_state(self, batch_update: BatchUpdate | None) -> None:
        """Track which sequence is in which row of the batch."""
        if process_dict_updates(self._rows, batch_update, self._new):
            self._groups = [self._group(sampling) for sampling in {row.sampling for row in self._rows.values()}]

    @staticmethod
    def _new(params: SamplingParams, _prompt: list[int] | None, written: list[int]) -> _Row | None:
        arguments = (params.extra_args or {}).get(KEY)
        if arguments is None:
            return None
        sampling = Sampling(**arguments["sampling"])
        return _Row(sampling, uniforms(arguments["seed"], arguments["sample"], sampling.max_new_tokens), written)

    def _group(self, sampling: Sampling) -> _Group:
        places = sorted(place for place, row in self._rows.items() if row.sampling == sampling)
        rows = [self._rows[place] for place in places]
        chances = torch.stack([row.uniforms for row in rows]).to(self._device)
        return _Group(sampling, rows, torch.tensor(places, device=self._device), chances)

    def apply(self, logits: torch.Tensor) -> torch.Tensor:
        """Set the drawn token's logit to infinity in each tracked row of (batch, vocabulary), in place."""
        for group in self._groups:
            whole = len(group.rows) == len(logits)
            rows = logits if whole else logits[group.places]  # avoids the copy, which is the largest cost here
            banned = [
                (number, token)
                for number, row in enumerate(group.rows)
                for token in repeating(row.written, group.sampling.no_repeat)
            ]
            if banned:
                numbers, tokens = torch.tensor(banned, device=rows.device).unbind(1)
                rows[numbers, tokens] = float("-inf")
            step = torch.tensor([len(row.written) for row in group.rows], device=rows.device)
            chance = group.uniforms.gather(1, step[:, None]).squeeze(1)
            logits[group.places, draw(rows, chance, group.sampling)] = float("inf")
        return logits
