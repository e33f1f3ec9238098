"""The ranker: users a second in training and scoring, packed with the kept trunk, against ten plain sequences."""

import time

import torch
from torch.nn.functional import cross_entropy

from benchmarks.embedded import embedded_config, prepared_model, titles
from pulse_core.ranking.layout import collate
from pulse_core.ranking.model import Ranker
from pulse_core.ranking.packing import PackedQuestion, Question, pack

USERS = 4


def _plain(question: PackedQuestion) -> list[PackedQuestion]:
    """The same question as one sequence a candidate."""
    return [PackedQuestion(question.prefix, [candidate]) for candidate in question.candidates]


def measure_ranker() -> dict[str, float]:
    """Users a second, and the ratios to the plain layout, in one run of the embedded settings."""
    config = embedded_config()
    settings = config.ranker
    ranker = Ranker(prepared_model(), settings, 0)
    reason = "Looks for gentle, fragrance-free care for dry hands, so Rose Hand Cream or Oat Soap Bar fits next."
    questions = [
        Question(tuple(titles(n, settings.history_items)), reason, tuple(titles(n + 20, config.candidates.count)))
        for n in range(USERS)
    ]
    packed = [pack(question, ranker.tokenizer, settings.max_tokens) for question in questions]
    together = collate(packed)
    target = torch.zeros(USERS, dtype=torch.long)

    def seconds(work: object) -> float:
        started = time.perf_counter()
        work()  # type: ignore[operator]
        return time.perf_counter() - started

    def train_packed() -> None:
        cross_entropy(ranker.head_logits(together, trunk), target).backward()

    def train_plain() -> None:
        for question in packed:
            logits = ranker(collate(_plain(question))).view(1, -1)
            cross_entropy(logits, target[:1]).backward()

    @torch.inference_mode()
    def score_packed() -> None:
        ranker(together)

    @torch.inference_mode()
    def score_plain() -> None:
        for question in packed:
            ranker(collate(_plain(question)))

    trunk = ranker.trunk(together)
    ranker.eval()
    times = {work.__name__: min(seconds(work) for _ in range(2)) for work in (train_packed, train_plain)}
    times |= {work.__name__: min(seconds(work) for _ in range(2)) for work in (score_packed, score_plain)}
    return {
        "ranker_train_users_per_second": USERS / times["train_packed"],
        "ranker_score_users_per_second": USERS / times["score_packed"],
        "ranker_packed_train": times["train_plain"] / times["train_packed"],
        "ranker_packed_infer": times["score_plain"] / times["score_packed"],
    }
