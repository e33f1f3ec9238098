"""A-LLMRec: frozen parts stay frozen, soft tokens are read, codes align, and packed scores equal unpacked ones."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from pulse_core.baselines.a_llmrec.alignment import Aligner, alignment_loss, alignment_terms
from pulse_core.baselines.a_llmrec.prompts import USER, PromptWriter, SoftPrompt
from pulse_core.baselines.a_llmrec.soft_tokens import FrozenLanguageModel, Projections
from pulse_core.baselines.a_llmrec.stages import Inputs, Shared
from pulse_core.baselines.a_llmrec.system import ALLMRec
from pulse_core.baselines.domain import Domain
from pulse_core.baselines.settings.a_llmrec import AlignmentSettings, ALLMRecSettings
from pulse_core.baselines.text_tower import TextTower
from pulse_core.baselines.tuning import candidate_figures
from pulse_core.checkpoints import Checkpoint
from pulse_core.encoder import Encoder
from pulse_core.errors import InputError
from pulse_core.ranking.layout import candidate_means, shuffled_batches
from pulse_core.seeding import derive_seed
from pulse_core.sequence.settings import SASRecTrainingSettings
from tests.workflow.tiny_models import save_encoder, save_language_model

WORDS = ["stands for the user.", "Bought, oldest first:", "One of these is bought next:", "The recommendation is"]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Matrices this small are faster on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, titles: list[str]) -> Path:
    directory = tmp_path_factory.mktemp("models")
    save_language_model(directory / "slm", WORDS + titles, initializer_range=0.3)
    save_encoder(directory / "encoder", titles)
    return directory


def settings(**changes: Any) -> ALLMRecSettings:
    collaborative = SASRecTrainingSettings(
        dimension=16, dropout=0.1, max_length=8, learning_rate=1e-2, batch_size=16, epochs=16, evaluate_every=4
    )
    alignment = AlignmentSettings(code_dimension=16, learning_rate=1e-2, epochs=20)
    defaults = {"dtype": "float32", "batch_users": 8, "epochs": 1}
    return ALLMRecSettings(collaborative=collaborative, alignment=alignment, **{**defaults, **changes})


def inputs(domain: Domain, models: Path, titles: list[str], rationales: Any = None) -> Inputs:
    return Inputs(domain, domain, titles, titles, models / "encoder", models / "slm", rationales)


def weights_of(model: torch.nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.named_parameters()}


@pytest.fixture(scope="module")
def fitted(domain: Domain, models: Path, titles: list[str]) -> tuple[ALLMRec, dict[str, dict[str, Tensor]]]:
    """A fitted system, and the weights of its frozen models before fitting."""
    shared = Shared(inputs(domain, models, titles), 3)
    language_model = shared.language_model("float32")
    before = weights_of(language_model.model)
    system = ALLMRec(shared, settings())
    collaborative = shared.aligned(system.settings, Checkpoint()).model
    frozen = {"slm": before, "collaborative": weights_of(collaborative)}
    system.fit(Checkpoint())
    return system, frozen


def test_language_model_and_sequence_model_are_frozen_and_projections_learn(
    fitted: tuple[ALLMRec, dict[str, dict[str, Tensor]]],
) -> None:
    system, before = fitted
    now = {"slm": system._language_model.model, "collaborative": system._aligned.model}
    for name, model in now.items():
        after = dict(model.named_parameters())
        assert after.keys() == before[name].keys()
        assert all(torch.equal(after[key], value) for key, value in before[name].items())
    with torch.random.fork_rng():
        torch.manual_seed(derive_seed(system._seed, "weights"))
        fresh = weights_of(Projections(16, 16, 32, system._language_model.scale))
    learned = weights_of(system.projections)
    assert not any(torch.equal(fresh[name], learned[name]) for name in fresh)
    kept = system.tensors()
    assert not any("slm" in name or "lm_head" in name for name in kept)
    assert {name.split("/")[0] for name in kept} == {"collaborative", "alignment", "projections"}


def test_gradients_reach_both_projections_and_nothing_else(
    fitted: tuple[ALLMRec, dict[str, dict[str, Tensor]]], domain: Domain
) -> None:
    system, _ = fitted
    projections = Projections(16, 16, 32, 0.3)
    prompts = [prompt.answer(0) for prompt in system.prompts(domain.train)[:3]]
    users = system._states(domain.train)[:3]
    codes = system._aligned.codes
    log_probabilities, _batch = system._language_model.log_probabilities(prompts, users, codes, projections)
    log_probabilities.mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in projections.parameters())
    assert all(p.grad is None for p in system._language_model.model.parameters())


def test_soft_tokens_are_read(fitted: tuple[ALLMRec, dict[str, dict[str, Tensor]]], domain: Domain) -> None:
    """Changing an item's code changes the scores of exactly the prompts with that item; changing the users, of all."""
    system, _ = fitted
    prompts, users = system.prompts(domain.test), system._states(domain.test)
    item = int(domain.test.targets[0])
    contains = np.array([any(slot == item for _, slot in prompt.slots) for prompt in prompts])
    assert 0 < contains.sum() < len(contains)
    before = system._score(prompts, users)
    kept = system._aligned
    try:
        codes = kept.codes.clone()
        codes[item] = 1 - codes[item]
        system._aligned = replace(kept, codes=codes)
        after = system._score(prompts, users)
    finally:
        system._aligned = kept
    changed = (np.abs(after - before) > 1e-4).any(axis=1)
    assert (changed == contains).all()
    other = system._score(prompts, users.roll(1, 0))
    assert (np.abs(other - before) > 1e-4).any(axis=1).all()


