"""The memory arithmetic beside the bytes that torch really holds, and what a card cannot hold."""

import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import BertConfig, BertModel, LlamaConfig, Phi3Config

from pulse_core.artifacts import read_json
from pulse_core.checkpoints import optimiser_tensors
from pulse_core.encoder import Encoder
from pulse_core.generation import growing_cache, transformers_engine
from pulse_core.generation.requests import Message, Request, Sampling
from pulse_core.generation.settings import GenerationSettings, VLLMSettings
from pulse_core.generation.transformers_engine import TransformersGenerator
from pulse_core.plan_settings import ShapeSettings
from pulse_core.planning import memory
from pulse_core.planning.memory import (
    GIB,
    Memory,
    encoders_training_memory,
    encoding_memory,
    ranker_memory,
    transformers_memory,
    vllm_memory,
)
from pulse_core.planning.model_stages import STATE_BYTES
from pulse_core.planning.shapes import shape_of_config
from pulse_core.ranking.layout import collate
from pulse_core.ranking.model import Ranker
from pulse_core.ranking.packing import PackedQuestion
from pulse_core.ranking.settings import RankerSettings
from pulse_core.thought_space.settings import ThoughtSpaceSettings
from tests.planning.test_shapes import paper_shape
from tests.workflow.tiny_models import save_language_model, tokenizer

TOLERANCE = 0.15
PHI = paper_shape("microsoft/Phi-4-mini-instruct")
DISTILBERT = paper_shape("distilbert/distilbert-base-uncased")
WIDTHS = {"float32": 4, "bfloat16": 2}
# What is there before the work begins, or what torch does not make.
STANDING = {"weights", "process", "adapters", "adapters, gradients, AdamW"}


class Peak(TorchDispatchMode):
    """The most bytes that tensors made under it hold at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self._held: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, torch.Tensor) and (key := tensor.untyped_storage()._cdata) not in self._held:
                self._held.add(key)
                self.now += tensor.untyped_storage().nbytes()
                weakref.finalize(tensor.untyped_storage(), self._freed, key, tensor.untyped_storage().nbytes())
        self.most = max(self.most, self.now)
        return made

    def _freed(self, key: int, size: int) -> None:
        self._held.discard(key)
        self.now -= size


def peak(work: Callable[[], Any]) -> int:
    """The most bytes that `work` holds at once beside what is there already."""
    with Peak() as found:
        work()
    return found.most


def working(planned: Memory) -> int:
    """The planned bytes of the work itself."""
    return sum(size for part, size in planned.parts.items() if part not in STANDING)


@pytest.fixture(scope="module", params=[LlamaConfig, Phi3Config], ids=["llama", "phi3"])
def language_model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six layers, wide enough that states outweigh copies of adapters."""
    directory = tmp_path_factory.mktemp("wide")
    sizes = {"hidden_size": 256, "intermediate_size": 704, "num_hidden_layers": 6}
    save_language_model(directory, ["rose cream"], request.param, **sizes, num_attention_heads=8, num_key_value_heads=4)
    (directory / "origin.json").write_bytes(orjson.dumps({"name": "wide", "sha256": ["0"]}))
    return directory


def shape_of(directory: Path) -> ShapeSettings:
    return shape_of_config(read_json(directory / "config.json"), str(directory))


CHANGES: list[dict[str, Any]] = [{}, {"adapted_layers": 3}, {"gradient_checkpointing": True}, {"attention": "eager"}]


@pytest.mark.parametrize("changes", CHANGES, ids=str)
@pytest.mark.parametrize("dtype", WIDTHS)
def test_what_the_ranker_holds(language_model: Path, dtype: Any, changes: dict[str, Any]) -> None:
    batch = collate([PackedQuestion(list(range(3, 203)), [list(range(5, 25))] * 10)] * 2)  # 400 tokens a user
    settings = RankerSettings(**{"head": "scalar", "dtype": dtype, "adapted_layers": None, "batch_users": 2, **changes})
    ranker, shape = Ranker(language_model, settings, 0), shape_of(language_model)
    asked = {"adapted": settings.adapted(6), "length": 400, "predicted": 0, "carded": False}
    training = ranker_memory(shape, settings, WIDTHS[dtype], training=True, **asked)
    measured = peak(lambda: ranker.train().head_logits(batch, ranker.trunk(batch)).sum().backward())
    assert working(training) == pytest.approx(measured, rel=TOLERANCE)
    scoring = ranker_memory(shape, settings, WIDTHS[dtype], training=False, **asked)
    with torch.inference_mode():
        measured = peak(lambda: ranker.eval()(batch))
    # Of one layer, less than training keeps of it or, where attention is eager, a little more: nothing beside weights.
    assert 0.8 * measured <= working(scoring) <= 1.75 * measured


