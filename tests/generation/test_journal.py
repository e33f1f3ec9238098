"""A killed stage resumes where it stopped and writes what an uninterrupted one writes."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from pulse_core.errors import InputError
from pulse_core.generation.fake_engine import FakeGenerator
from pulse_core.generation.journal import Writer
from pulse_core.generation.requests import Completion, Message, Request, Sampling

SAMPLING = Sampling(8, 0.7, 0.9, 50)


class Counting(FakeGenerator):
    """Counts prompts; is interrupted at call number `dies_at`."""

    def __init__(self, dies_at: int | None = None) -> None:
        self.calls, self.prompts, self.dies_at = 0, 0, dies_at

    def generate(self, requests: Sequence[Request]) -> list[list[Completion]]:
        self.calls += 1
        if self.calls == self.dies_at:
            raise KeyboardInterrupt
        self.prompts += len(requests)
        return super().generate(requests)


class Narrow(Counting):
    """Refuses long prompts; records the requests it was prepared for."""

    def __init__(self) -> None:
        super().__init__()
        self.prepared: list[list[Request]] = []

    def prepare(self, requests: Sequence[Request]) -> None:
        self.prepared.append(list(requests))
        if any(len(message.content) > 40 for request in requests for message in request.messages):
            raise InputError("too long")


def requests(count: int, word: str = "soap") -> list[Request]:
    return [Request((Message("user", f"{word} number {n}"),), SAMPLING, n, 2) for n in range(count)]


def run(generator: FakeGenerator, batch: list[Request], directory: Path, chunk: int = 4) -> list[list[Completion]]:
    return Writer(generator, directory, chunk).run(batch, "test")


def test_resumed_run_equals_an_uninterrupted_one(tmp_path: Path) -> None:
    batch = requests(10)
    with pytest.raises(KeyboardInterrupt):
        run(Counting(dies_at=3), batch, tmp_path / "killed")
    resumed = Counting()
    assert run(resumed, batch, tmp_path / "killed") == run(Counting(), batch, tmp_path / "uninterrupted")
    assert resumed.prompts == 2, "finished chunks were generated again"


def test_a_complete_journal_generates_nothing_and_a_changed_request_only_its_chunk(tmp_path: Path) -> None:
    batch = requests(8)
    run(Counting(), batch, tmp_path)
    again = Counting()
    run(again, batch, tmp_path)
    assert again.calls == 0
    changed = Counting()
    run(changed, [*batch[:7], *requests(1, "balm")], tmp_path)
    assert changed.prompts == 4


def test_a_refused_prompt_stops_the_run_before_anything_is_generated(tmp_path: Path) -> None:
    narrow = Narrow()
    with pytest.raises(InputError, match="too long"):
        run(narrow, [*requests(8), *requests(1, "a very long bar of soap for the hands")], tmp_path)
    assert narrow.calls == 0
    assert not list(tmp_path.iterdir())


def test_an_engine_is_prepared_once_and_only_for_missing_requests(tmp_path: Path) -> None:
    batch = requests(10)
    run(Counting(), batch[:4], tmp_path)
    narrow = Narrow()
    run(narrow, batch, tmp_path)
    run(narrow, batch, tmp_path)
    run(narrow, [], tmp_path)
    assert narrow.prepared == [batch[4:]]


@pytest.mark.parametrize("change", ["seed", "samples", "sampling", "messages", "answer_start"])
def test_every_part_of_a_request_is_in_its_key(change: str) -> None:
    one = Request((Message("user", "a"),), SAMPLING, 1, 1, "")
    other = {
        "seed": Request(one.messages, SAMPLING, 2, 1, ""),
        "samples": Request(one.messages, SAMPLING, 1, 2, ""),
        "sampling": Request(one.messages, Sampling(9, 0.7, 0.9, 50), 1, 1, ""),
        "messages": Request((Message("system", "a"),), SAMPLING, 1, 1, ""),
        "answer_start": Request(one.messages, SAMPLING, 1, 1, "x"),
    }[change]
    assert one.key("engine") != other.key("engine")
    assert one.key("engine") != one.key("another engine")


def test_partial_chunks_are_ignored(tmp_path: Path) -> None:
    run(Counting(), requests(4), tmp_path)
    (file,) = tmp_path.iterdir()
    file.rename(tmp_path / f".{file.name}.x.part")
    again = Counting()
    run(again, requests(4), tmp_path)
    assert again.prompts == 4
