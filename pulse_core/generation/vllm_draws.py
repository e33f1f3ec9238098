"""Our own drawing of tokens inside vLLM, so that a text follows from its request's seed on either engine.

vLLM's seeded sampling crashes on its CPU build, and unseeded sampling depends on what runs beside a request. Here each
sequence brings the uniform numbers that the transformers engine would use; a logits processor draws with them and
raises the drawn token above all others, for vLLM's greedy choice to take. vLLM takes the log-probabilities before any
processor: they stay the model's own.
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
    """`SamplingParams.extra_args` of sample `sample` of a request with that seed."""
    return {KEY: {"sampling": asdict(sampling), "seed": seed, "sample": sample}}


@dataclass(frozen=True)
class _Row:
    """One running sequence; `written` is vLLM's own list, which grows as it writes."""

    sampling: Sampling
    uniforms: torch.Tensor
    written: list[int]


@dataclass(frozen=True)
class _Group:
    """The rows of one batch that share their sampling, and what they need a step."""

    sampling: Sampling
    rows: list[_Row]
    places: torch.Tensor  # (rows,) of the batch
    uniforms: torch.Tensor  # (rows, max_new_tokens)


class OwnDraws(LogitsProcessor):
    """Makes each sequence of ours take the token that its own uniform number draws; others are left alone."""

    def __init__(self, vllm_config: VllmConfig, device: torch.device, is_pin_memory: bool) -> None:
        self._rows: dict[int, _Row] = {}
        self._groups: list[_Group] = []
        self._device = device

    def is_argmax_invariant(self) -> bool:
        """It decides the token."""
        return False

    def update_state(self, batch_update: BatchUpdate | None) -> None:
        """Follow which sequence has which row of the batch; most steps change nothing."""
        if process_dict_updates(self._rows, batch_update, self._new):
            self._groups = [self._group(sampling) for sampling in {row.sampling for row in self._rows.values()}]

    @staticmethod
    def _new(params: SamplingParams, _prompt: list[int] | None, written: list[int]) -> _Row | None:
        told = (params.extra_args or {}).get(KEY)
        if told is None:
            return None
        sampling = Sampling(**told["sampling"])
        return _Row(sampling, uniforms(told["seed"], told["sample"], sampling.max_new_tokens), written)

    def _group(self, sampling: Sampling) -> _Group:
        places = sorted(place for place, row in self._rows.items() if row.sampling == sampling)
        rows = [self._rows[place] for place in places]
        chances = torch.stack([row.uniforms for row in rows]).to(self._device)
        return _Group(sampling, rows, torch.tensor(places, device=self._device), chances)

    def apply(self, logits: torch.Tensor) -> torch.Tensor:
        """(batch, vocabulary) logits, in place, with plus infinity at the drawn token of each of our rows."""
        for group in self._groups:
            whole = len(group.rows) == len(logits)
            own = logits if whole else logits[group.places]  # a copy of the whole batch is what costs most here
            banned = [
                (number, token)
                for number, row in enumerate(group.rows)
                for token in repeating(row.written, group.sampling.no_repeat)
            ]
            if banned:
                numbers, tokens = torch.tensor(banned, device=own.device).unbind(1)
                own[numbers, tokens] = float("-inf")
            step = torch.tensor([len(row.written) for row in group.rows], device=own.device)
            chance = group.uniforms.gather(1, step[:, None]).squeeze(1)
            logits[group.places, draw(own, chance, group.sampling)] = float("inf")
        return logits
