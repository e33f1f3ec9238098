"""Generation: new tokens a second through the engine, and through transformers' own `generate` on the same prompts.

The work is one level of a tree: three samples of each prompt, all prompts beginning with the same worked examples. The
plain side computes every prompt in full for every sample, as `generate(num_return_sequences=3)` does.
"""

import time
from pathlib import Path

import torch

from benchmarks.embedded import prepared_model, titles
from pulse_core.generation.requests import Request, Sampling
from pulse_core.generation.transformers_engine import TransformersGenerator
from pulse_core.rationales.prompts import PromptTemplate

PROMPTS, SAMPLES, TOKENS = 16, 3, 24
TEMPLATE = Path(__file__).resolve().parents[1] / "config/prompts/tree_refine.j2"


def measure_generation() -> dict[str, float]:
    """Tokens a second with and without prefix sharing, and the ratio, in one run."""
    model = prepared_model()
    sampling = Sampling(TOKENS, 0.9, 0.95, 50)
    template = PromptTemplate(TEMPLATE)
    requests = []
    for number in range(PROMPTS):
        messages, start = template.render(
            history=titles(number, 4), similar=titles(number + 5, 4), rationale="Looks for gentle care."
        )
        requests.append(Request(messages, sampling, number, SAMPLES, start))
    engine = TransformersGenerator(model, "auto", 96)
    engine.generate(requests[:2])
    started = time.perf_counter()
    answers = engine.generate(requests)
    shared = sum(completion.tokens for answer in answers for completion in answer) / (time.perf_counter() - started)

    prompts = [engine.chat.prompt(request) for request in requests]
    longest = max(map(len, prompts))
    tokens = torch.tensor([[0] * (longest - len(prompt)) + prompt for prompt in prompts])
    mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    engine.model.set_attn_implementation("sdpa")
    stops = engine._stops.nonzero().squeeze(-1).tolist()
    started = time.perf_counter()
    with torch.inference_mode():
        written = engine.model.generate(
            tokens, attention_mask=mask, do_sample=True, temperature=0.9, top_p=0.95, top_k=50, pad_token_id=stops[0],
            max_new_tokens=TOKENS, num_return_sequences=SAMPLES, eos_token_id=stops,
        )  # fmt: skip
    new = written[:, longest:]
    plain = float((new != stops[0]).sum()) / (time.perf_counter() - started)
    return {
        "generation_tokens_per_second_shared": shared,
        "generation_tokens_per_second_plain": plain,
        "tree_prefix_sharing": shared / plain,
    }