def reference_score(model: FrozenLanguageModel, prompt: SoftPrompt, soft: dict[int, Tensor], place: int) -> float:
    """Score of one sequence, embedded token by token, by the whole model with transformers' causal mask."""
    prefix, answer = prompt.packed.prefix, prompt.packed.candidates[place]
    table = model.model.get_input_embeddings().weight
    slots = dict(prompt.slots)
    rows = [soft[slots[index]] if index in slots else table[token] for index, token in enumerate(prefix)]
    embedded = torch.stack(rows + [table[token] for token in answer])
    logits = model.model(inputs_embeds=embedded[None]).logits[0].log_softmax(-1)
    return float(logits[range(len(prefix) - 1, len(embedded) - 1), answer].mean())


def test_packed_scores_equal_those_of_ten_separate_sequences(
    fitted: tuple[ALLMRec, dict[str, dict[str, Tensor]]], domain: Domain
) -> None:
    system, _ = fitted
    prompts, users, codes = system.prompts(domain.train)[:6], system._states(domain.train)[:6], system._aligned.codes
    assert len({len(prompt.packed.prefix) for prompt in prompts}) > 1  # so some are padded
    with torch.no_grad():
        log_probabilities, batch = system._language_model.log_probabilities(prompts, users, codes, system.projections)
        got = candidate_means(log_probabilities, batch)
        for row, prompt in enumerate(prompts):
            soft = {item: system.projections.item(codes[item]) for _, item in prompt.slots if item != USER}
            soft[USER] = system.projections.user(users[row])
            want = [reference_score(system._language_model, prompt, soft, place) for place in range(10)]
            assert got[row].tolist() == pytest.approx(want, abs=1e-4)


def test_only_prompts_with_reasons_hold_the_rationale_and_none_marks_the_target(
    domain: Domain, models: Path, titles: list[str]
) -> None:
    selected = {key: f"Wants {key[0]} more." for key in domain.test.keys}
    plain, reason = (
        ALLMRec(Shared(inputs(domain, models, titles, rationales), 3), settings()) for rationales in (None, selected)
    )
    tokenizer = plain._language_model.tokenizer
    other_targets = replace(domain.test, targets=np.roll(domain.test.targets, 1))
    assert [p.packed for p in plain.prompts(domain.test)] == [p.packed for p in plain.prompts(other_targets)]
    for row, (without, having) in enumerate(zip(plain.prompts(domain.test), reason.prompts(domain.test), strict=True)):
        rationale = selected[domain.test.keys[row]]
        shown, shown_with = (tokenizer.decode(prompt.packed.prefix) for prompt in (without, having))
        assert rationale not in shown
        history, candidates = shown_with.split(f"\nWhy: {rationale}")
        assert history + candidates == shown
        target = f" {titles[int(domain.test.targets[row])]}"
        assert target + "\n" not in history + "\n" and candidates.count(target) >= 1
        assert [slot for _, slot in having.slots if slot != USER][-10:] == domain.test.candidates[row].tolist()
    with pytest.raises(InputError, match="rationales: none selected"):
        reason.prompts(domain.validation)


