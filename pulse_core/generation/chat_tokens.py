"""Requests to token ids and token ids to texts, the same for every engine."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from transformers import AutoConfig, AutoTokenizer, GenerationConfig

from pulse_core.generation.requests import Request


class ChatTokens:
    """A prepared model's tokenizer and chat template."""

    def __init__(self, directory: Path) -> None:
        self.tokenizer: Any = AutoTokenizer.from_pretrained(directory)
        self._vocabulary: int = AutoConfig.from_pretrained(directory).vocab_size
        ends = GenerationConfig.from_pretrained(directory).eos_token_id
        self._ends: list[int | None] = ends if isinstance(ends, list) else [ends]

    def prompt(self, request: Request) -> list[int]:
        """Token ids of one prompt, see `prompts`."""
        return self.prompts([request])[0]

    def prompts(self, requests: Sequence[Request]) -> list[list[int]]:
        """Token ids of the prompts in the model's chat format, each followed by the start of its answer."""
        # Only Qwen 3's template reads `enable_thinking`; the thoughts would fill a rationale.
        options = {"tokenize": False, "add_generation_prompt": True, "enable_thinking": False}
        texts = [
            self.tokenizer.apply_chat_template([asdict(message) for message in request.messages], **options)
            + request.answer_start
            for request in requests
        ]
        return self.tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []

    def stops(self) -> list[int]:
        """Token ids that end a text: end-of-turn tokens and all with a line break (a rationale is one line)."""
        pieces = self.tokenizer.batch_decode([[token] for token in range(len(self.tokenizer))])
        stops = {*self._ends, self.tokenizer.eos_token_id}
        stops |= {token for token, piece in enumerate(pieces) if "\n" in piece}
        return sorted(token for token in stops if token is not None and token < self._vocabulary)

    def text(self, tokens: list[int]) -> str:
        """The text without special tokens and surrounding white space."""
        return str(self.tokenizer.decode(tokens, skip_special_tokens=True)).strip()
