"""Configuration files and `--config` values that would be misread or end in a traceback are refused in one line."""

from pathlib import Path

import pytest

from pulse_core.errors import InputError
from workflow_scripts.cli.command import check
from workflow_scripts.cli.given_config import check_file, check_pairs


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (b"seed: 1\nsplit: {max_history: 5}\nsplit: {kind: global_time}\n", [":3: ", "'split'", "on line 2"]),
        (b"ranker:\n  epochs: 1\n  epochs: 2\n", [":3: ", "'epochs'", "on line 2"]),
        (b"- {seed: 1, seed: 2}\n", [":1: ", "'seed'"]),
        (b"seed: 0300\n", [":1: ", "0300 as octal"]),
        (b"seed: 1\nranker: {epochs: 1:30}\n", [":2: ", "base 60"]),
        (b"seed: " + b"9" * 5000, [":1: ", "5,000 digits"]),
        (b"seed: 2020-13-45\n", [":1: not valid YAML"]),
        (b"seed: 1\nranker: {epochs: 1\n", [":3: not valid YAML"]),
        (b"seed: 1\n\tranker: 2\n", [":2: not valid YAML"]),
        (b"seed: 1\nraw_dir: caf\xe9\n", [":2: not UTF-8"]),
        ("seed: 1\n".encode("utf-16"), ["UTF-16"]),
        (b"PAR1\x00\x00\x01", ["not valid YAML"]),
        (b"\x89PNG\r\n\x1a\n", [":1: not UTF-8"]),
        (b"", ["is empty"]),
        (b"# seed: 1\n", ["is empty"]),
        (b"just words\n", [":1: not a configuration"]),
    ],
)
def test_a_bad_file_is_named_with_the_line(content: bytes, parts: list[str], tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_bytes(content)
    with pytest.raises(InputError) as caught:
        check_file(file)
    for part in (str(file), *parts):
        assert part in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.yaml does not exist"):
        check_file(tmp_path / "nowhere.yaml")
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        check_file(tmp_path)


def test_good_files_pass(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("\ufeffmodels:\n  encoder: &e {hub: a/b, revision: '01'}\n  distilbert: *e\nseed: 0\n", "utf-8")
    check_file(file)
    for preset in (Path(__file__).resolve().parents[2]).glob("config*/*.yaml"):
        check_file(preset)


@pytest.mark.parametrize(
    ("pair", "part"),
    [
        ("ranker.epochs", "expected key=value"),
        ("=3", "expected key=value"),
        ("ranker={epochs: 1", "ranker: not valid YAML"),
        ("seed=0300", "octal"),
        ("seed=" + "9" * 5000, "5,000 digits"),
    ],
)
def test_a_bad_pair_is_refused(pair: str, part: str) -> None:
    with pytest.raises(InputError, match=part):
        check_pairs([pair])


@pytest.mark.parametrize("arguments", [["--cores", "0"], ["-c0"], ["--cores=-1"], ["--jobs", "0"]])
def test_a_call_without_cores_is_refused(arguments: list[str]) -> None:
    with pytest.raises(InputError, match="expected at least 1"):
        check(arguments)


@pytest.mark.parametrize("arguments", [["--cores", "x"], ["-j", "1.5"]])
def test_a_number_of_cores_that_is_none_is_refused(arguments: list[str]) -> None:
    with pytest.raises(InputError, match=r"Error parsing number of .*: must be integer"):
        check(arguments)


def test_files_and_values_of_the_command_line_are_checked(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("seed: 0300\n")
    with pytest.raises(InputError, match=r"mine\.yaml:1"):
        check(["--cores", "2", "--configfile", str(tmp_path / "mine.yaml")])
    with pytest.raises(InputError, match="key=value"):
        check(["--cores", "2", "--config", "ranker.epochs"])
    check(["--cores", "all", "--config", "ranker.epochs=1"])