def test_truncation_drops_the_oldest_purchases_and_keeps_the_candidates(models: Path, titles: list[str]) -> None:
    tokenizer = FrozenLanguageModel(models / "slm", "float32").tokenizer
    history, candidates = list(range(6)), list(range(20, 30))
    whole = PromptWriter(titles, tokenizer, 32, 512).write(history, candidates, "Soft skin.")
    limit = len(whole.packed.prefix) + max(map(len, whole.packed.candidates)) - 1
    cut = PromptWriter(titles, tokenizer, 32, limit).write(history, candidates, "Soft skin.")
    assert [slot for _, slot in cut.slots] == [USER, *history[1:], *candidates]
    assert "Soft skin." in tokenizer.decode(cut.packed.prefix)
    assert cut.packed.candidates == whole.packed.candidates
    with pytest.raises(InputError, match=r"baselines\.a_llmrec\.max_tokens is 64"):
        PromptWriter(titles, tokenizer, 32, 64).write(history, candidates, None)


def test_alignment_brings_each_item_to_its_own_text() -> None:
    """Codes of one item are closer than codes of two items, which a collapse into one point would not give."""
    generator = torch.Generator().manual_seed(0)
    items = torch.randn(40, 8, generator=generator)
    texts = items @ torch.randn(8, 12, generator=generator) / 8**0.5
    states = items + 0.1 * torch.randn(40, 8, generator=generator)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        aligner = Aligner(8, 12, 16)
    optimiser = torch.optim.Adam(aligner.parameters(), lr=1e-2)
    losses = []
    for _ in range(300):
        other = torch.randperm(40, generator=generator)
        terms = alignment_terms(states, aligner(items, texts), aligner(items[other], texts[other]))
        loss = alignment_loss(terms, 0.5, 0.2)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] / 2
    with torch.no_grad():
        views = aligner(items, texts)
        distances = torch.cdist(views.item_code, views.text_code)
    assert distances.diagonal().mean() < distances.mean() / 2


def test_the_four_losses_by_hand() -> None:
    aligner = Aligner(2, 3, 2)
    items, texts, states = torch.tensor([[1.0, 2.0]]), torch.tensor([[0.5, 0.0, 1.0]]), torch.tensor([[3.0, -1.0]])
    positive, negative = aligner(items, texts), aligner(-items, -texts)
    terms = alignment_terms(states, positive, negative)
    logit, other_logit = ((states * views.item_decoded).sum().item() for views in (positive, negative))
    want = -np.log(1 / (1 + np.exp(-logit))) - np.log(1 - 1 / (1 + np.exp(-other_logit)))
    assert terms["recommendation"].item() == pytest.approx(want, rel=1e-5)
    expected = (mse_loss(positive.item_code, positive.text_code) + mse_loss(negative.item_code, negative.text_code)) / 2
    assert float(terms["matching"]) == pytest.approx(float(expected))
    for name, again, given in (("text", "text_decoded", texts), ("item", "item_decoded", items)):
        both = mse_loss(getattr(positive, again), given) + mse_loss(getattr(negative, again), -given)
        assert float(terms[name]) == pytest.approx(float(both) / 2)
    parts = {"matching": 1.0, "item": 10.0, "text": 100.0, "recommendation": 1000.0}
    loss = alignment_loss({name: torch.tensor(value) for name, value in parts.items()}, 0.5, 0.2)
    assert float(loss) == 1.0 + 5.0 + 20.0 + 1000.0


@pytest.mark.parametrize("reasons", [False, True])
def test_beats_popularity_on_a_planted_cycle(domain: Domain, tmp_path: Path, reasons: bool) -> None:
    """A random language model is enough: soft tokens carry what the sequence model knows. Empty reasons cost little."""
    titles = [f"{'ABCDEFGH'[item // 8]}{'abcdefgh'[item % 8]}" for item in range(domain.item_count)]
    texts = WORDS + [f" {title}" for title in titles] * 5  # one token per title
    save_language_model(tmp_path / "slm", texts, initializer_range=0.1, hidden_size=64)
    save_encoder(tmp_path / "encoder", titles)
    keys = [key for part in (domain.train, domain.validation, domain.test) for key in part.keys]
    rationales = dict.fromkeys(keys, "Wants more.") if reasons else None
    system = ALLMRec(
        Shared(inputs(domain, tmp_path, titles, rationales), 3),
        settings(learning_rate=1e-2, epochs=15, patience=4, history_items=3),
    )
    system.fit(Checkpoint())
    popularity = domain.popularity[domain.test.candidates].astype(np.float32)
    floor, reached = (
        candidate_figures(domain.test, scores)["hr1"] for scores in (popularity, system.scores(domain.test))
    )
    assert reached > floor + 0.2


