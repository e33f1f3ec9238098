"""Damaged or edited artifacts: `pulse verify` names them, stages refuse them, and its command regenerates them."""

import os
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pyarrow.parquet as pq
import pytest

from pulse_core import verification
from pulse_core.errors import InputError
from tests.workflow.workspace import Workspace
from workflow_scripts.cli.pulse import main
from workflow_scripts.cli.verify import warn
from workflow_scripts.job.records import configuration_options, recorded

pytestmark = pytest.mark.workflow
SASREC = "results/luxury/sasrec/model.safetensors"
BASE = "results/luxury/rationales/base.parquet"


def flip_a_byte(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-5] ^= 1
    times = file.stat()
    file.write_bytes(content)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))  # as a failing disk does


def edit_a_rationale(file: Path) -> None:
    table = pd.read_parquet(file)
    table.loc[0, "rationale"] = "because I say so"
    table.to_parquet(file)


def empty(file: Path) -> None:
    file.write_bytes(b"")


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:100])


DAMAGE = [
    (SASREC, flip_a_byte, "has changed", "sasrec"),
    ("resources/models/*causal/model.safetensors", flip_a_byte, "has changed", "model"),
    ("resources/models/*causal/tokenizer.json", empty, "is truncated \\(0 of", "model"),
    (BASE, edit_a_rationale, "has changed|is truncated", "gather_base"),
    ("results/luxury/corpus/statistics.json", empty, "is truncated \\(0 of", "corpus"),
    ("results/luxury/hr1.json", truncate, "is truncated \\(100 of", "hr1"),
    ("results/luxury/tree.parquet", Path.unlink, "is missing", "gather_tree"),
]