@pytest.mark.parametrize("carded", [True, False])
@pytest.mark.parametrize("dtype", WIDTHS)
def test_what_the_encoders_hold(tmp_path: Path, dtype: str, carded: bool) -> None:
    words = tokenizer(["rose cream"])
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=256,
        intermediate_size=1024,
        num_hidden_layers=6,
        num_attention_heads=8,
        attention_probs_dropout_prob=0.0 if carded else 0.1,  # only without dropout has a CPU a fused kernel
    )
    BertModel(config).save_pretrained(tmp_path)
    words.save_pretrained(tmp_path)
    shape, width = shape_of_config(config.to_dict(), ""), WIDTHS[dtype]
    encoders = [Encoder(tmp_path, length, dtype=dtype) for length in (48, 128, 384)]
    for encoder in encoders:
        if carded:
            encoder.model.set_attn_implementation("sdpa")  # type: ignore[operator]
        encoder.model.train()

    def step() -> None:
        embedded = [encoder.embed([[5] * encoder.max_tokens] * 16) for encoder in encoders[:2]]
        (embedded[0] @ embedded[1].T).sum().backward()

    step()  # the gradients are there from now on
    planned = encoders_training_memory(shape, ThoughtSpaceSettings(batch_size=16), width, 48, 128, carded=carded)
    masks = 3 * 2 * 16 * (48 + 128) * 6 * 256 if carded else 0  # a card's are booleans, these four bytes wide
    assert planned.parts["activations"] + masks == pytest.approx(peak(step), rel=TOLERANCE / 2)
    for encoder in encoders:
        frozen = encoding_memory(shape, width, 16, encoder.max_tokens, carded=carded)
        measured = peak(lambda encoder=encoder: encoder.encode([f"{number}" + "x" * 700 for number in range(16)], 16))
        assert frozen.parts["states"] == pytest.approx(measured, rel=TOLERANCE)


@pytest.mark.parametrize(("texts", "shared", "own"), [(32, 300, 200), (64, 50, 60)], ids=["prefill", "cache"])
@pytest.mark.parametrize("dtype", WIDTHS)
def test_what_writing_holds(language_model: Path, dtype: str, texts: int, shared: int, own: int) -> None:
    engine = TransformersGenerator(language_model, dtype, texts)
    contents = ["x" * shared + chr(97 + number // 8) + chr(97 + number % 8) + "y" * own for number in range(texts)]
    requests = [Request((Message("user", content),), Sampling(16, 0.7, 0.9, 50), 0) for content in contents]
    prompts = [engine.chat.prompt(request) for request in requests]
    engine.prepare(requests)
    common = transformers_engine._common_prefix(prompts)
    planned = transformers_memory(
        shape_of(language_model), WIDTHS[dtype], texts, common, max(map(len, prompts)) - common
    )
    assert working(planned) == pytest.approx(peak(lambda: engine.generate(requests)), rel=1.2 * TOLERANCE)


def test_the_engine_planned_for_is_ours() -> None:
    assert memory.PREFILL_PROMPTS == transformers_engine.PREFILL_PROMPTS
    assert memory.RESERVE == growing_cache.RESERVE


def test_training_holds_what_torch_and_adam_hold() -> None:
    """Weights, gradients and both moments of one encoder, counted on the tensors themselves."""
    config = BertConfig(
        vocab_size=200, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4
    )
    model = BertModel(config, add_pooling_layer=False)
    optimiser = torch.optim.AdamW(model.parameters())
    model(torch.zeros(1, 8, dtype=torch.long)).last_hidden_state.sum().backward()
    optimiser.step()
    held = [*model.parameters(), *(each.grad for each in model.parameters() if each.grad is not None)]
    held += [state[name] for state in optimiser.state.values() for name in ("exp_avg", "exp_avg_sq")]
    measured = sum(tensor.untyped_storage().nbytes() for tensor in held)
    shape = shape_of_config(config.to_dict(), "")
    planned = encoders_training_memory(shape, ThoughtSpaceSettings(), 4, 8, 8, carded=True)
    assert planned.parts["weights, gradients, AdamW"] == 2 * measured
    # A state on the disk: the weights, the best ones, and what the optimiser knows (a count of steps for each tensor).
    weights = sum(each.numel() for each in model.parameters())
    state = 2 * 4 * weights + sum(tensor.nbytes for tensor in optimiser_tensors(optimiser).values())
    assert state == pytest.approx(STATE_BYTES / 2 * weights, rel=0.01)


def test_vllm_gives_its_cache_what_is_left_of_its_share() -> None:
    settings = GenerationSettings(batch_size=128, vllm=VLLMSettings(max_model_tokens=8192, gpu_memory_share=0.9))
    large = vllm_memory(PHI, settings, 2, 24 * GIB, 1000)
    assert large.total == int(0.9 * 24 * GIB)
    assert large.sequences == large.parts["cache"] // (131_072 * 1000)
    # A cache with no room for one sequence is more than the card.
    small = vllm_memory(PHI, settings, 2, 8 * GIB, 1000)
    assert small.parts["cache"] == 8192 * 131_072 and small.total > 8 * GIB


def test_four_bits_and_the_likelihood_head_weigh_what_they_should() -> None:
    def held(**changes: Any) -> Memory:
        predicted = 300 if changes.get("head") == "likelihood" else 0
        settings = RankerSettings(**{"head": "scalar", "batch_users": 1, **changes})
        asked = {"adapted": 32, "length": 800, "predicted": predicted, "carded": True}
        return ranker_memory(PHI, settings, 2, training=True, **asked)

    # Phi-4-mini's linear layers have 3,221,225,472 weights: two bytes each, or half a byte and a float for each 64.
    saved = held().parts["weights"] - held(load_in_4bit=True).parts["weights"]
    assert saved == pytest.approx(3_221_225_472 * (2 - 0.5625), rel=0.001)
    assert held(head="likelihood").total - held().total == 300 * 200_064 * (2 + 4 + 8 + 2)


def test_processes_divide_the_batch_and_send_gradients() -> None:
    one, two = (
        encoders_training_memory(DISTILBERT, ThoughtSpaceSettings(processes=count), 4, 128, 512, carded=True)
        for count in (1, 2)
    )
    assert two.parts["activations"] == pytest.approx(one.parts["activations"] / 2, abs=1)
    assert two.parts["gradients as a message"] == 2 * 4 * 2 * 66_362_880
    assert two.parts["weights, gradients, AdamW"] == one.parts["weights, gradients, AdamW"]
