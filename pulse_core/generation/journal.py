"""A journal of finished texts, so that a killed stage resumes.

A journal is a directory with one file per chunk of requests, named by a hash of the generator's identity and the
chunk's requests. With another prompt, model, seed or chunk size the names differ, and old files stay valid.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import orjson

from pulse_core.artifacts import whole_file
from pulse_core.generation.requests import Completion, Request, TextGenerator
from pulse_core.progress import progress


class Journal:
    """Finished chunks under `directory`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def _file(self, name: str) -> Path:
        return self.directory / f"{name}.json"

    def holds(self, name: str) -> bool:
        """Whether a chunk is finished."""
        return self._file(name).exists()

    def read(self, name: str) -> list[list[Completion]]:
        """The completions of a finished chunk."""
        answers = orjson.loads(self._file(name).read_bytes())
        return [[Completion(**completion) for completion in answer] for answer in answers]

    def write(self, name: str, answers: Sequence[Sequence[Completion]]) -> None:
        """Write a chunk, atomically and durably."""
        with whole_file(self._file(name)) as partial:
            partial.write_bytes(orjson.dumps(answers))


def run_requests(
    generator: TextGenerator, requests: Sequence[Request], journal: Journal, chunk_prompts: int, what: str
) -> list[list[Completion]]:
    """Completions of all requests, in order; chunks in the journal are reused.

    Chunks do not depend on what is finished, so a resumed run forms the same batches. If all are finished the engine
    is not loaded.

    Raises:
        InputError: the engine refuses one of the prompts; nothing is generated then.
    """
    chunks = [requests[start : start + chunk_prompts] for start in range(0, len(requests), chunk_prompts)]
    named = [(_name(generator.identity, chunk), chunk) for chunk in chunks]
    if missing := [request for name, chunk in named if not journal.holds(name) for request in chunk]:
        generator.prepare(missing)
    answers: list[list[Completion]] = []
    with progress(what, sum(request.samples for request in requests), "texts") as meter:
        for name, chunk in named:
            if finished := journal.holds(name):
                answers += journal.read(name)
            else:
                new = generator.generate(chunk)
                journal.write(name, new)
                answers += new
            meter.advance(sum(request.samples for request in chunk), skipped=finished)
    return answers


def _name(identity: str, chunk: Sequence[Request]) -> str:
    keys = "".join(request.key(identity) for request in chunk)
    return hashlib.sha256(keys.encode()).hexdigest()[:40]
