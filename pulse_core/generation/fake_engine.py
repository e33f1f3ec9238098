"""A generator without a model, for tests of everything round it.

It is no fallback: `generation.engine: fake` is refused unless the configuration also says `testing: true`, and
hr1.json names the engine and warns of it. Its texts depend on the request alone and quote the prompt's words, so
that a test sees which words could have reached a text.
"""

import random
from collections.abc import Sequence

from pulse_core.generation.requests import Completion, Request
from pulse_core.seeding import derive_seed

WORDS = 12


class FakeGenerator:
    """`TextGenerator` that answers with words of the last message, drawn by the request's seed."""

    identity = "fake"

    def generate(self, requests: Sequence[Request]) -> list[list[Completion]]:
        """See `TextGenerator`."""
        return [[self._completion(request, sample) for sample in range(request.samples)] for request in requests]

    @staticmethod
    def _completion(request: Request, sample: int) -> Completion:
        asked = request.messages[-1].content
        draw = random.Random(derive_seed(request.key("fake"), sample))
        words = asked.split() or ["nothing"]
        text = " ".join(draw.choice(words) for _ in range(WORDS))
        return Completion(text, -draw.random(), WORDS)
