"""Stage 2: the two trained projections to soft tokens, and the frozen language model that reads these."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, AutoTokenizer

from pulse_core.baselines.a_llmrec.prompts import USER, SoftPrompt
from pulse_core.models import device
from pulse_core.precision import arithmetic
from pulse_core.ranking.decoder import attention_inputs, log_probabilities
from pulse_core.ranking.layout import Batch, collate


class Projections(nn.Module):
    """Map user states (n, d) and item codes (n, c) to input embeddings (n, H) of the language model.

    Initial soft tokens have about the norm of the model's token embeddings, whose root mean square is `scale`.
    """

    def __init__(self, dimension: int, code: int, hidden: int, scale: float) -> None:
        super().__init__()
        user, item = nn.Linear(hidden, hidden), nn.Linear(hidden, hidden)
        self.user = nn.Sequential(nn.Linear(dimension, hidden), nn.LayerNorm(hidden), nn.LeakyReLU(), user)
        self.item = nn.Sequential(nn.Linear(code, hidden), nn.LayerNorm(hidden), nn.GELU(), item)
        for last in (user, item):
            nn.init.normal_(last.weight, std=scale * (2 / hidden) ** 0.5)  # the activations halve the variance
            nn.init.zeros_(last.bias)


class FrozenLanguageModel:
    """A causal language model that reads soft tokens; gradients pass through it, but its weights are not trained."""

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
        """(T,) log-probabilities of all answers' tokens after their prompts, and the batch that maps them to answers.

        Answers are packed after their prompt without attending to each other, so each prompt is computed once.
        states (B, d): user state of each prompt; codes (items, c), by item code.
        """
        torch_device = device()
        batch = collate([prompt.packed for prompt in prompts])
        slots = [(row, index, item) for row, prompt in enumerate(prompts) for index, item in prompt.slots]
        row, index, item = torch.tensor(slots).T
        items, users = item != USER, item == USER
        embedded = self.model.get_input_embeddings()(batch.tokens.to(torch_device)).clone()  # (B, L, H)
        user_tokens = projections.user(states[row[users]].to(torch_device))
        item_tokens = projections.item(codes[item[items]].to(torch_device))
        embedded[row[users], index[users]] = user_tokens.to(embedded.dtype)
        embedded[row[items], index[items]] = item_tokens.to(embedded.dtype)
        with torch.autocast(torch_device.type, torch.bfloat16, enabled=self.dtype == "bfloat16"):
            # Logits only where an answer's token follows, because the vocabulary is large.
            inputs = {**attention_inputs(self.model.config, batch, torch_device), "inputs_embeds": embedded}
            return log_probabilities(self.model, self.model.model, batch, **inputs), batch
