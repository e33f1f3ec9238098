"""Prompt templates: Jinja files with a conversation.

The lines `### system`, `### user` and `### assistant` open a turn; a final `### assistant` turn holds the first words
of the answer. Templates are independent of the model, whose chat format is applied to the turns.
"""

import re
import traceback
from pathlib import Path
from typing import Any

import jinja2

from pulse_core.errors import InputError
from pulse_core.generation.requests import Completion, Message, Request

TURN = re.compile(r"^### (system|user|assistant)[ \t]*$", re.MULTILINE)


class PromptTemplate:
    """One template file.

    Raises:
        InputError: the file cannot be read as UTF-8 text, or has a syntax error.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        environment = jinja2.Environment(
            loader=jinja2.FunctionLoader(_refuse),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            autoescape=False,
        )
        try:
            self._template = environment.from_string(path.read_text(encoding="utf-8"))
        except jinja2.TemplateSyntaxError as error:
            raise InputError(f"{path}:{error.lineno}: {error.message}") from error
        except UnicodeDecodeError:
            raise InputError(f"{path}: not a prompt template in UTF-8 text") from None
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}") from None

    def render(self, **values: Any) -> tuple[tuple[Message, ...], str]:
        """The turns up to the question, and the first words of the answer ("" if the template has none).

        Raises:
            InputError: the template uses a value that this prompt does not have, computes something impossible,
                includes another template, or has no `### user` turn.
        """
        try:
            text = self._template.render(**values)
        except Exception as error:  # templates are code: they may raise anything
            frames = traceback.extract_tb(error.__traceback__)
            line = next(frame.lineno for frame in reversed(frames) if frame.filename == "<template>")
            undefined = isinstance(error, jinja2.UndefinedError)
            advice = f"; this prompt has {', '.join(sorted(values))}" if undefined else ""
            raise InputError(f"{self.path}:{line}: {error or type(error).__name__}{advice}") from error
        parts = TURN.split(text)[1:]
        turns = [Message(role, content.strip()) for role, content in zip(parts[::2], parts[1::2], strict=True)]
        start = turns.pop().content if turns and turns[-1].role == "assistant" else ""
        if not turns or turns[-1].role != "user":
            raise InputError(f"{self.path}: needs a `### user` turn at the end, before the answer's first words")
        return tuple(turns), start


def _refuse(name: str) -> None:
    raise InputError(f"templates cannot include or import others, such as {name}")


def tidy(request: Request, completion: Completion) -> str:
    """A completion as a one-line rationale with the answer's first words in front, cut after its last whole clause
    where it reached the token limit; "" for an empty completion."""
    if not completion.text.strip():
        return ""
    whole = " ".join(f"{request.answer_start} {completion.text}".split())
    if whole.endswith((".", "!", "?")):
        return whole
    if completion.tokens < request.sampling.max_new_tokens:
        return whole + "."
    # Cut after the last end of a sentence, else at the last comma.
    stop = max((match.end() for match in re.finditer(r"[a-z\)][.!?](?=\s)", whole)), default=0)
    if stop >= len(whole) // 2:
        return whole[:stop]
    comma = whole.rfind(", ")
    kept = (whole[:comma] if comma >= len(whole) // 2 else whole).rstrip(" ,;:-")
    return re.sub(r"\s(and|or|with|for|to|a|the|of|in)$", "", kept) + "."
