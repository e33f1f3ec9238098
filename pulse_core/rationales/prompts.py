"""Prompt templates: Jinja files that read as a conversation.

A template's lines `### system`, `### user`, `### assistant` open a turn; a last `### assistant` turn holds the first
words of the answer. Nothing in a template belongs to one model: the model's own chat format is put round the turns.
"""

import re
from pathlib import Path
from typing import Any

import jinja2

from pulse_core.errors import InputError
from pulse_core.generation.requests import Completion, Message, Request

TURN = re.compile(r"^### (system|user|assistant)[ \t]*$", re.MULTILINE)


class PromptTemplate:
    """One template file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        environment = jinja2.Environment(
            undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
        )
        try:
            self._template = environment.from_string(path.read_text(encoding="utf-8"))
        except jinja2.TemplateSyntaxError as error:
            raise InputError(f"{path}:{error.lineno}: {error.message}") from error

    def render(self, **values: Any) -> tuple[tuple[Message, ...], str]:
        """The conversation up to the open question, and the first words of the answer ("" if the template has none).

        Raises:
            InputError: the template asks for a value that this prompt does not have, or has no `### user` turn.
        """
        try:
            text = self._template.render(**values)
        except jinja2.UndefinedError as error:
            raise InputError(f"{self.path}: {error.message}; this prompt has {', '.join(sorted(values))}") from error
        parts = TURN.split(text)[1:]
        turns = [Message(role, content.strip()) for role, content in zip(parts[::2], parts[1::2], strict=True)]
        start = turns.pop().content if turns and turns[-1].role == "assistant" else ""
        if not turns or turns[-1].role != "user":
            raise InputError(f"{self.path}: wants a `### user` turn at the end, before the answer's first words")
        return tuple(turns), start


def tidy(request: Request, completion: Completion) -> str:
    """A completion as a rationale: the answer's first words put back, one line, one that ran into the token limit cut
    back to its last whole clause; nothing where the model wrote nothing."""
    if not completion.text.strip():
        return ""
    whole = " ".join(f"{request.answer_start} {completion.text}".split())
    if whole.endswith((".", "!", "?")):
        return whole
    if completion.tokens < request.sampling.max_new_tokens:
        return whole + "."
    # Keep up to the last full stop that ends a sentence, else to the last comma.
    stop = max((match.end() for match in re.finditer(r"[a-z\)][.!?](?=\s)", whole)), default=0)
    if stop >= len(whole) // 2:
        return whole[:stop]
    comma = whole.rfind(", ")
    kept = (whole[:comma] if comma >= len(whole) // 2 else whole).rstrip(" ,;:-")
    return re.sub(r"\s(and|or|with|for|to|a|the|of|in)$", "", kept) + "."
