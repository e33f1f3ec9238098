"""The packed layout gives the scores and gradients of one plain sequence per candidate."""

from pathlib import Path

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.functional import cross_entropy

from pulse_core.errors import InputError
from pulse_core.ranking.layout import collate
from pulse_core.ranking.model import Ranker
from pulse_core.ranking.questions import PackedQuestion, Question, pack
from pulse_core.ranking.settings import RankerSettings
from pulse_core.ranking.training import QuestionSet, load_ranker, save_ranker, score, train
from tests.workflow.tiny_models import FAMILIES, save_language_model

WORDS = ["rose cream", "oat soap", "red lipstick", "sun lotion", "mint balm", "silk mask", "nail file", "lash curler"]
TARGETS = torch.tensor([1, 2])  # of two questions
TEXTS = [*WORDS, "Bought, oldest first: Why: Looks for Bought next:"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("models") / "causal"
    save_language_model(directory, TEXTS)
    return directory


def settings(**changes: object) -> RankerSettings:
    return RankerSettings(**{"dtype": "float32", "adapted_layers": 1, "batch_users": 2, **changes})  # type: ignore[arg-type]


def questions(count: int, reason: str | None = "Looks for soft skin.") -> list[Question]:
    return [
        Question(
            tuple(WORDS[(n + i) % 8] for i in range(1 + n % 4)), reason, tuple(WORDS[(n + i) % 8] for i in range(4))
        )
        for n in range(count)
    ]


def perturbed(model: Path, **changes: object) -> Ranker:
    """A ranker with random adapter weights (new adapters have no effect)."""
    ranker = Ranker(model, settings(**changes), 1).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in ranker.named_parameters():
            if "lora_" in name or "linear" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
    return ranker


def plain_logits(ranker: Ranker, question: PackedQuestion) -> torch.Tensor:
    """One sequence per candidate through the whole model, with the library's causal mask."""
    logits = []
    for candidate in question.candidates:
        tokens = torch.tensor([question.prefix + candidate])
        start = len(question.prefix)
        if ranker.settings.head == "scalar":
            states = ranker._causal.model(input_ids=tokens).last_hidden_state
            logits.append(ranker.linear(states[0, -1])[0])
        else:
            logprobs = torch.log_softmax(ranker.language_model(input_ids=tokens).logits[0], -1)
            logits.append(logprobs[range(start - 1, len(tokens[0]) - 1), candidate].mean() * ranker.scale)
    return torch.stack(logits)


def check_packed_equals_plain(ranker: Ranker) -> None:
    packed = [pack(question, ranker.tokenizer, 512) for question in questions(3)]
    with torch.no_grad():
        together = ranker(collate(packed))
        for row, question in enumerate(packed):
            torch.testing.assert_close(together[row], plain_logits(ranker, question), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("head", ["likelihood", "scalar"])
@pytest.mark.parametrize("adapted", [1, 2, None])
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_packed_equals_ten_plain_sequences(model: Path, head: str, adapted: int | None, attention: str) -> None:
    check_packed_equals_plain(perturbed(model, head=head, adapted_layers=adapted, attention=attention))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("head", ["likelihood", "scalar"])
@pytest.mark.parametrize(("adapted", "attention"), [(3, "sdpa"), (None, "sdpa"), (3, "eager")])
def test_packed_equals_plain_in_every_family(
    tmp_path: Path, family: str, head: str, adapted: int | None, attention: str
) -> None:
    """Rotary embeddings and windows per layer, multipliers, scaled and capped logits, fused projections."""
    save_language_model(tmp_path, TEXTS, **FAMILIES[family])
    check_packed_equals_plain(perturbed(tmp_path, head=head, adapted_layers=adapted, attention=attention))


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_packed_equals_plain_on_the_embedded_model(attention: str, embedded_model: Path) -> None:
    """Real weights and a long prefix, to within 1e-3."""
    ranker = Ranker(embedded_model, settings(adapted_layers=10, attention=attention), 1).eval()
    titles = [f"{word} number {n}, for dry hands" for n in range(3) for word in WORDS]
    question = pack(Question(tuple(titles), "Looks for soft skin.", tuple(titles[:4])), ranker.tokenizer, 512)
    assert len(question.prefix) > 200
    with torch.no_grad():
        got, want = ranker(collate([question]))[0], plain_logits(ranker, question)
    torch.testing.assert_close(got, want, atol=1e-3, rtol=0)


def test_gradients_through_the_packed_layout_equal_the_plain_ones(model: Path) -> None:
    ranker = perturbed(model, lora_dropout=0.0)
    packed = [pack(question, ranker.tokenizer, 512) for question in questions(2)]
    cross_entropy(ranker(collate(packed)), TARGETS).backward()
    got = {name: p.grad.clone() for name, p in ranker.named_parameters() if p.grad is not None and "lora_" in name}
    ranker.zero_grad()
    cross_entropy(torch.stack([plain_logits(ranker, question) for question in packed]), TARGETS).backward()
    assert got
    for name, parameter in ranker.named_parameters():
        if name in got:
            torch.testing.assert_close(got[name], parameter.grad, atol=1e-5, rtol=1e-3)


def test_checkpointing_saves_memory_and_changes_no_gradient(model: Path) -> None:
    gradients, saved_bytes = [], []
    for checkpointing in (False, True):
        ranker = perturbed(model, gradient_checkpointing=checkpointing, adapted_layers=None).train()
        sizes: list[int] = []
        with torch.random.fork_rng(), saved_tensors_hooks(lambda t, s=sizes: s.append(t.nbytes) or t, lambda t: t):
            torch.manual_seed(0)  # for the adapters' dropout
            loss = cross_entropy(ranker(collate([pack(q, ranker.tokenizer, 512) for q in questions(2)])), TARGETS)
        loss.backward()
        gradients.append({name: p.grad for name, p in ranker.named_parameters() if p.grad is not None})
        saved_bytes.append(sum(sizes))
    assert saved_bytes[1] < saved_bytes[0] / 2
    torch.testing.assert_close(gradients[1], gradients[0])


def test_4_bits_save_memory_train_and_reload(model: Path, tmp_path: Path) -> None:
    examples = QuestionSet(questions(8), [n % 4 for n in range(8)])
    ranker, whole = (Ranker(model, settings(load_in_4bit=quantised), 1) for quantised in (True, False))
    size, whole_size = (sum(p.nbytes for p in r._causal.model.layers.parameters()) for r in (ranker, whole))
    assert size < whole_size / 3
    untrained = score(ranker, examples.questions, "test")
    assert untrained == pytest.approx(score(whole, examples.questions, "test"), abs=0.5)
    # Training must work after an evaluation too: see `_language_model` on bitsandbytes on a CPU.
    cross_entropy(ranker.train()(collate([pack(examples.questions[0], ranker.tokenizer, 512)])), TARGETS[:1]).backward()
    assert all(p.grad.any() for name, p in ranker.named_parameters() if "lora_B" in name)
    train(ranker, examples, examples, 1)
    save_ranker(ranker, tmp_path)
    trained = score(ranker, examples.questions, "test")
    assert (trained != untrained).any()
    loaded = load_ranker(model, tmp_path, settings(load_in_4bit=True))
    assert score(loaded, examples.questions, "test") == pytest.approx(trained, abs=1e-5)


def test_candidates_do_not_see_each_other(model: Path) -> None:
    ranker = perturbed(model)
    question = questions(1)[0]
    changed = Question(question.history, question.rationale, (*question.candidates[:3], "something else entirely"))
    with torch.no_grad():
        first, second = (ranker(collate([pack(q, ranker.tokenizer, 512)]))[0] for q in (question, changed))
    torch.testing.assert_close(first[:3], second[:3])
    assert not torch.isclose(first[3], second[3])


def test_scores_do_not_depend_on_the_batch(model: Path) -> None:
    ranker = perturbed(model)
    several = questions(5)
    together, alone = score(ranker, several, "test"), [score(ranker, [one], "test")[0] for one in several]
    for row, single in zip(together, alone, strict=True):
        assert row == pytest.approx(single, abs=1e-4)


def test_oldest_purchases_go_first_and_rationale_and_candidates_stay(model: Path) -> None:
    ranker = perturbed(model)
    long = Question(tuple(f"{word} number {n}" for n, word in enumerate(WORDS)), "Looks for soft skin.", ("oat soap",))
    whole = pack(long, ranker.tokenizer, 512)
    cut = pack(long, ranker.tokenizer, len(whole.prefix) - 5)
    text = ranker.tokenizer.decode(cut.prefix)
    assert "number 0" not in text and "number 7" in text and "Looks for soft skin." in text
    assert cut.candidates == whole.candidates
    with pytest.raises(InputError, match=r"ranker\.max_tokens"):
        pack(long, ranker.tokenizer, 16)


@pytest.mark.parametrize("adapted", [2, None])  # with frozen layers to cache, and without
def test_training_learns_a_planted_rule_and_changes_only_the_adapted_layers(model: Path, adapted: int | None) -> None:
    """The rationale names the target, so a ranker that reads it must beat chance and its own start."""
    plain = questions(48)
    places = [n % 4 for n in range(48)]
    revealing = [
        Question(q.history, f"Looks for {q.candidates[p]}.", q.candidates) for q, p in zip(plain, places, strict=True)
    ]
    ranker = Ranker(model, settings(adapted_layers=adapted, epochs=12, patience=12, learning_rate=2e-2), 1)
    frozen = {name: p.detach().clone() for name, p in ranker.named_parameters() if "lora_" not in name}
    record = train(ranker, QuestionSet(revealing[:32], places[:32]), QuestionSet(revealing[32:], places[32:]), 1)
    assert record["validation_loss"][record["best_epoch"]] < record["validation_loss"][0]
    assert max(record["validation_hr1"]) > 0.25
    for name, parameter in ranker.named_parameters():
        if name in frozen and name != "scale":
            torch.testing.assert_close(parameter.detach(), frozen[name], atol=0, rtol=0)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_same_seed_same_ranker(model: Path, dtype: str) -> None:
    examples = QuestionSet(questions(8), [n % 4 for n in range(8)])
    scores = []
    for _ in range(2):
        ranker = Ranker(model, settings(epochs=2, dtype=dtype), 5)
        train(ranker, examples, examples, 5)
        scores.append(score(ranker, examples.questions, "test"))
    assert (scores[0] == scores[1]).all()


def test_auto_is_one_of_the_two(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`auto` is resolved once, so weights and arithmetic agree."""
    examples = QuestionSet(questions(4), [0, 1, 2, 3])
    for fast, dtype in ((True, "bfloat16"), (False, "float32")):
        monkeypatch.setattr("pulse_core.precision.fast_bfloat16", lambda _, supported=fast: supported)
        ranker, named = (Ranker(model, settings(epochs=1, dtype=name), 5) for name in ("auto", dtype))
        assert train(ranker, examples, examples, 5)["arithmetic"] == dtype
        train(named, examples, examples, 5)
        assert (score(ranker, examples.questions, "test") == score(named, examples.questions, "test")).all()


def test_saved_and_loaded_ranker_scores_the_same(model: Path, tmp_path: Path) -> None:
    ranker = perturbed(model)
    save_ranker(ranker, tmp_path)
    loaded = load_ranker(model, tmp_path, settings())
    several = questions(3)
    assert score(loaded, several, "test") == pytest.approx(score(ranker, several, "test"), abs=1e-5)


def test_no_training_examples_is_refused_by_key(model: Path) -> None:
    with pytest.raises(InputError, match=r"split\.sample_users\.train"):
        train(Ranker(model, settings(), 1), QuestionSet([], []), QuestionSet(questions(1), [0]), 1)
