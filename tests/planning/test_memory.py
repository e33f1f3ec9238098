"""The memory arithmetic beside bytes that torch really keeps for the backward pass, and what a card cannot hold."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertModel, LlamaConfig, Phi3Config

from pulse_core.artifacts import read_json
from pulse_core.generation import transformers_engine
from pulse_core.planning import memory
from pulse_core.planning.memory import (
    GIB,
    adapter_activations,
    encoder_activations,
    encoders_training_memory,
    ranker_memory,
    vllm_memory,
)
from pulse_core.planning.settings import ShapeSettings
from pulse_core.planning.shapes import layer_parameters, parameters, shape_of_config
from pulse_core.ranking.layout import Batch, collate
from pulse_core.ranking.model import Ranker
from pulse_core.ranking.packing import PackedQuestion
from pulse_core.ranking.settings import RankerSettings
from pulse_core.thought_space.encoder import Encoder
from tests.planning.test_shapes import paper_shape
from tests.workflow.tiny_models import save_language_model, tokenizer

TOLERANCE = 0.15
PHI = paper_shape("microsoft/Phi-4-mini-instruct")
DISTILBERT = paper_shape("distilbert/distilbert-base-uncased")


def kept_bytes(work: Callable[[], torch.Tensor], parameters: list[torch.nn.Parameter]) -> int:
    """Bytes of the storages that `work` leaves for its backward pass, the parameters' own apart."""
    own = {each.untyped_storage().data_ptr() for each in parameters}
    kept: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.untyped_storage().data_ptr() not in own:
            kept[tensor.untyped_storage().data_ptr()] = tensor  # held, so that no address is used twice
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        work()
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


@pytest.fixture(scope="module", params=[LlamaConfig, Phi3Config], ids=["llama", "phi3"])
def language_model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six layers, wide enough that states outweigh copies of adapters."""
    directory = tmp_path_factory.mktemp("wide")
    sizes = {"hidden_size": 256, "intermediate_size": 704, "num_hidden_layers": 6}
    save_language_model(directory, ["rose cream"], request.param, **sizes, num_attention_heads=8, num_key_value_heads=4)
    return directory


def packed(users: int = 2) -> Batch:
    return collate([PackedQuestion(list(range(3, 203)), [list(range(5, 25))] * 10)] * users)  # 400 tokens a user


def trained(directory: Path, batch: Batch, **changes: object) -> tuple[Ranker, int]:
    """A ranker and the bytes that one of its training steps keeps."""
    settings = RankerSettings(head="scalar", **changes)  # type: ignore[arg-type]
    ranker = Ranker(directory, settings, 0).train()
    trunk = ranker.trunk(batch)
    return ranker, kept_bytes(lambda: ranker.head_logits(batch, trunk), list(ranker.parameters()))


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_what_the_ranker_keeps(language_model: Path, dtype: str, attention: str) -> None:
    batch = packed()
    shape = shape_of_config(read_json(language_model / "config.json"), "")
    width = 4 if dtype == "float32" else 2
    for adapted in (None, 3):
        ranker, measured = trained(language_model, batch, dtype=dtype, adapted_layers=adapted, attention=attention)
        each = adapter_activations(shape, width, 400, 4, 0.05, eager=attention == "eager")
        planned = (adapted or 6) * batch.tokens.numel() * each
        assert planned == pytest.approx(measured, rel=TOLERANCE)
        assert ranker.frozen_layers == 6 - (adapted or 6)


def test_checkpointing_keeps_the_inputs_of_layers(language_model: Path) -> None:
    batch = packed()
    _, measured = trained(language_model, batch, dtype="float32", adapted_layers=None, gradient_checkpointing=True)
    inputs = 6 * batch.tokens.numel() * 4 * 256
    # The masks and positions that every layer is handed stand beside them.
    assert inputs <= measured <= 1.5 * inputs


@pytest.mark.parametrize("fused", [True, False])
def test_what_an_encoder_keeps(tmp_path: Path, fused: bool) -> None:
    words = tokenizer(["rose cream"])
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=256,
        intermediate_size=1024,
        num_hidden_layers=4,
        num_attention_heads=8,
        attention_probs_dropout_prob=0.0 if fused else 0.1,  # with dropout the CPU has no fused kernel
    )
    BertModel(config).save_pretrained(tmp_path)
    words.save_pretrained(tmp_path)
    encoder = Encoder(tmp_path, 128, dtype="float32")
    encoder.model.train()
    texts = [[5] * 128] * 8
    measured = kept_bytes(lambda: encoder.embed(texts), list(encoder.model.parameters()))
    shape = shape_of_config(config.to_dict(), "")
    planned = 8 * 128 * (4 * encoder_activations(shape, 4, 128, 4, fused=fused) + 8 * 256)
    assert planned == pytest.approx(measured, rel=TOLERANCE)


def test_training_holds_what_torch_and_adam_hold(tmp_path: Path) -> None:
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
    planned = encoders_training_memory(shape_of_config(config.to_dict(), ""), 4, 1, 8, 8, 4, fused=True)
    assert planned.parts["weights, gradients, AdamW"] == 2 * measured


def test_the_papers_stages_on_24_gib() -> None:
    """The arithmetic of docs/planning.md by hand: Phi-4-mini in bfloat16 is 7.1 GiB, a token's cache 128 KiB."""
    writing = vllm_memory(PHI, 2, 24 * GIB, 0.9, 128, 8192, 1000)
    assert writing.parts["weights"] == 2 * 3_836_021_760
    assert writing.total == int(0.9 * 24 * GIB)
    assert writing.sequences == writing.parts["cache"] // (131_072 * 1000)
    shared = {"rank": 8, "dropout": 0.05, "adapted": 32, "users": 1, "predicted": 0, "mask_width": 1, "training": True}
    plain = ranker_memory(PHI, 2, length=800, **shared)  # type: ignore[arg-type]
    assert plain.total < 24 * GIB
    # 32 layers, 800 tokens: norms 8 d, adapters' inputs 3 d + ff at 3 bytes, attention 4 d, feed-forward 3 ff, mask.
    by_hand = 8 * 3072 + 3 * (3 * 3072 + 8192) + 2 * (4 * 3072 + 3 * 8192 + 800)
    assert plain.parts["activations"] == 32 * 800 * by_hand
    checkpointed = ranker_memory(PHI, 2, length=800, checkpointing=True, **shared)  # type: ignore[arg-type]
    assert checkpointed.parts["activations"] == 800 * (32 * 2 * 3072 + by_hand)
    four_bit = ranker_memory(PHI, 2, length=800, four_bit=True, **shared)  # type: ignore[arg-type]
    assert four_bit.parts["weights"] == int(0.5625 * 32 * layer_parameters(PHI)) + 2 * (200_064 + 1) * 3072
    encoders = encoders_training_memory(DISTILBERT, 4, 32, 128, 512, 1, fused=True)
    assert encoders.parts["weights, gradients, AdamW"] == 2 * 16 * 66_362_880
    assert encoders.total < 24 * GIB


