"""The engine for GPUs: vLLM, offline and batched, with every shared prefix computed once (automatic prefix caching).

Texts are drawn by `OwnDraws` from each request's own seed: they do not depend on how vLLM schedules sequences, up to
the floating-point noise of a batch's composition. That composition follows from a call's requests alone, too: the
scheduler runs in this process, so it holds all requests of a call before its first step, and no call finds a prefix
that an earlier one left in the cache. So a stage that was killed composes the batches that it would have composed.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import vllm
from vllm import LLM, SamplingParams, TokensPrompt

from pulse_core.artifacts import read_json
from pulse_core.generation.chat_tokens import ChatTokens
from pulse_core.generation.engine_identity import engine_identity
from pulse_core.generation.requests import Completion, Request
from pulse_core.generation.settings import GenerationSettings
from pulse_core.generation.vllm_draws import OwnDraws, draw_arguments
from pulse_core.models import device
from pulse_core.precision import arithmetic


class VLLMGenerator:
    """`TextGenerator` on vLLM."""

    def __init__(self, directory: Path, settings: GenerationSettings) -> None:
        dtype, place = arithmetic(settings.dtype), device().type
        # In a process of its own the scheduler would start on the requests that happen to have reached it.
        os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
        self._chat = ChatTokens(directory)
        self._stops = self._chat.stops()
        self._engine = LLM(
            model=str(directory),
            dtype=dtype,
            max_model_len=settings.vllm.max_model_tokens,
            max_num_seqs=settings.batch_size,
            gpu_memory_utilization=settings.vllm.gpu_memory_share,
            enforce_eager=place == "cpu",  # compiling takes longer there than it saves
            enable_prefix_caching=True,
            async_scheduling=False,  # a draw needs all tokens written so far
            logits_processors=[OwnDraws],
            seed=0,
        )
        library = f"vllm-{vllm.__version__}"
        origin = read_json(directory / "origin.json")
        self.identity = engine_identity(__file__, library, origin, dtype, settings.batch_size, place)

    def generate(self, requests: Sequence[Request]) -> list[list[Completion]]:
        """See `TextGenerator`. The samples of a request are sequences with one prompt, which is computed once."""
        self._engine.reset_prefix_cache()
        prompts, parameters = [], []
        for request in requests:
            prompt = TokensPrompt(prompt_token_ids=self._chat.prompt(request))
            for sample in range(request.samples):
                prompts.append(prompt)
                parameters.append(self._parameters(request, sample))
        outputs = iter(self._engine.generate(prompts, parameters, use_tqdm=False))
        return [[self._completion(next(outputs).outputs[0]) for _ in range(request.samples)] for request in requests]

    def _parameters(self, request: Request, sample: int) -> SamplingParams:
        return SamplingParams(
            temperature=0.0,  # greedy: the token that OwnDraws raised
            max_tokens=request.sampling.max_new_tokens,
            stop_token_ids=self._stops,
            logprobs=0,  # the chosen token's alone
            detokenize=False,
            extra_args=draw_arguments(request.sampling, request.seed, sample),
        )

    def _completion(self, output: vllm.CompletionOutput) -> Completion:
        tokens = list(output.token_ids)
        written = tokens[:-1] if tokens[-1] in self._stops else tokens
        logprobs = [step[token].logprob for step, token in zip(output.logprobs or [], tokens, strict=True)]
        return Completion(self._chat.text(written), sum(logprobs) / len(tokens), len(tokens))
