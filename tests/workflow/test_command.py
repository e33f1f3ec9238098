"""The command of the README works as it stands: a target may follow `--resources`."""

import pytest

from workflow_scripts.command import targets_first


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
    ],
)
def test_targets_go_first(given: str, expected: str) -> None:
    assert targets_first(given.split()) == expected.split()
