"""Generation on transformers: our stage against `model.generate`, and the gain from sharing prefixes.

`generation_vs_engine`: new tokens per second of the base rationales' stage over those of `model.generate` on the same
prompts in one left-padded batch, with the same sampling (without `no_repeat`, whose cost only ours has), stops,
precision and token limit, and the faster of the library's two attentions.

`tree_prefix_sharing`: new tokens per second of trees of [3, 3] over those of the same engine without sharing: one
request per child, and no cached common prefix.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from unittest.mock import patch

import torch
from transformers import AutoModelForCausalLM

from benchmarks.embedded import embedded_config, prepared_model
from benchmarks.writing import base_requests, tokens_per_second, users, write_base, write_trees
from pulse_core.generation import transformers_engine
from pulse_core.generation.requests import Completion, Request
from pulse_core.generation.transformers_engine import TransformersGenerator
from pulse_core.seeding import derive_seed

USERS, TREES, BRANCHING = 32, 4, [3, 3]
TRIAL = 8


class Apart:
    """The same engine without sharing: one request per sample, no cached common prefix."""

    def __init__(self, engine: TransformersGenerator) -> None:
        self.engine, self.identity = engine, f"{engine.identity}:apart"
        self.prepare = engine.prepare

    def generate(self, requests: Sequence[Request]) -> list[list[Completion]]:
        """See `TextGenerator`."""
        single = [
            replace(request, samples=1, seed=derive_seed(request.seed, sample))
            for request in requests
            for sample in range(request.samples)
        ]
        with patch.object(transformers_engine, "_common_prefix", return_value=0):
            answers = iter(self.engine.generate(single))
        return [[next(answers)[0] for _ in range(request.samples)] for request in requests]


class Bare:
    """`model.generate` on the token ids of all prompts in one batch, without decoding."""

    def __init__(self, engine: TransformersGenerator, requests: Sequence[Request]) -> None:
        self.prompts = [engine.chat.prompt(request) for request in requests]
        self.sampling, self.stops = requests[0].sampling, engine.chat.stops()
        self.model = AutoModelForCausalLM.from_pretrained(prepared_model(), dtype=engine.model.dtype)
        self.model.eval().to(engine.model.device)
        # The faster of the library's attentions on this machine, by a short trial.
        rates = {name: self.rate(name, self.prompts[:TRIAL], TRIAL) for name in ("sdpa", "eager")}
        self.attention = max(rates, key=lambda name: rates[name])

    @torch.inference_mode()
    def rate(self, attention: str, prompts: Sequence[list[int]], limit: int) -> float:
        """New tokens per second."""
        self.model.set_attn_implementation(attention)
        tokens, mask = (tensor.to(self.model.device) for tensor in transformers_engine._left_padded(prompts))
        started = time.perf_counter()
        written = self.model.generate(
            tokens, attention_mask=mask, do_sample=True, temperature=self.sampling.temperature,
            top_p=self.sampling.top_p, top_k=self.sampling.top_k, max_new_tokens=limit, eos_token_id=self.stops,
            pad_token_id=self.stops[0],
        )[:, tokens.shape[1] :]  # fmt: skip
        seconds = time.perf_counter() - started
        # Tokens up to and including the stop, as in our count.
        stopped = torch.isin(written, torch.tensor(self.stops, device=written.device)).cumsum(1)
        return float(((stopped == 0).sum() + (stopped > 0).any(1).sum()) / seconds)

    def whole(self) -> float:
        """New tokens per second on all prompts, up to the stage's token limit."""
        return self.rate(self.attention, self.prompts, self.sampling.max_new_tokens)


def measure_generation() -> dict[str, float]:
    """Both ratios and their four rates; two minutes on two cores."""
    settings = embedded_config().generation
    engine = TransformersGenerator(prepared_model(), settings.dtype, settings.batch_size)
    tokens_per_second(partial(write_base, engine, users(4, first=USERS)))  # warm-up
    chosen, owners = users(USERS), users(TREES)
    stage = tokens_per_second(partial(write_base, engine, chosen))
    bare = Bare(engine, base_requests(chosen)).whole()
    shared = tokens_per_second(partial(write_trees, engine, owners, BRANCHING))
    apart = tokens_per_second(partial(write_trees, Apart(engine), owners, BRANCHING))
    return {
        "generation_tokens_per_second": stage,
        "generation_tokens_per_second_bare": bare,
        "generation_vs_engine": stage / bare,
        "tree_tokens_per_second": shared,
        "tree_tokens_per_second_apart": apart,
        "tree_prefix_sharing": shared / apart,
    }