def test_the_vocabulary_weighs_in_the_likelihood_head() -> None:
    shared = {"rank": 8, "dropout": 0.05, "adapted": 32, "users": 1, "length": 800, "mask_width": 1, "training": True}
    scalar = ranker_memory(PHI, 2, predicted=0, **shared)  # type: ignore[arg-type]
    likelihood = ranker_memory(PHI, 2, predicted=300, **shared)  # type: ignore[arg-type]
    assert likelihood.total - scalar.total == 300 * 200_064 * (2 + 4 + 8 + 2)


def test_a_cache_with_no_room_for_one_sequence_is_more_than_the_card() -> None:
    small = vllm_memory(PHI, 2, 8 * GIB, 0.9, 128, 8192, 1000)
    assert small.total > 8 * GIB
    assert small.parts["cache"] == 8192 * 131_072


def test_processes_divide_the_batch_and_send_gradients() -> None:
    one, two = (
        encoders_training_memory(DISTILBERT, 4, 32, 128, 512, 1, fused=True, processes=count) for count in (1, 2)
    )
    assert two.parts["activations"] == one.parts["activations"] // 2
    assert two.parts["gradients as a message"] == 2 * 4 * 2 * 66_362_880
    assert two.parts["weights, gradients, AdamW"] == one.parts["weights, gradients, AdamW"]


def test_larger_models_hold_more() -> None:
    double = ShapeSettings(**{**PHI.model_dump(), "layers": 64})
    assert parameters(double) - parameters(PHI) == 32 * layer_parameters(PHI)


def test_the_prefill_planned_for_is_the_engines() -> None:
    assert memory.PREFILL_PROMPTS == transformers_engine.PREFILL_PROMPTS
