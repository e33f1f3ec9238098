"""The interface between stages and engines: requests and completions."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Protocol, runtime_checkable

import orjson


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn. `temperature` 0 is greedy decoding; `no_repeat` 0 allows repetitions."""

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
    """`samples` completions of one prompt; sample j is drawn with seed (seed, j), independent of other requests.

    `answer_start` is a prefilled start of the answer; the completion does not repeat it.
    """

    messages: tuple[Message, ...]
    sampling: Sampling
    seed: int
    samples: int = 1
    answer_start: str = ""

    def key(self, generator: str) -> str:
        """A hash of request and generator identity: equal keys mean equal completions."""
        content = orjson.dumps([generator, asdict(self)], option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True)
class Completion:
    """One text, its mean token log-probability under the model (at temperature 1) and its length in tokens."""

    text: str
    mean_logprob: float
    tokens: int


class TextGenerator(Protocol):
    """An engine. It may batch, reorder and share prefixes, but returns answers in the order of the requests."""

    @property
    def identity(self) -> str:
        """Everything a completion depends on besides the request, see `engine_identity`."""

    def generate(self, requests: Sequence[Request]) -> list[list[Completion]]:
        """`requests[i].samples` completions for each request i."""


@runtime_checkable
class PreparedGenerator(TextGenerator, Protocol):
    """An engine that checks requests and loads weights before the first call."""

    def prepare(self, requests: Sequence[Request]) -> None:
        """Check all requests to come, then load the weights.

        Raises:
            InputError: a prompt is longer than the engine takes.
        """
