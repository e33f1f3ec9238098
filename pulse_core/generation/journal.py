"""A journal of finished texts, so that a killed stage resumes.

A journal is a directory with one file per chunk of requests, named by a hash of the generator's identity and the
chunk's requests. With another prompt, model, seed or chunk size the names differ, and old files stay valid.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from pulse_core.artifacts import whole_file
from pulse_core.generation.requests import Completion, Request, TextGenerator
from pulse_core.progress import progress


@dataclass(frozen=True)
class Writer:
    """An engine, the directory of its journal and the number of prompts per chunk."""

    generator: TextGenerator
    journal: Path
    chunk_prompts: int

    def run(self, requests: Sequence[Request], what: str) -> list[list[Completion]]:
        """Completions of all requests, in order; chunks in the journal are reused. `what` names the progress lines.

        Chunks do not depend on what is finished, so a resumed run forms the same batches. If all are finished the
        engine is not loaded.

        Raises:
            InputError: the engine refuses one of the prompts; nothing is generated then.
        """
        starts = range(0, len(requests), self.chunk_prompts)
        chunks = [requests[start : start + self.chunk_prompts] for start in starts]
        files = [self._file(chunk) for chunk in chunks]
        missing = [request for file, chunk in zip(files, chunks, strict=True) if not file.exists() for request in chunk]
        if missing:
            self.generator.prepare(missing)
        answers: list[list[Completion]] = []
        with progress(what, sum(request.samples for request in requests), "texts") as meter:
            for file, chunk in zip(files, chunks, strict=True):
                if finished := file.exists():
                    answers += [[Completion(**text) for text in texts] for texts in orjson.loads(file.read_bytes())]
                else:
                    new = self.generator.generate(chunk)
                    with whole_file(file) as partial:
                        partial.write_bytes(orjson.dumps(new))
                    answers += new
                meter.advance(sum(request.samples for request in chunk), skipped=finished)
        return answers

    def _file(self, chunk: Sequence[Request]) -> Path:
        keys = "".join(request.key(self.generator.identity) for request in chunk)
        return self.journal / f"{hashlib.sha256(keys.encode()).hexdigest()[:40]}.json"
