"""The interface between stages and engines: requests, completions, and the identity of an engine."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import orjson

from pulse_core.code_version import code_files, files_version


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

    def prepare(self, requests: Sequence[Request]) -> None:
        """Check all requests to come, then load the weights; called before the first `generate`.

        Raises:
            InputError: a prompt is longer than the engine takes.
        """

    def generate(self, requests: Sequence[Request]) -> list[list[Completion]]:
        """`requests[i].samples` completions for each request i."""


def common_prefix(prompts: Sequence[Any]) -> int:
    """Number of leading tokens or characters that all prompts share."""
    low, high = min(prompts), max(prompts)  # the prefix of the extremes is the prefix of all
    return next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), len(low))


def engine_identity(module: str, library: str, origin: Mapping[str, Any], *settings: str | int) -> str:
    """The identity of an engine: library with version, this package's code that the engine's file `module` uses,
    weights (`origin`: the prepared model's origin.json), and settings that change rounding."""
    file = Path(module).resolve()
    root = file.parents[2]
    code = files_version((code for code in code_files(file, root) if code.parent == file.parent), root)
    return ":".join([f"{library}-{code}", origin["name"], *origin["sha256"], *map(str, settings)])


def engine_of(identity: str) -> str:
    """The engine named in an identity: `transformers`, `vllm` or `fake`."""
    return identity.partition("-")[0]
