"""A journal of finished texts, so that a killed stage resumes.

A journal is a directory with one file per chunk of requests, named by a hash of the generator's identity and the
chunk's requests. With another prompt, model, seed or chunk size the names differ, and old files stay valid.
"""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import orjson

from pulse_core.artifacts import whole_file
from pulse_core.generation.requests import Completion, PreparedGenerator, Request, TextGenerator
from pulse_core.progress import progress

log = logging.getLogger("pulse")


class Journal:
    """Finished chunks under `directory`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def read(self, name: str) -> list[list[Completion]] | None:
        """The completions of a chunk, or None if it is not finished."""
        if not self.holds(name):
            return None
        content = (self.directory / f"{name}.json").read_bytes()
        return [[Completion(**completion) for completion in answers] for answers in orjson.loads(content)]

    def holds(self, name: str) -> bool:
        """Whether a chunk is finished."""
        return (self.directory / f"{name}.json").exists()

    def write(self, name: str, answers: Sequence[Sequence[Completion]]) -> None:
        """Write a chunk, atomically and durably."""
        with whole_file(self.directory / f"{name}.json") as partial:
            partial.write_bytes(orjson.dumps([[asdict(completion) for completion in answer] for answer in answers]))


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
    names = [_name(generator.identity, chunk) for chunk in chunks]
    missing = [
        request for name, chunk in zip(names, chunks, strict=True) if not journal.holds(name) for request in chunk
    ]
    if missing and isinstance(generator, PreparedGenerator):
        generator.prepare(missing)
    answers: list[list[Completion]] = []
    total = sum(request.samples for request in requests)
    with progress(what, total, "texts") as meter:
        for name, chunk in zip(names, chunks, strict=True):
            finished = journal.read(name)
            if new := finished is None:
                finished = generator.generate(chunk)
                journal.write(name, finished)
            answers += finished
            meter.advance(sum(request.samples for request in chunk), skipped=not new)
    return answers


def _name(identity: str, chunk: Sequence[Request]) -> str:
    digest = hashlib.sha256()
    for request in chunk:
        digest.update(request.key(identity).encode())
    return digest.hexdigest()[:40]
