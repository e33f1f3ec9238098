"""The ranker: a causal language model with LoRA on its top layers and a head with one logit per candidate."""

from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

from pulse_core.models import device
from pulse_core.precision import arithmetic
from pulse_core.ranking.decoder import attention_inputs, log_probabilities, lower_decoder, upper_decoder
from pulse_core.ranking.layout import Batch, candidate_means
from pulse_core.ranking.settings import RankerSettings
from pulse_core.seeding import derive_seed


class Ranker(nn.Module):
    """f_phi = `head_logits` (trained) on top of `trunk` (frozen, so it can be cached)."""

    def __init__(self, directory: Path, settings: RankerSettings, seed: int, *, adapt: bool = True) -> None:
        super().__init__()
        self.settings = settings
        self.dtype = arithmetic(settings.dtype)
        base = _language_model(directory, settings, getattr(torch, self.dtype))
        self.tokenizer = AutoTokenizer.from_pretrained(directory)
        layers: int = base.config.num_hidden_layers
        adapted = settings.adapted(layers)
        self.frozen_layers = layers - adapted if adapt else layers
        self.language_model: Any = base
        if adapt:
            if settings.gradient_checkpointing:
                base.gradient_checkpointing_enable({"use_reentrant": False})
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(derive_seed(seed, "lora"))
                self.language_model = get_peft_model(base, _lora(settings, base, adapted))
        self.scale = nn.Parameter(torch.tensor(1.0))
        self.linear = nn.Linear(base.config.hidden_size, 1)
        # Zero weights: an untrained scalar head ranks all candidates equally, whatever the seed.
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)
        self.to(device())

    @property
    def _causal(self) -> Any:
        model = self.language_model
        return model.get_base_model() if isinstance(model, PeftModel) else model

    def _autocast(self) -> torch.autocast:
        return torch.autocast(device().type, torch.bfloat16, enabled=self.dtype == "bfloat16")

    def _inputs(self, batch: Batch) -> dict[str, Any]:
        place, eager = self.scale.device, self.settings.attention == "eager"
        return {"input_ids": batch.tokens.to(place), **attention_inputs(self._causal.config, batch, place, eager=eager)}

    def trunk(self, batch: Batch) -> torch.Tensor:
        """(B, L, d) states after the frozen layers (the embeddings if no layer is frozen); no gradient."""
        with torch.no_grad(), self._autocast():
            if self.frozen_layers == 0:
                return self._causal.model.embed_tokens(batch.tokens.to(self.scale.device))
            lower = lower_decoder(self._causal.model, self.frozen_layers)
            return lower(**self._inputs(batch)).last_hidden_state

    def head_logits(self, batch: Batch, trunk: torch.Tensor) -> torch.Tensor:
        """(B, C) float32 logits from the trunk's states."""
        with self._autocast():
            upper = upper_decoder(self._causal.model, self.frozen_layers, trunk)
            if self.settings.head == "scalar":
                states = upper(**self._inputs(batch)).last_hidden_state
                chosen = states[batch.last[:, 0], batch.last[:, 1]].float()  # (B * C, d)
                return self.linear(chosen).float().view(-1, batch.width)
            logprob = log_probabilities(self._causal, upper, batch, **self._inputs(batch))
        return self.scale * candidate_means(logprob, batch)

    def forward(self, batch: Batch) -> torch.Tensor:
        """(B, C) float32 logits."""
        return self.head_logits(batch, self.trunk(batch))

    def parameter_groups(self) -> list[dict]:
        """AdamW groups: adapters and the configured head."""
        head, idle = list(self.linear.parameters()), [self.scale]
        if self.settings.head == "likelihood":
            head, idle = idle, head
        for parameter in idle:
            parameter.requires_grad_(False)
        adapters = [p for name, p in self.named_parameters() if "lora_" in name]
        return [
            {"params": adapters, "lr": self.settings.learning_rate},
            {"params": head, "lr": self.settings.head_learning_rate},
        ]


def _language_model(directory: Path, settings: RankerSettings, dtype: torch.dtype) -> Any:
    """The prepared model in `dtype`, or with its linear layers in 4 bits."""
    options: dict[str, Any] = {"dtype": dtype, "attn_implementation": settings.attention}
    if settings.load_in_4bit:
        # bitsandbytes quantises a layer when it is moved to its device.
        options["device_map"] = {"": torch.cuda.current_device() if device().type == "cuda" else "cpu"}
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype
        )
    model: Any = AutoModelForCausalLM.from_pretrained(directory, **options)
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            # There bitsandbytes repacks a layer at its first evaluation, which then blocks gradients.
            module.support_avx512bf16_for_cpu = False
    return model


def _lora(settings: RankerSettings, base: Any, adapted: int) -> LoraConfig:
    """Adapters on every linear layer of the `adapted` top layers."""
    layers = base.model.layers
    linear = {name.rsplit(".", 1)[-1] for name, module in layers.named_modules() if isinstance(module, nn.Linear)}
    return LoraConfig(
        r=settings.lora_r,
        lora_alpha=settings.lora_alpha,
        lora_dropout=settings.lora_dropout,
        target_modules=sorted(linear),
        layers_to_transform=list(range(len(layers) - adapted, len(layers))),
        task_type="CAUSAL_LM",
    )
