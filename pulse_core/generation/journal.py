"""Finished generations are journalled as they finish, so that a killed stage goes on where it was.

A journal is a directory of one file a chunk, named by the chunk's content address: the generator's identity and
every request in it. Nothing else is needed to know whether a chunk is done, so a changed prompt, model, seed or
chunk size simply asks for other names, and what is finished under the old ones stays valid.
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
    """Completions of finished chunks under `directory`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def read(self, name: str) -> list[list[Completion]] | None:
        """A finished chunk, or None."""
        if not self.holds(name):
            return None
        content = (self.directory / f"{name}.json").read_bytes()
        return [[Completion(**completion) for completion in answers] for answers in orjson.loads(content)]

    def holds(self, name: str) -> bool:
        """Whether a chunk is finished."""
        return (self.directory / f"{name}.json").exists()

    def write(self, name: str, answers: Sequence[Sequence[Completion]]) -> None:
        """Keep a chunk; it is on the disk, whole, when this returns."""
        with whole_file(self.directory / f"{name}.json") as partial:
            partial.write_bytes(orjson.dumps([[asdict(completion) for completion in answer] for answer in answers]))


def run_requests(
    generator: TextGenerator, requests: Sequence[Request], journal: Journal, chunk_prompts: int, what: str
) -> list[list[Completion]]:
    """All completions, in the order of `requests`; chunks that the journal holds are not made again.

    The chunks are cut from the list as given, so an interrupted run makes the chunks it would have made. Where none is
    missing the engine is not even prepared.

    Raises:
        InputError: the engine refuses one of the prompts to be made; nothing is made then.
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
            made = finished is None
            if finished is None:
                finished = generator.generate(chunk)
                journal.write(name, finished)
            answers += finished
            meter.advance(sum(request.samples for request in chunk), skipped=not made)
    return answers


def _name(identity: str, chunk: Sequence[Request]) -> str:
    digest = hashlib.sha256()
    for request in chunk:
        digest.update(request.key(identity).encode())
    return digest.hexdigest()[:40]
