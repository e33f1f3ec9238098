"""The seam between stages and engines: requests in, completions out."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Protocol, runtime_checkable

import orjson


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn. `temperature` 0 is greedy decoding; `no_repeat` 0 allows every repetition."""

    max_new_tokens: int
    temperature: float
    top_p: float
    top_k: int
    no_repeat: int = 0


@dataclass(frozen=True)
class Message:
    """One turn of a conversation; `role` is system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True)
class Request:
    """`samples` completions of one prompt; sample j draws from the seed (seed, j), whatever else runs beside it.

    `answer_start` is the beginning of the answer, put into the assistant's mouth and not repeated in the completion.
    """

    messages: tuple[Message, ...]
    sampling: Sampling
    seed: int
    samples: int = 1
    answer_start: str = ""

    def key(self, generator: str) -> str:
        """The content address under a generator's identity: equal keys mean equal completions."""
        content = orjson.dumps([generator, asdict(self)], option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True)
class Completion:
    """One text: what was written, its mean token log-probability under the model (temperature 1), its length."""

    text: str
    mean_logprob: float
    tokens: int


class TextGenerator(Protocol):
    """An engine. It may batch, reorder and share prefixes, as long as the answers come in the order asked."""

    @property
    def identity(self) -> str:
        """Engine, its code, weights and precision: everything that a completion depends on beside the request."""

    def generate(self, requests: Sequence[Request]) -> list[list[Completion]]:
        """`requests[i].samples` completions for each request i."""


@runtime_checkable
class PreparedGenerator(TextGenerator, Protocol):
    """An engine with something to do, or to refuse, before the first of a list of requests is asked."""

    def prepare(self, requests: Sequence[Request]) -> None:
        """Check the requests that will be asked, call by call, then load the weights.

        Raises:
            InputError: a prompt is longer than the engine takes.
        """
