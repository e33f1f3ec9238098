"""Our own drawing of tokens inside vLLM, so that a text follows from its request's seed on either engine.

vLLM's seeded sampling crashes on its CPU build, and unseeded sampling depends on what runs beside a request. Here each
sequence brings the uniform numbers that the transformers engine would use; a logits processor draws with them and
leaves vLLM one token to choose. vLLM takes the log-probabilities before any processor: they stay the model's own.
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


class OwnDraws(LogitsProcessor):
    """Leaves each sequence of ours the one token that its own uniform number draws; others are left alone."""

    def __init__(self, vllm_config: VllmConfig, device: torch.device, is_pin_memory: bool) -> None:
        self._rows: dict[int, _Row] = {}

    def is_argmax_invariant(self) -> bool:
        """It decides the token."""
        return False

    def update_state(self, batch_update: BatchUpdate | None) -> None:
        """Follow which sequence has which row of the batch."""
        process_dict_updates(self._rows, batch_update, self._new)

    @staticmethod
    def _new(params: SamplingParams, _prompt: list[int] | None, written: list[int]) -> _Row | None:
        told = (params.extra_args or {}).get(KEY)
        if told is None:
            return None
        sampling = Sampling(**told["sampling"])
        return _Row(sampling, uniforms(told["seed"], told["sample"], sampling.max_new_tokens), written)

    def apply(self, logits: torch.Tensor) -> torch.Tensor:
        """(batch, vocabulary) logits with minus infinity at every token but the drawn one of each of our rows."""
        for sampling in {row.sampling for row in self._rows.values()}:
            places = [place for place, row in sorted(self._rows.items()) if row.sampling == sampling]
            rows = [self._rows[place] for place in places]
            own = logits[places].float()
            for number, row in enumerate(rows):
                own[number, repeating(row.written, sampling.no_repeat)] = float("-inf")
            chance = torch.stack([row.uniforms[len(row.written)] for row in rows]).to(logits.device)
            drawn = draw(own, chance, sampling)
            logits[places] = float("-inf")
            logits[torch.tensor(places, device=logits.device), drawn] = 0.0
        return logits
