"""The engine for GPUs: vLLM, offline, with automatic prefix caching.

`OwnDraws` draws texts from each request's seed, so they do not depend on vLLM's scheduling, up to rounding. Batches
depend only on a call's requests: the scheduler runs in this process and has all requests before its first step, and
the prefix cache is cleared between calls. So a resumed stage forms the same batches.
"""

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import vllm
from vllm import LLM, SamplingParams, TokensPrompt

from pulse_core.artifacts import read_json
from pulse_core.errors import InputError
from pulse_core.generation.chat_tokens import ChatTokens
from pulse_core.generation.requests import Completion, Request, engine_identity
from pulse_core.generation.settings import GenerationSettings
from pulse_core.generation.vllm_draws import OwnDraws, draw_arguments
from pulse_core.models import device
from pulse_core.precision import arithmetic

# Environment of the engine, whatever the user's shell sets.
ENVIRONMENT = {
    # In a separate process the scheduler would start with the requests received so far.
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    # `OwnDraws` needs the first model runner; CUDA hosts default to the second.
    "VLLM_USE_V2_MODEL_RUNNER": "0",
}
CHECKED = 512  # prompts tokenised at once to check their length


class VLLMGenerator:
    """`TextGenerator` on vLLM. The engine starts when first needed; on a GPU that takes long."""

    def __init__(self, directory: Path, settings: GenerationSettings) -> None:
        self._directory, self._settings = directory, settings
        self._dtype, self._place = arithmetic(settings.dtype), device().type
        self._chat = ChatTokens(directory)
        self._stops = self._chat.stops()
        self.identity = engine_identity(
            __file__,
            f"vllm-{vllm.__version__}",
            read_json(directory / "origin.json"),
            self._dtype,
            settings.batch_size,
            self._place,
            settings.vllm.max_model_tokens,  # changes the positions of LongRoPE models, see VLLMSettings
        )

    @cached_property
    def engine(self) -> LLM:
        """vLLM with the loaded weights."""
        os.environ.update(ENVIRONMENT)
        return LLM(
            model=str(self._directory),
            dtype=self._dtype,
            max_model_len=self._settings.vllm.max_model_tokens,
            max_num_seqs=self._settings.batch_size,
            gpu_memory_utilization=self._settings.vllm.gpu_memory_share,
            enforce_eager=self._place == "cpu",  # there compiling costs more than it saves
            enable_prefix_caching=True,
            async_scheduling=False,  # drawing needs all tokens so far
            logits_processors=[OwnDraws],
            seed=0,
        )

    def prepare(self, requests: Sequence[Request]) -> None:
        """See `TextGenerator`."""
        limit = self._settings.vllm.max_model_tokens
        needs: list[int] = []  # tokens of each prompt with its longest answer
        for start in range(0, len(requests), CHECKED):
            checked = requests[start : start + CHECKED]
            prompts = self._chat.prompts(checked)
            needs += [len(prompt) + r.sampling.max_new_tokens for prompt, r in zip(prompts, checked, strict=True)]
        over = [tokens for tokens in needs if tokens > limit]
        if over:
            raise InputError(
                f"generation.vllm.max_model_tokens: {len(over)} of {len(needs)} prompts do not fit into {limit} tokens "
                f"with their longest answers, one takes {max(over)}: raise it, or show less in the prompts "
                "(rationales.history_items, title_chars and review_chars; tree.prompt_history_items)"
            )
        _ = self.engine

    def generate(self, requests: Sequence[Request]) -> list[list[Completion]]:
        """See `TextGenerator`. Samples are separate sequences; prefix caching computes their prompt once."""
        self.engine.reset_prefix_cache()
        prompts, parameters = [], []
        for request, tokens in zip(requests, self._chat.prompts(requests), strict=True):
            prompt = TokensPrompt(prompt_token_ids=tokens)
            for sample in range(request.samples):
                prompts.append(prompt)
                parameters.append(self._parameters(request, sample))
        outputs = iter(self.engine.generate(prompts, parameters, use_tqdm=False))
        return [[self._completion(next(outputs).outputs[0]) for _ in range(request.samples)] for request in requests]

    def _parameters(self, request: Request, sample: int) -> SamplingParams:
        return SamplingParams(
            temperature=0.0,  # greedy: the token drawn by OwnDraws
            max_tokens=request.sampling.max_new_tokens,
            stop_token_ids=self._stops,
            logprobs=0,  # of the chosen token only
            detokenize=False,
            extra_args=draw_arguments(request.sampling, request.seed, sample),
        )

    def _completion(self, output: vllm.CompletionOutput) -> Completion:
        tokens = list(output.token_ids)
        written = tokens[:-1] if tokens[-1] in self._stops else tokens
        logprobs = [step[token].logprob for step, token in zip(output.logprobs or [], tokens, strict=True)]
        return Completion(self._chat.text(written), sum(logprobs) / len(tokens), len(tokens))
