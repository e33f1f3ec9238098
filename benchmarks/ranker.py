"""The ranker, packed and with stored trunk states, against ten separate sequences: users per second.

Embedded model and settings, but prefixes of 300 tokens and candidates of 20. The other side is the straightforward
implementation: a right-padded batch of the user's ten sequences through the library's model with its causal attention.
"""

import time
from collections.abc import Callable

import torch
from torch.nn.functional import cross_entropy

from benchmarks.embedded import embedded_config, prepared_model, titles
from pulse_core.ranking.layout import collate
from pulse_core.ranking.model import Ranker
from pulse_core.ranking.questions import PackedQuestion, Question, pack

USERS = 4
PREFIX_TOKENS = 300
CANDIDATE_TOKENS = 20
ROUNDS = 2  # alternating; the best counts


def measure_ranker() -> dict[str, float]:
    """Users per second of both layouts and their ratios.

    Training is per epoch; the trunk, computed once for all configured epochs, counts proportionally.
    """
    config = embedded_config()
    settings = config.ranker.model_copy(update={"max_tokens": 1024, "lora_dropout": 0.0})
    ranker = Ranker(prepared_model(), settings, 0)
    packed = [_question(ranker, user, config.candidates.count) for user in range(USERS)]
    target = torch.zeros(USERS, dtype=torch.long, device=ranker.scale.device)
    batch = collate(packed)
    trunk = ranker.trunk(batch)
    _check_equal(ranker, packed)

    def keep_trunk() -> None:
        ranker.trunk(batch)

    def train_packed() -> None:
        cross_entropy(ranker.head_logits(batch, trunk), target).backward()

    def train_plain() -> None:
        for question in packed:
            cross_entropy(_plain_logits(ranker, question)[None], target[:1]).backward()

    def score_packed() -> None:
        ranker(batch)

    def score_plain() -> None:
        for question in packed:
            _plain_logits(ranker, question)

    training = _best((keep_trunk, train_packed, train_plain))
    with torch.inference_mode():
        scoring = _best((score_packed, score_plain))
    epoch = training["train_packed"] + training["keep_trunk"] / settings.epochs
    return {
        "ranker_train_users_per_second": USERS / epoch,
        "ranker_score_users_per_second": USERS / scoring["score_packed"],
        "ranker_packed_train": training["train_plain"] / epoch,
        "ranker_packed_infer": scoring["score_plain"] / scoring["score_packed"],
    }


def _question(ranker: Ranker, user: int, count: int) -> PackedQuestion:
    """A question with prefix and candidates cut to the given lengths."""
    reason = "First Rose Hand Cream, then Oat Soap Bar: looks for gentle, fragrance-free care for dry hands."
    longer = [f"{first}, with {second}" for first, second in zip(titles(40, count), titles(60, count), strict=True)]
    question = Question(tuple(titles(user, 40)), reason, tuple(longer))
    whole = pack(question, ranker.tokenizer, ranker.settings.max_tokens)
    return PackedQuestion(whole.prefix[-PREFIX_TOKENS:], [tokens[:CANDIDATE_TOKENS] for tokens in whole.candidates])


def _plain_logits(ranker: Ranker, question: PackedQuestion) -> torch.Tensor:
    """(C,) logits of the head `likelihood`, one sequence per candidate."""
    rows = [question.prefix + candidate for candidate in question.candidates]
    longest, start = max(map(len, rows)), len(question.prefix)
    place = ranker.scale.device
    tokens = torch.tensor([row + [0] * (longest - len(row)) for row in rows], device=place)
    seen = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows], device=place)
    model = ranker.language_model.get_base_model()
    with torch.autocast(place.type, torch.bfloat16, enabled=ranker.dtype == "bfloat16"):
        states = model.model(input_ids=tokens, attention_mask=seen, use_cache=False).last_hidden_state
        vocabulary = model.lm_head(states[:, start - 1 : -1]).float()  # (C, tokens of the longest candidate, V)
    predicted, counted = tokens[:, start:], seen[:, start:]
    logprobs = vocabulary.gather(-1, predicted[..., None])[..., 0] - vocabulary.logsumexp(-1)
    return ranker.scale * (logprobs * counted).sum(-1) / counted.sum(-1)


def _check_equal(ranker: Ranker, packed: list[PackedQuestion]) -> None:
    """Check that both layouts compute the same logits."""
    with torch.inference_mode():
        plain = torch.stack([_plain_logits(ranker, question) for question in packed])
        torch.testing.assert_close(ranker(collate(packed)), plain, atol=0.05, rtol=0)  # bfloat16 rounding


def _best(works: tuple[Callable[[], None], ...]) -> dict[str, float]:
    """Name of each function -> its shortest time in seconds."""
    seconds: dict[str, float] = {}
    for _ in range(ROUNDS):
        for work in works:
            started = time.perf_counter()
            work()
            name = work.__name__
            seconds[name] = min(seconds.get(name, float("inf")), time.perf_counter() - started)
    return seconds