def test_training_resumes_where_it_was_killed(
    domain: Domain, models: Path, titles: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pulse_core.checkpoints.SECONDS", 0.0)
    monkeypatch.setattr("pulse_core.checkpoints.SHARE", 1e9)
    chosen = settings(epochs=2)
    whole = ALLMRec(Shared(inputs(domain, models, titles), 3), chosen)
    record = whole.fit(Checkpoint())
    killed = ALLMRec(Shared(inputs(domain, models, titles), 3), chosen)
    score, validations = killed._score, []

    def stop(*arguments: Any) -> np.ndarray:
        validations.append(1)
        if len(validations) == 2:
            raise KeyboardInterrupt
        return score(*arguments)

    monkeypatch.setattr(killed, "_score", stop)
    with pytest.raises(KeyboardInterrupt):
        killed.fit(Checkpoint(tmp_path / "trial-1"))
    resumed = ALLMRec(Shared(inputs(domain, models, titles), 3), chosen)
    trained = []
    monkeypatch.setattr("pulse_core.baselines.sasrec.run_epoch", lambda *_: trained.append(1))
    epochs = []

    def counted(*arguments: Any) -> Any:
        epochs.append(1)
        return shuffled_batches(*arguments)

    monkeypatch.setattr("pulse_core.baselines.a_llmrec.system.shuffled_batches", counted)
    assert resumed.fit(Checkpoint(tmp_path / "trial-1")) == record
    assert not trained and len(epochs) == 1  # stage 0 and the first epoch of stage 2 were done
    assert (resumed.scores(domain.test) == whole.scores(domain.test)).all()


def test_trials_that_change_only_stage_2_share_the_other_stages(
    domain: Domain, models: Path, titles: list[str]
) -> None:
    shared = Shared(inputs(domain, models, titles), 3)
    first = shared.aligned(settings(), Checkpoint())
    assert shared.aligned(settings(learning_rate=0.1, epochs=3), Checkpoint()) is first
    changed = settings().model_copy(update={"alignment": AlignmentSettings(code_dimension=8, epochs=1)})
    assert shared.aligned(changed, Checkpoint()).codes.shape == (domain.item_count, 8)


def test_items_without_training_purchases_use_their_text_code(domain: Domain, models: Path, titles: list[str]) -> None:
    """The last item of the catalogue is never bought, so its collaborative embedding carries no information."""
    stage = Shared(inputs(domain, models, titles), 3).aligned(settings(), Checkpoint())
    assert domain.popularity[-1] == 0
    encoder = Encoder(models / "encoder", settings().alignment.text_tokens)
    aligner = Aligner(stage.model.items.embedding_dim, encoder.dim, settings().alignment.code_dimension)
    kept = {name.removeprefix("alignment/aligner."): value for name, value in stage.tensors.items()}
    aligner.load_state_dict({name: kept[name] for name in aligner.state_dict()})
    ends = [0, len(titles) - 1]
    texts = TextTower(encoder, titles, 0)(np.array(ends))
    with torch.no_grad():
        views = aligner(stage.model.item_vectors()[ends], texts)
    assert domain.popularity[0] > 0
    torch.testing.assert_close(stage.codes[0], views.item_code[0])
    torch.testing.assert_close(stage.codes[-1], views.text_code[1])
    assert not torch.allclose(stage.codes[-1], views.item_code[1])


def test_errors_name_the_section_to_change(domain: Domain, models: Path, titles: list[str]) -> None:
    for changed, message in (
        ({"alignment": AlignmentSettings(text_tokens=4000)}, "alignment: encoder: text_tokens 4000 is more than"),
        ({"alignment": AlignmentSettings(encoder_layers=40)}, "alignment: encoder_layers: got 40"),
        ({"collaborative": SASRecTrainingSettings(learning_rate=1e30, epochs=3)}, "collaborative: SASRec has diverged"),
    ):
        with pytest.raises(InputError, match=message):
            Shared(inputs(domain, models, titles), 3).aligned(settings().model_copy(update=changed), Checkpoint())


def test_trained_text_layers_change_and_are_kept(domain: Domain, models: Path, titles: list[str]) -> None:
    alignment = AlignmentSettings(code_dimension=8, epochs=1, encoder_layers=1)
    chosen = settings().model_copy(update={"alignment": alignment})
    stage = Shared(inputs(domain, models, titles), 3).aligned(chosen, Checkpoint())
    kept = {name: value for name, value in stage.tensors.items() if name.startswith("alignment/texts.")}
    before = list(Encoder(models / "encoder", 96).model.parameters())
    assert len(kept) == 16  # the parameters of one layer
    assert not any(torch.equal(value, parameter) for value in kept.values() for parameter in before)
