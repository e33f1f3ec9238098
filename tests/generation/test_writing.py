"""Sharding of stages that write rationales; an empty shard loads no model."""

from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from pulse_core.artifacts import write_json
from pulse_core.rationales.prompts import PromptTemplate
from pulse_core.rationales.settings import RationaleSettings
from pulse_core.rationales.write import base_requests, write_rationales
from tests.rationales.shop import TITLES, make_shop
from tests.workflow.tiny_models import save_language_model
from workflow_scripts.shared.rationale_io import make_writer, read_shard

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Five examples and a model without its weights."""
    table = pd.DataFrame({"user": range(5), "split": "test", "position": 2, "history": [[0, 1]] * 5, "target": 2})
    table.assign(sampled=True).to_parquet(tmp_path / "examples.parquet")
    save_language_model(tmp_path / "model", TITLES)
    write_json(tmp_path / "model/origin.json", {"name": "tiny", "sha256": ["ab12"]})
    (tmp_path / "model/model.safetensors").unlink()
    return tmp_path


def job(directory: Path, shard: str) -> SimpleNamespace:
    """The `snakemake` object of a writing script with three chunks."""
    generation = {"engine": "transformers", "dtype": "float32", "chunk_prompts": 2}
    return SimpleNamespace(
        wildcards=SimpleNamespace(scatteritem=shard),
        input=SimpleNamespace(
            examples=str(directory / "examples.parquet"), model=str(directory / "model/model.safetensors")
        ),
        params=SimpleNamespace(generation=generation, work=str(directory / "work")),
    )


@pytest.mark.parametrize(("shards", "users"), [(1, [5]), (2, [3, 2]), (5, [2, 2, 1, 0, 0])])
def test_shards_hold_whole_chunks_and_surplus_shards_are_empty(directory: Path, shards: int, users: list[int]) -> None:
    parts = [read_shard(job(directory, f"{number}-of-{shards}")) for number in range(1, shards + 1)]
    assert [len(part) for part in parts] == users
    assert sorted(user for part in parts for user in part["user"]) == list(range(5))


def test_an_empty_shard_is_written_without_the_weights(directory: Path) -> None:
    def write(shard: str) -> int:
        stage = job(directory, shard)
        template, examples = PromptTemplate(ROOT / "config/prompts/base.j2"), read_shard(stage)
        neighbours = {(user, "test", 2): [3] for user in range(5)}
        requests = base_requests(examples, neighbours, make_shop(), template, RationaleSettings(), 0)
        return write_rationales(examples, requests, make_writer(stage), "test").num_rows

    assert write("4-of-4") == 0
    with pytest.raises(OSError, match="safetensors"):
        write("3-of-4")
