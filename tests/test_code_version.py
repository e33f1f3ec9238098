"""The code hash follows imports, however indirect, and nothing else."""

import re
from pathlib import Path

import pytest

from pulse_core import code_version as module
from pulse_core.baselines.registry import SYSTEMS, System

ROOT = Path(__file__).resolve().parents[1]
FILES = {
    "scripts/one.py": "def main():\n    from pulse_core.a.first import f\n",
    "scripts/two.py": "import pulse_core.b\nimport json\n",
    "pulse_core/__init__.py": "",
    "pulse_core/a/__init__.py": "",
    "pulse_core/a/first.py": "from pulse_core.a import second\nfrom . import third\n",
    "pulse_core/a/second.py": "from ..shared import x\n",
    "pulse_core/a/third.py": "",
    "pulse_core/b.py": "import numpy\n",
    "pulse_core/shared.py": "x = 1\n",
    "pulse_core/unused.py": "",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path


def version(tree: Path, script: str) -> str:
    module._read.cache_clear()
    return module.code_version(script, tree)


def test_files_are_the_script_and_its_transitive_imports(tree: Path) -> None:
    found = [file.relative_to(tree).as_posix() for file in module.code_files(Path("scripts/one.py"), tree)]
    assert found == [
        "pulse_core/__init__.py",
        "pulse_core/a/__init__.py",
        "pulse_core/a/first.py",
        "pulse_core/a/second.py",
        "pulse_core/a/third.py",
        "pulse_core/shared.py",
        "scripts/one.py",
    ]


@pytest.mark.parametrize(
    "edited", ["scripts/one.py", "pulse_core/a/first.py", "pulse_core/shared.py", "pulse_core/a/third.py"]
)
def test_an_edit_changes_the_versions_that_reach_it_alone(tree: Path, edited: str) -> None:
    one, two = version(tree, "scripts/one.py"), version(tree, "scripts/two.py")
    (tree / edited).write_text((tree / edited).read_text() + "# edited\n")
    assert version(tree, "scripts/one.py") != one
    assert version(tree, "scripts/two.py") == two


def test_touching_and_unrelated_edits_change_nothing(tree: Path) -> None:
    before = version(tree, "scripts/one.py")
    (tree / "pulse_core/shared.py").touch()
    (tree / "pulse_core/unused.py").write_text("y = 2\n")
    (tree / "pulse_core/b.py").write_text("y = 2\n")
    assert version(tree, "scripts/one.py") == before


def code_of(script: Path) -> set[str]:
    """What the script's version covers, relative to the repository."""
    return {file.relative_to(ROOT).as_posix() for file in module.code_files(script.relative_to(ROOT), ROOT)}


def test_no_stage_depends_on_the_whole_configuration() -> None:
    """A stage that imported it would rerun whenever any other stage's settings class changes."""
    rules = "".join(file.read_text() for file in (ROOT / "rules").glob("*.smk"))
    scripts = sorted(set(re.findall(r'"\.\./(workflow_scripts/\w+\.py)"', rules)))
    assert "workflow_scripts/ranker.py" in scripts
    for script in scripts:
        assert "pulse_core/config.py" not in code_of(ROOT / script), script


@pytest.mark.parametrize(
    "stem",
    ["sasrec", "ranker", "oracle_predictions"]
    + [f"baselines/{name}" for name in ("popularity", "brand_repeat", "untrained_slm")],
)
def test_what_writes_predictions_does_not_depend_on_metrics(stem: str) -> None:
    """They share the schema of predictions with the evaluation, not its metrics: editing one trains nothing."""
    assert "pulse_core/evaluation/metrics.py" not in code_of(ROOT / f"workflow_scripts/{stem}.py")


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.name)
def test_a_baseline_depends_on_no_other(system: System) -> None:
    """An edited module reruns its own system alone: none reaches another's settings or the registry."""
    code = code_of(ROOT / f"workflow_scripts/baselines/{system.name}.py")
    assert "pulse_core/baselines/registry.py" not in code and "pulse_core/config.py" not in code
    names = {Path(file).stem for file in code if file.startswith("pulse_core/baselines/settings/")}
    shared = {"__init__", "tuned", "ranker_trials", "post_norm"}
    if system.section == "a_llmrec":  # stands on SASRec
        shared.add("sasrec")
    own = {system.section}
    assert names <= own | shared