@pytest.fixture(scope="module")
def copy(built: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A copy of the finished workspace for this module; every test restores it."""
    return built.clone(tmp_path_factory.mktemp("verified") / "workspace")


@pytest.fixture
def checkout(copy: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """The copy as working directory."""
    monkeypatch.chdir(copy.root)
    yield copy


@pytest.fixture
def damaged(checkout: Workspace, request: pytest.FixtureRequest) -> Iterator[Path]:
    """The file of DAMAGE, damaged for one test."""
    pattern, damage = request.param[:2]
    file = next(checkout.root.glob(pattern))
    content = file.read_bytes()
    damage(file)
    yield file.relative_to(checkout.root)
    file.write_bytes(content)


def verify(capsys: pytest.CaptureFixture[str], *arguments: str, status: int) -> str:
    assert main(["verify", *arguments]) == status
    return " ".join("".join(capsys.readouterr()).split())


def test_a_healthy_run_passes(checkout: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    output = verify(capsys, status=0)
    assert re.fullmatch(r"results: \d\d+ files are what their stages wrote\.", output)
    assert verify(capsys, "results/luxury", status=0)


def test_every_artifact_has_a_record(checkout: Workspace) -> None:
    count, findings = verification.verify(Path("results"))
    assert findings == [] and count > 40


@pytest.mark.parametrize(
    ("damaged", "problem", "rule"),
    [((pattern, damage), problem, rule) for pattern, damage, problem, rule in DAMAGE],
    indirect=["damaged"],
)
def test_damage_is_named_with_rule_cost_and_command(
    damaged: Path, problem: str, rule: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _, (finding,) = verification.verify(Path("results"))
    assert finding.path == Path.cwd() / damaged and finding.record is not None
    assert finding.record.rule == rule and finding.record.seconds > 0
    assert re.match(problem, finding.problem)
    after = {record.rule for record in finding.later}
    assert ("hr1" in after) == (rule != "hr1")
    output = verify(capsys, "results/", status=1)
    assert f"snakemake {finding.record.target} --cores all --force --configfile tiny.yaml" in output
    assert rule in output


@pytest.mark.parametrize("damaged", [(BASE, edit_a_rationale)], indirect=True)
def test_the_stages_after_a_damaged_one_are_those_that_depend_on_it(damaged: Path) -> None:
    _, (finding,) = verification.verify(Path("results"))
    after = {record.rule for record in finding.later}
    assert {"tree", "gather_tree", "select", "ranker", "hr1"} <= after
    assert not after & {"corpus", "sasrec", "positive_rationales", "thought_space", "base_rationales"}


@pytest.mark.parametrize(
    "damaged", [item[:2] for item in DAMAGE if "hr1.json" not in item[0] and "tree" not in item[0]], indirect=True
)
def test_a_stage_refuses_a_damaged_input_in_one_line(damaged: Path) -> None:
    weights = damaged.with_name("model.safetensors")
    read = weights if weights.exists() else damaged  # a model's tokenizer is read with its weights
    job = SimpleNamespace(rule="next", input=[str(read)], output=[])
    with pytest.raises(InputError) as refused, recorded(job):
        pytest.fail("the stage ran")
    message = str(refused.value)
    assert message.startswith(f"{damaged} ") and "run `snakemake results/" in message.replace("resources/", "results/")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("name", "damage"), [(BASE, truncate), (SASREC, truncate), ("results/luxury/corpus/statistics.json", empty)]
)
def test_an_unreadable_input_without_a_record_is_named_in_one_line(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, name: str, damage: Callable[[Path], None]
) -> None:
    monkeypatch.chdir(workspace.root)
    verification.record_path(Path(name)).unlink()
    damage(Path(name))
    job = SimpleNamespace(rule="next", input=[name], output=[])
    line = rf"{re.escape(name)} cannot be read \(.+\): run `snakemake {re.escape(name)} --cores all --force`"
    with pytest.raises(InputError, match=line), recorded(job):
        raise RuntimeError("the reader's own error")


@pytest.mark.parametrize(
    ("read", "column"),
    [
        (lambda: pd.read_parquet(BASE)["rationale"], "rationale"),
        (lambda: pd.read_parquet(BASE)[["user", "rationale"]], "rationale"),
        (lambda: pd.read_parquet(BASE).merge(pd.DataFrame({"rationale": []}), on="rationale"), "rationale"),
        (lambda: pq.read_table(BASE)["rationale"], "rationale"),
        (lambda: pd.read_parquet(BASE, columns=["rationale"]), "rationale"),
    ],
)
def test_a_column_that_an_input_without_a_record_lacks_is_named_in_one_line(
    checkout: Workspace, read: Callable[[], object], column: str
) -> None:
    file, record = Path(BASE), verification.record_path(Path(BASE))
    kept = [(path, path.read_bytes()) for path in (file, record)]
    pq.write_table(pq.read_table(file).drop_columns([column]), file)
    record.unlink()
    job = SimpleNamespace(rule="next", input=[BASE, SASREC], output=[])
    line = rf"no column '{column}' in {re.escape(BASE)}: run `snakemake {re.escape(BASE)} --cores all --force"
    try:
        with pytest.raises(InputError, match=line), recorded(job):
            read()
        with pytest.raises(KeyError), recorded(job):
            _ = {}["rationale"]
    finally:
        for path, content in kept:
            path.write_bytes(content)


def test_an_error_that_no_input_explains_is_unchanged(checkout: Workspace) -> None:
    with pytest.raises(ZeroDivisionError), recorded(SimpleNamespace(rule="next", input=[BASE], output=[])):
        _ = 1 // 0


def test_files_without_a_record_and_damaged_records_are_named(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(workspace.root)
    Path("results/luxury/mine.parquet").write_bytes(b"")
    output = verify(capsys, status=1)
    assert "results/luxury/mine.parquet has no record" in output
    record = verification.record_path(Path(BASE))
    record.write_text("{")
    assert f"{record} is damaged: delete it" in verify(capsys, status=1)


def test_copied_results_can_be_verified(built: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(built.root / "results", tmp_path / "other/mine")
    moved = Workspace(tmp_path / "other")
    verify(capsys, str(moved.root / "mine"), status=0)
    truncate(moved.root / "mine/luxury/hr1.json")
    assert "is truncated" in verify(capsys, str(moved.root / "mine"), status=1)
    assert "nowhere is not a folder" in verify(capsys, str(tmp_path / "nowhere"), status=1)
    assert "has no records" in verify(capsys, str(tmp_path), status=1)


def test_a_call_with_nothing_to_do_warns_of_a_truncated_result(
    checkout: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    file = Path("results/luxury/hr1.json")
    content = file.read_bytes()
    warn(Path("results"))
    assert capsys.readouterr().err == ""
    truncate(file)
    warn(Path("results"))
    file.write_bytes(content)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        f"WARNING {file} is truncated (100 of {len(content):,} bytes) since rule hr1 wrote it: run `"
    )


def test_configuration_options_are_passed_on() -> None:
    given = ["results/x", "--cores", "8", "--configfile", "a.yaml", "b.yaml", "-n", "--config", "seed=1", "--profile=p"]
    assert configuration_options(given) == ["--configfile", "a.yaml", "b.yaml", "--config", "seed=1", "--profile=p"]


def test_the_named_command_repairs_a_run(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flipped byte stops the run; the named command restores the same bytes, and nothing else reruns."""
    monkeypatch.chdir(workspace.root)
    neighbours = "results/luxury/neighbours.parquet"
    before = Path(SASREC).read_bytes()
    flip_a_byte(Path(SASREC))
    assert workspace.stale(target=neighbours) == set(), "Snakemake does not notice it"
    os.utime(SASREC)
    output = workspace.run(target=neighbours, fails=True)
    assert f"ERROR neighbours: {SASREC} has changed since rule sasrec wrote it: run `snakemake " in output
    assert "Traceback" not in output
    line = re.search("run `snakemake ([^`]+)`", output)
    assert line
    target, *options = shlex.split(line[1])
    assert options == ["--cores", "all", "--force", "--configfile", "tiny.yaml"]
    rerun = workspace.run("--force", target=target)
    assert "rule sasrec:" in rerun and "rule examples" not in rerun
    assert Path(SASREC).read_bytes() == before
    workspace.run(target=neighbours)  # Snakemake deleted the failed job's output
    _, findings = verification.verify(Path("results"))
    assert findings == []
    assert workspace.stale() == set()
