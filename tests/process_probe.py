"""Training of Thought Space and ranker on tiny models, in one or several processes, for tests/test_processes.py.

python -m tests.process_probe <models> <rank> <processes> <folder>
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from safetensors.torch import save_file
from torch import distributed

from pulse_core.ranking.model import Ranker
from pulse_core.ranking.questions import Question
from pulse_core.ranking.settings import RankerSettings
from pulse_core.ranking.training import QuestionSet, score, train
from pulse_core.thought_space.examples import TrainingExample
from pulse_core.thought_space.settings import ThoughtSpaceSettings
from pulse_core.thought_space.training import train_thought_space
from tests.workflow.tiny_models import save_encoder, save_language_model

WORDS = ["rose cream", "oat soap", "red lipstick", "sun lotion", "mint balm", "silk mask", "nail file", "lash curler"]
# Sizes not divisible by two or three processes; in the last entry of each, some processes idle in a step.
SPACES = {
    "space": {"batch_size": 7, "negatives": 3, "epochs": 2, "encode_batch_size": 5},
    "space of batches of two": {"batch_size": 2, "negatives": 1, "epochs": 1},
}
RANKERS = {
    "ranker": {"batch_users": 3, "gradient_accumulation": 2, "epochs": 2},
    "scalar ranker": {"batch_users": 1, "gradient_accumulation": 4, "head": "scalar", "adapted_layers": None},
    "ranker of steps of one user": {"batch_users": 1, "gradient_accumulation": 1, "epochs": 1},
}


def save_models(directory: Path) -> None:
    """Save the tiny models, with the encoder's dropout off, since processes draw different dropout."""
    texts = [*WORDS, "Bought, oldest first: Why: Looks for Bought next:"]
    save_language_model(directory / "slm", texts)
    save_encoder(directory / "encoder", texts)
    file = directory / "encoder/config.json"
    config = json.loads(file.read_text())
    file.write_text(json.dumps({**config, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}))


@contextmanager
def first_gradients() -> Iterator[list[torch.Tensor | None]]:
    """Gradients of the first step, taken just before clipping."""
    seen: list[torch.Tensor | None] = []
    clip = torch.nn.utils.clip_grad_norm_

    def recording(parameters: Any, *arguments: Any) -> Any:
        parameters = list(parameters)
        if not seen:
            seen.extend(None if p.grad is None else p.grad.detach().clone() for p in parameters)
        return clip(parameters, *arguments)

    with mock.patch("torch.nn.utils.clip_grad_norm_", recording):
        yield seen


def measured(models: Path) -> tuple[dict[str, dict[str, Any]], dict[str, torch.Tensor]]:
    """Report and tensors of each training: gradients of the first step, final embeddings or scores."""
    reports: dict[str, dict[str, Any]] = {}
    tensors: dict[str, torch.Tensor] = {}

    def keep(name: str, gradients: list[torch.Tensor | None], output: np.ndarray, report: dict[str, Any]) -> None:
        idle = [number for number, gradient in enumerate(gradients) if gradient is None]
        reports[name] = {**report, "parameters without a gradient": idle}
        tensors.update({f"{name}/gradient {n}": g for n, g in enumerate(gradients) if g is not None})
        tensors[f"{name}/output"] = torch.from_numpy(output)

    for name, changes in SPACES.items():
        with first_gradients() as gradients:
            trained = train_thought_space(examples(30), space_settings(**changes), 7, models / "encoder")
        keep(name, gradients, trained.history_encoder.encode(WORDS, 3), trained.report)
    for name, changes in RANKERS.items():
        ranker = Ranker(models / "slm", ranker_settings(**changes), 7)
        with first_gradients() as gradients:
            record = train(ranker, question_set(11), question_set(5), 7)
        # Only score differences matter: the scalar head's bias, whose gradient is mere rounding, drifts.
        scores = score(ranker, question_set(11).questions, "test")
        keep(name, gradients, scores - scores.mean(1, keepdims=True), record)
    return reports, tensors


def space_settings(**changes: Any) -> ThoughtSpaceSettings:
    fixed = {"dtype": "float32", "learning_rate": 1e-3, "max_tokens": 16, "validation_share": 0.3, "retrieval_pool": 4}
    return ThoughtSpaceSettings(**{**fixed, **changes})


def ranker_settings(**changes: Any) -> RankerSettings:
    fixed = {"dtype": "float32", "adapted_layers": 1, "lora_dropout": 0.0, "epochs": 1}
    return RankerSettings(**{**fixed, **changes})


def examples(count: int) -> list[TrainingExample]:
    """Training examples with texts of different lengths."""
    texts = [" and ".join(WORDS[(n * step) % 8] for step in range(1, 2 + n % 3)) for n in range(count)]
    return [
        TrainingExample(f"user {n}", f"{text} then {WORDS[(n + 1) % 8]}", text, f"wants {WORDS[(n + 1) % 8]} {n}")
        for n, text in enumerate(texts)
    ]


def question_set(count: int) -> QuestionSet:
    questions = [
        Question(
            tuple(WORDS[(n + i) % 8] for i in range(1 + n % 4)),
            f"Looks for {WORDS[n % 8]}.",
            tuple(WORDS[(n + i) % 8] for i in range(4)),
        )
        for n in range(count)
    ]
    return QuestionSet(questions, [n % 4 for n in range(count)])


def main(models: Path, rank: int, processes: int, folder: Path) -> None:
    """Run as process `rank`, writing `<rank>.json` and `<rank>.safetensors` to `folder`."""
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=processes)
    reports, tensors = measured(models)
    (folder / f"{rank}.json").write_text(json.dumps(reports))
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / f"{rank}.safetensors")
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
