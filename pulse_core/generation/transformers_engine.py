"""The default engine: transformers on the CPU or one GPU.

The tokens common to all prompts of a call (instructions and worked examples) are prefilled and stored once per call,
the rest of a prompt once for all its samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoModelForCausalLM

from pulse_core.artifacts import read_json
from pulse_core.generation import grouped_attention
from pulse_core.generation.chat_tokens import ChatTokens
from pulse_core.generation.grouped_attention import KeysValues
from pulse_core.generation.growing_cache import GrowingCache
from pulse_core.generation.requests import Completion, Request, Sampling, common_prefix, engine_identity
from pulse_core.generation.sampling import draw, repeating, uniforms
from pulse_core.models import device
from pulse_core.precision import arithmetic

PREFILL_PROMPTS = 16  # prompts per prefill; sorted by length, so padding is small
COMPACT_SHARE = 0.3  # finished sequences are removed from the batch at this share of it


@dataclass
class _Sequence:
    """A text in progress."""

    request: int
    uniforms: torch.Tensor  # (max_new_tokens,)
    tokens: list[int] = field(default_factory=list)
    logprob: float = 0.0
    finished: bool = False


class TransformersGenerator:
    """`TextGenerator` on transformers, with `batch_size` texts per batch. Loads the weights when first needed."""

    def __init__(self, directory: Path, dtype: str, batch_size: int) -> None:
        self.directory, self.dtype, self.batch_size = directory, arithmetic(dtype), batch_size
        self.chat = ChatTokens(directory)
        library, origin = f"transformers-{transformers.__version__}", read_json(directory / "origin.json")
        self.identity = engine_identity(__file__, library, origin, self.dtype, batch_size, device().type)

    @cached_property
    def model(self) -> Any:
        """The language model."""
        model = AutoModelForCausalLM.from_pretrained(
            self.directory, dtype=getattr(torch, self.dtype), attn_implementation=grouped_attention.register()
        )
        return model.eval().to(device())

    @cached_property
    def _stops(self) -> torch.Tensor:
        """(vocabulary,) whether a token ends a text."""
        stops = torch.zeros(self.model.config.vocab_size, dtype=torch.bool)
        stops[self.chat.stops()] = True
        return stops.to(self.model.device)

    def prepare(self, requests: Sequence[Request]) -> None:
        """See `TextGenerator`."""
        _ = self.model

    def generate(self, requests: Sequence[Request]) -> list[list[Completion]]:
        """See `TextGenerator`; the requests of a call must share their sampling settings."""
        if not requests:
            return []
        if len({request.sampling for request in requests}) != 1:
            raise ValueError("the requests of one call must share their sampling settings")
        prompts = self.chat.prompts(requests)
        answers: list[list[Completion]] = [[] for _ in requests]
        # A sliding window that hides part of the prefix from a text's end rules out sharing it.
        window = getattr(self.model.config, "sliding_window", None)
        hidden = window and max(map(len, prompts)) + requests[0].sampling.max_new_tokens > window
        # Each prompt keeps at least one token of its own.
        shared = 0 if hidden else min(common_prefix(prompts), min(map(len, prompts)) - 1)
        # By length, so padding is small.
        order = sorted(range(len(requests)), key=lambda i: (-len(prompts[i]), i))
        with torch.inference_mode():
            prefix = None
            if shared:
                cache, tokens = GrowingCache(self.model.config), torch.tensor([prompts[0][:shared]])
                self._forward(tokens, cache, torch.ones(1, shared), torch.arange(shared)[None], None)
                prefix = cache.layer_states()
            while order:
                batch = [order.pop(0)]
                while order and sum(requests[i].samples for i in (*batch, order[0])) <= self.batch_size:
                    batch.append(order.pop(0))
                for text in self._run_batch(requests, prompts, batch, shared, prefix):
                    written = text.tokens[:-1] if text.finished else text.tokens
                    completion = Completion(self.chat.text(written), text.logprob / len(text.tokens), len(text.tokens))
                    answers[text.request].append(completion)
        return answers

    def _forward(
        self,
        tokens: torch.Tensor,  # (batch, new)
        cache: GrowingCache,
        mask: torch.Tensor,  # (batch, tokens after the prefix including new ones), 0 at padding
        positions: torch.Tensor,  # (batch, new)
        prefix: list[KeysValues] | None,
    ) -> torch.Tensor:
        """Logits after each row's last token, (batch, vocabulary), float32."""
        place = self.model.device
        out = self.model(
            input_ids=tokens.to(place),
            attention_mask=mask.to(place),
            position_ids=positions.to(place),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
            shared_prefix=prefix,
        )
        return out.logits[:, -1].float()

    def _run_batch(
        self,
        requests: Sequence[Request],
        prompts: list[list[int]],
        batch: list[int],
        shared: int,
        prefix: list[KeysValues] | None,
    ) -> list[_Sequence]:
        """The texts of the requests `batch`; `prefix` has the keys and values of the first `shared` tokens."""
        sampling, place = requests[0].sampling, self.model.device
        own = [prompts[i][shared:] for i in batch]
        caches, logits = [], []
        for start in range(0, len(batch), PREFILL_PROMPTS):
            tokens, mask = _left_padded(own[start : start + PREFILL_PROMPTS])
            positions = (shared + mask.cumsum(1) - 1).clamp(min=0)
            caches.append(GrowingCache(self.model.config))
            logits.append(self._forward(tokens, caches[-1], mask, positions, prefix))
        cache = GrowingCache.joined(self.model.config, caches)
        # From one row per request to one per sample.
        sequences = [
            _Sequence(i, uniforms(requests[i].seed, sample, sampling.max_new_tokens))
            for i in batch
            for sample in range(requests[i].samples)
        ]
        rows = torch.tensor([row for row, i in enumerate(batch) for _ in range(requests[i].samples)])
        if len(rows) != len(batch):
            cache.take_rows(rows.to(place))
        mask = _left_padded(own)[1][rows]
        position = torch.tensor([len(prompts[i]) - 1 for i in batch])[rows]
        self._decode(sequences, sampling, cache, torch.cat(logits)[rows.to(place)], mask, position, prefix)
        return sequences

    def _decode(
        self,
        sequences: list[_Sequence],
        sampling: Sampling,
        cache: GrowingCache,
        logits: torch.Tensor,
        mask: torch.Tensor,
        position: torch.Tensor,
        prefix: list[KeysValues] | None,
    ) -> None:
        """Complete the sequences in place."""
        chances = torch.stack([sequence.uniforms for sequence in sequences]).to(logits.device)
        active = list(range(len(sequences)))
        for step in range(sampling.max_new_tokens):
            # Small models fall into loops: exclude the tokens that would repeat a run.
            allowed = logits.clone() if sampling.no_repeat else logits
            for row, index in enumerate(active):
                allowed[row, repeating(sequences[index].tokens, sampling.no_repeat)] = float("-inf")
            chosen = draw(allowed, chances[active, step], sampling)
            logprobs = torch.log_softmax(logits, -1).gather(-1, chosen[:, None]).squeeze(-1).tolist()
            stopped = self._stops[chosen].tolist()
            for row, token in enumerate(chosen.tolist()):
                sequence = sequences[active[row]]
                if not sequence.finished:
                    sequence.logprob += logprobs[row]
                    sequence.tokens.append(token)
                    sequence.finished = stopped[row]
            left = [row for row, index in enumerate(active) if not sequences[index].finished]
            if not left or step + 1 == sampling.max_new_tokens:
                return
            if len(left) <= (1 - COMPACT_SHARE) * len(active):
                rows = torch.tensor(left)
                cache.take_rows(rows.to(logits.device))
                active = [active[row] for row in left]
                chosen, mask, position = chosen[rows.to(chosen.device)], mask[rows], position[rows]
            mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
            position = position + 1
            logits = self._forward(chosen[:, None], cache, mask, position[:, None], prefix)


def _left_padded(rows: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Left-padded (tokens, mask), both (rows, longest)."""
    longest = max(map(len, rows))
    tokens = torch.tensor([[0] * (longest - len(row)) + list(row) for row in rows])
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
    return tokens, mask
