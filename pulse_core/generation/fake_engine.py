"""A generator without a model, for tests.

`generation.engine: fake` requires `testing: true`, and hr1.json warns of it. Its texts depend on the request only and
consist of the prompt's words, so tests see which words could have reached a text.
"""

import random
from collections.abc import Sequence

from pulse_core.generation.requests import Completion, Request
from pulse_core.seeding import derive_seed

WORDS = 12


class FakeGenerator:
    """`TextGenerator` that draws words of the last message with the request's seed."""

    identity = "fake"

    def prepare(self, requests: Sequence[Request]) -> None:
        """See `TextGenerator`."""

    def generate(self, requests: Sequence[Request]) -> list[list[Completion]]:
        """See `TextGenerator`."""
        return [[self._completion(request, sample) for sample in range(request.samples)] for request in requests]

    @staticmethod
    def _completion(request: Request, sample: int) -> Completion:
        draw = random.Random(derive_seed(request.key("fake"), sample))
        words = request.messages[-1].content.split() or ["nothing"]
        text = " ".join(draw.choice(words) for _ in range(WORDS))
        return Completion(text, -draw.random(), WORDS)
