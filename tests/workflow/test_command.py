"""The README's command works as written: a target may follow `--resources` and `--configfile`."""

from pathlib import Path

import pytest

from workflow_scripts.cli.command import joined_options, nested_values, targets_first


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("--cores 8 --resources gpu=2 results/luxury/hr1.json", "results/luxury/hr1.json --cores 8 --resources gpu=2"),
        ("--cores 8 --resources gpu=2 a/b.json -n", "a/b.json --cores 8 --resources gpu=2 -n"),
        ("--config raw_dir=x seed=3 t --cores 2", "t --config raw_dir=x seed=3 --cores 2"),
        ("t --cores 8 --resources gpu=2", "t --cores 8 --resources gpu=2"),
        ("--resources gpu=2 -- t", "--resources gpu=2 -- t"),
        ("--resources gpu=2 mem_mb=5 --config a=1 t u", "t u --resources gpu=2 mem_mb=5 --config a=1"),
        ("-n", "-n"),
        ("--configfile a.yaml results/x/hr1.json -n", "results/x/hr1.json --configfile a.yaml -n"),
        ("--configfile a.yaml b.yaml download", "download --configfile a.yaml b.yaml"),
        ("--configfiles missing.yaml t --config a=1 u", "t u --configfiles missing.yaml --config a=1"),
        ("--configfile=a.yaml t", "--configfile=a.yaml t"),
        ("t --directory runs/a --configfile a.yaml", "t --directory runs/a --configfile a.yaml"),
    ],
)
def test_targets_go_first(given: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for file in ("a.yaml", "b.yaml", "results/x/hr1.json"):  # a finished target is not a configuration either
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).touch()
    assert targets_first(given.split()) == expected.split()


def test_dotted_keys_become_nested_values() -> None:
    given = [
        "a.b",
        "--resources",
        "x.y=1",
        "--config",
        "ranker.epochs=1",
        "tree.sampling.top_p=.5",
        "seed=2",
        "--cores",
        "2",
    ]
    nested = ["ranker={epochs: 1}", "tree={sampling: {top_p: .5}}"]
    assert nested_values(given) == [*given[:4], *nested, *given[6:]]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("t --configfile a.yaml -n --configfile b.yaml", "t -n --configfile a.yaml b.yaml"),
        ("t --configfile a.yaml --configfiles=b.yaml u", "u t --configfile a.yaml b.yaml"),
        ("--config a=1 b=2 --cores 2 -C c=3", "--cores 2 --config a=1 b=2 c=3"),
        ("--resources gpu=2 --res mem_mb=5 -- t", "--resources gpu=2 mem_mb=5 -- t"),
        ("--config=a=1 t", "t --config a=1"),
        ("t --cores 2 -n", "t --cores 2 -n"),
    ],
)
def test_repeated_options_are_joined(given: str, expected: str) -> None:
    assert joined_options(given.split()) == expected.split()
