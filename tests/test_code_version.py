"""The code hash covers direct and indirect imports, and depends on what the code means, not on how it is written."""

import ast
import re
from pathlib import Path

import pytest

from pulse_core import code_version as module
from pulse_core.generation.requests import engine_identity
from pulse_core.systems import SYSTEMS, System

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
    files = [file.relative_to(tree).as_posix() for file in module.code_files(Path("scripts/one.py"), tree)]
    assert files == [
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
def test_an_edit_changes_only_the_versions_that_reach_it(tree: Path, edited: str) -> None:
    one, two = version(tree, "scripts/one.py"), version(tree, "scripts/two.py")
    (tree / edited).write_text((tree / edited).read_text() + "edited = True\n")
    assert version(tree, "scripts/one.py") != one
    assert version(tree, "scripts/two.py") == two


def test_touching_and_unrelated_edits_change_nothing(tree: Path) -> None:
    before = version(tree, "scripts/one.py")
    (tree / "pulse_core/shared.py").touch()
    (tree / "pulse_core/unused.py").write_text("y = 2\n")
    (tree / "pulse_core/b.py").write_text("y = 2\n")
    assert version(tree, "scripts/one.py") == before


def test_yaml_beside_an_imported_module_counts_by_its_values(tree: Path) -> None:
    data = tree / "pulse_core/a/words.yaml"
    data.write_text("words: [one, two]\n")
    one, two = version(tree, "scripts/one.py"), version(tree, "scripts/two.py")
    data.write_text("# Some words.\nwords:\n  - one\n  - two\n")
    assert version(tree, "scripts/one.py") == one
    data.write_text("words: [one, three]\n")
    assert version(tree, "scripts/one.py") != one
    assert version(tree, "scripts/two.py") == two
    vocabulary = "pulse_core/data/synthetic/vocabulary.yaml"
    assert vocabulary in code_of(ROOT / "workflow_scripts/synthetic_raw.py")
    assert vocabulary not in code_of(ROOT / "workflow_scripts/examples.py")


SOURCE = '''"""What it is for."""
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pulse_core.b

class Settings:
    """A section."""

    size: int = 2
    """How much of it."""


def scale(values, by=3):
    """Make it larger."""
    # Floats stay floats.
    if not values:
        return []
    return [value * by + 1 for value in values]
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# Floats stay floats.", "# A float is a float."),
        ("    # Floats stay floats.\n", ""),
        ("Make it larger.", "Multiply."),
        ('    """Make it larger."""\n', ""),
        ("What it is for.", "Its purpose."),
        ("How much of it.", "Its width."),
        ('    """A section."""\n\n', ""),
        ("\n\n\ndef", "\n\n\n\n\n\ndef"),
        ("return [value * by + 1 for", "return [\n        (value * by) + 1  # each\n        for"),
        ("    import pulse_core.b", "    import pulse_core.unused"),
    ],
)
def test_comments_docstrings_and_formatting_do_not_count(tree: Path, old: str, new: str) -> None:
    (tree / "pulse_core/shared.py").write_text(SOURCE)
    before = version(tree, "scripts/one.py")
    assert old in SOURCE
    (tree / "pulse_core/shared.py").write_text(SOURCE.replace(old, new))
    assert version(tree, "scripts/one.py") == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("by=3", "by=4"),
        ("size: int = 2", "size: int = 1"),
        ("size: int", "size: float"),
        ("value * by + 1", "value * (by + 1)"),
        ("value * by + 1", "value + by * 1"),
        ("not values", "values"),
        ("return []", "return ['']"),
        ("return []", "return None"),
        ("def scale(values,", "def scale(values, *,"),
        ("class Settings:", "class Settings(dict):"),
        ("def scale", "@cache\ndef scale"),
        ("    if not values:\n        return []\n", ""),
    ],
)
def test_every_changed_statement_counts(tree: Path, old: str, new: str) -> None:
    (tree / "pulse_core/shared.py").write_text(SOURCE)
    before = version(tree, "scripts/one.py")
    assert old in SOURCE
    (tree / "pulse_core/shared.py").write_text(SOURCE.replace(old, new))
    assert version(tree, "scripts/one.py") != before


def test_a_constant_keeps_its_type() -> None:
    sources = [b"x = 1", b"x = 1.0", b"x = '1'", b"x = b'1'", b"x = True", b"x = None", b"x = ''", b"x = 0", b"x = []"]
    assert len({module.source_hash(ast.parse(source)) for source in sources}) == len(sources)


def test_a_journal_outlives_a_reworded_engine(tmp_path: Path) -> None:
    """Texts already written are kept when a comment changes, and written again when a statement does."""
    for name in ("__init__.py", "generation/__init__.py"):
        (tmp_path / "pulse_core" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pulse_core" / name).write_text("")
    engine = tmp_path / "pulse_core/generation/engine.py"

    def identity(source: str) -> str:
        engine.write_text(source)
        module._read.cache_clear()
        return engine_identity(str(engine), "library 1.0", {"name": "model", "sha256": ["0"]}, 32)

    first = identity('"""Writes."""\nsteps = 1  # one\n')
    assert identity('"""Generates text."""\nsteps = 1\n') == first
    assert identity('"""Writes."""\nsteps = 2  # one\n') != first


def code_of(script: Path) -> set[str]:
    """Files that the script's version covers, relative to the repository."""
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
    + [f"baselines/{name}" for name in ("popularity", "brand_repeat", "llm_zero_shot")],
)
def test_stages_that_write_predictions_do_not_depend_on_metrics(stem: str) -> None:
    """They share the prediction schema with the evaluation, not its metrics, so editing a metric retrains nothing."""
    assert "pulse_core/evaluation/metrics.py" not in code_of(ROOT / f"workflow_scripts/{stem}.py")


@pytest.mark.parametrize(
    "script", ["ranker", "select", "thought_space", "oracle_predictions", *(f"baselines/{s.name}" for s in SYSTEMS)]
)
def test_stages_that_read_texts_do_not_depend_on_those_that_write_them(script: str) -> None:
    """An edited engine or prompt parser reruns the stages that generate text, and what follows only if texts change."""
    code = code_of(ROOT / f"workflow_scripts/{script}.py")
    settings = {"pulse_core/rationales/__init__.py", "pulse_core/rationales/settings.py"}
    writing = {file for file in code if file.startswith(("pulse_core/generation/", "pulse_core/rationales/"))}
    assert writing <= (settings if script in ("select", "thought_space") else set())


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.name)
def test_a_baseline_depends_on_no_other(system: System) -> None:
    """An edited module reruns only its own system: none reaches another's settings or the table of systems."""
    code = code_of(ROOT / f"workflow_scripts/baselines/{system.name}.py")
    assert "pulse_core/systems.py" not in code and "pulse_core/config.py" not in code
    names = {Path(file).stem for file in code if file.startswith("pulse_core/baselines/settings/")}
    shared = {"__init__", "tuned", "ranker_trials", "post_norm"}
    if system.section == "a_llmrec":  # builds on SASRec
        shared.add("sasrec")
    assert names <= {system.section} | shared
