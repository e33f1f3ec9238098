"""Stage 2's two trained projections, and the frozen language model that reads what they make."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, AutoTokenizer

from pulse_core.baselines.a_llmrec.prompts import USER, SoftPrompt
from pulse_core.models import device
from pulse_core.precision import arithmetic
from pulse_core.ranking.decoder import attention_inputs, logits_at
from pulse_core.ranking.layout import Batch, collate
from pulse_core.ranking.likelihood import token_log_probabilities


class Projections(nn.Module):
    """User states (n, d) and item codes (n, c) to input embeddings (n, H) of the language model.

    Soft tokens start about as long as the model's own embeddings (root mean square `scale`), which it knows how to
    read.
    """

    def __init__(self, dimension: int, code: int, hidden: int, scale: float) -> None:
        super().__init__()
        user, item = nn.Linear(hidden, hidden), nn.Linear(hidden, hidden)
        self.user = nn.Sequential(nn.Linear(dimension, hidden), nn.LayerNorm(hidden), nn.LeakyReLU(), user)
        self.item = nn.Sequential(nn.Linear(code, hidden), nn.LayerNorm(hidden), nn.GELU(), item)
        for last in (user, item):
            nn.init.normal_(last.weight, std=scale * (2 / hidden) ** 0.5)  # half the variance passes either activation
            nn.init.zeros_(last.bias)


class FrozenLanguageModel:
    """A causal language model that reads soft tokens. Its weights never change: gradients pass through them alone."""

    def __init__(self, directory: Path, dtype: str) -> None:
        self.dtype = arithmetic(dtype)
        options: dict[str, Any] = {"dtype": getattr(torch, self.dtype), "attn_implementation": "sdpa"}
        self.model: Any = AutoModelForCausalLM.from_pretrained(directory, **options).eval().requires_grad_(False)
        self.model.to(device())
        self.tokenizer: Any = AutoTokenizer.from_pretrained(directory)
        self.hidden: int = self.model.config.hidden_size
        self.scale = float(self.model.get_input_embeddings().weight.float().square().mean().sqrt())

    def log_probabilities(
        self, prompts: Sequence[SoftPrompt], states: Tensor, codes: Tensor, projections: Projections
    ) -> tuple[Tensor, Batch]:
        """(T,) log-probabilities of every answer's tokens after its prompt, and the batch that says whose they are.

        The answers of a prompt are packed behind it, none sees another: the prompt is computed once.

        Args:
            states: (B, d), the user of each prompt.
            codes: (items, c), by item code.
        """
        place = device()
        batch = collate([prompt.packed for prompt in prompts])
        slots = [(row, index, item) for row, prompt in enumerate(prompts) for index, item in prompt.slots]
        row, index, item = torch.tensor(slots).T
        items, users = item != USER, item == USER
        embedded = self.model.get_input_embeddings()(batch.tokens.to(place)).clone()  # (B, L, H)
        soft = torch.cat(
            [projections.user(states[row[users]].to(place)), projections.item(codes[item[items]].to(place))]
        )
        where = torch.cat([row[users], row[items]]).to(place), torch.cat([index[users], index[items]]).to(place)
        embedded = embedded.index_put(where, soft.to(embedded.dtype))
        with torch.autocast(place.type, torch.bfloat16, enabled=self.dtype == "bfloat16"):
            # Only where an answer's token follows: the vocabulary is wide.
            inputs = attention_inputs(self.model.config, batch, place)
            logits = logits_at(self.model, self.model.model, batch.source, inputs_embeds=embedded, **inputs)
        return token_log_probabilities(logits, batch.predicted.to(place)), batch
