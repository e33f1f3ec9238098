"""The engine's optimisations (shared prefix, one prefill for n samples, in-place cache) change no text."""

import shutil
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from pulse_core.artifacts import write_json
from pulse_core.generation.requests import Completion, Message, Request, Sampling
from pulse_core.generation.transformers_engine import TransformersGenerator
from tests.workflow.tiny_models import FAMILIES, save_language_model

GREEDY = Sampling(max_new_tokens=10, temperature=0.0, top_p=1.0, top_k=50)
WARM = Sampling(max_new_tokens=10, temperature=1.0, top_p=0.95, top_k=40)


def request(question: str, sampling: Sampling = GREEDY, samples: int = 1, seed: int = 3) -> Request:
    instruction = Message("system", "You say in one sentence why a shopper buys.")
    return Request((instruction, Message("user", question)), sampling, seed, samples, "Looks for")


QUESTIONS = ["Bought: a red lipstick", "Bought: oat milk, oat milk, and then some more oat milk", "Bought: dice"]
TEXTS = [*QUESTIONS, "Looks for a gift that shines, so it fits next."]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("models") / "causal"
    save_language_model(directory, TEXTS)
    write_json(directory / "origin.json", {"name": "tiny", "sha256": ["ab12"]})
    return directory


@pytest.fixture(scope="module")
def generator(model: Path) -> TransformersGenerator:
    return TransformersGenerator(model, "float32", 8)


def reference(model: Path, generator: TransformersGenerator, single: Request) -> Completion:
    """The completion of transformers' own `generate` for this request only, with nothing shared."""
    tokenizer = AutoTokenizer.from_pretrained(model)
    language_model = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval()
    prompt = torch.tensor([generator.chat.prompt(single)])
    stops = generator._stops.nonzero().squeeze(-1).tolist()
    out = language_model.generate(
        prompt, max_new_tokens=single.sampling.max_new_tokens, do_sample=False, eos_token_id=stops,
        pad_token_id=stops[0], output_logits=True, return_dict_in_generate=True,
    )  # fmt: skip
    written = out.sequences[0, prompt.shape[1] :].tolist()
    logprobs = [torch.log_softmax(step[0], -1)[token] for step, token in zip(out.logits, written, strict=True)]
    text = tokenizer.decode([token for token in written if token not in stops], skip_special_tokens=True)
    return Completion(text.strip(), float(sum(logprobs)) / len(written), len(written))


def test_greedy_texts_and_log_probabilities_equal_plain_generation(
    model: Path, generator: TransformersGenerator
) -> None:
    requests = [request(question) for question in QUESTIONS]
    for got, one in zip(generator.generate(requests), requests, strict=True):
        want = reference(model, generator, one)
        assert got[0].text == want.text
        assert got[0].tokens == want.tokens
        assert got[0].mean_logprob == pytest.approx(want.mean_logprob, abs=1e-4)


@pytest.mark.parametrize(
    ("family", "changes"),
    [(family, {}) for family in FAMILIES]
    + [("gemma3_text", {"sliding_window": 512}), ("phi3", {"sliding_window": 512})],
)
def test_every_family_equals_plain_generation(tmp_path: Path, family: str, changes: dict[str, int]) -> None:
    """The sliding windows of FAMILIES are shorter than the prompts, which rules out a shared prefix; 512 allows it."""
    save_language_model(tmp_path, TEXTS, **{**FAMILIES[family], **changes})
    write_json(tmp_path / "origin.json", {"name": "tiny", "sha256": ["ab12"]})
    generator = TransformersGenerator(tmp_path, "float32", 8)
    requests = [request(question) for question in QUESTIONS]
    for (got,), one in zip(generator.generate(requests), requests, strict=True):
        want = reference(tmp_path, generator, one)
        assert (got.text, got.tokens) == (want.text, want.tokens)
        assert got.mean_logprob == pytest.approx(want.mean_logprob, abs=1e-4)


def test_samples_do_not_depend_on_batch_or_order(generator: TransformersGenerator) -> None:
    requests = [request(question, WARM, samples=3, seed=seed) for seed, question in enumerate(QUESTIONS)]
    together = generator.generate(requests)
    reversed_order = generator.generate(requests[::-1])[::-1]
    alone = [generator.generate([one])[0] for one in requests]
    texts = [[completion.text for completion in answers] for answers in together]
    assert texts == [[completion.text for completion in answers] for answers in reversed_order]
    assert texts == [[completion.text for completion in answers] for answers in alone]


def test_samples_of_one_request_differ_and_seeds_matter(generator: TransformersGenerator) -> None:
    one, two = (generator.generate([request(QUESTIONS[0], WARM, 4, seed)])[0] for seed in (1, 2))
    assert len({completion.text for completion in one}) > 1
    assert [c.text for c in one] != [c.text for c in two]
    again = generator.generate([request(QUESTIONS[0], WARM, 4, 1)])[0]
    assert one == again


def test_a_full_batch_splits_without_changing_texts(model: Path, generator: TransformersGenerator) -> None:
    requests = [request(f"{question} {number}", WARM, 2, number) for number in range(3) for question in QUESTIONS]
    narrow = TransformersGenerator(model, "float32", 3)
    assert [[c.text for c in a] for a in narrow.generate(requests)] == [
        [c.text for c in a] for a in generator.generate(requests)
    ]


def test_sampling_settings_must_agree_within_a_call(generator: TransformersGenerator) -> None:
    with pytest.raises(ValueError, match="share their sampling"):
        generator.generate([request("a", GREEDY), request("b", WARM)])


def test_journal_keys_depend_on_weights_and_batch_size(
    model: Path, generator: TransformersGenerator, tmp_path: Path
) -> None:
    other = tmp_path / "causal"
    shutil.copytree(model, other)
    write_json(other / "origin.json", {"name": "tiny", "sha256": ["cd34"]})
    others = [TransformersGenerator(other, "float32", 8), TransformersGenerator(model, "float32", 4)]
    single = request(QUESTIONS[0])
    assert len({single.key(engine.identity) for engine in (generator, *others)}) == 3
    assert TransformersGenerator(model, "float32", 8).identity == generator.identity
