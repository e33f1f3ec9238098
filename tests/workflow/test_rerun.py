"""Each change reruns the stages that read it and those downstream, and nothing else."""

import os
import time

import pytest

from tests.workflow.workspace import Workspace, files_of

pytestmark = pytest.mark.workflow

EVALUATION = {"hr1"}
RANKER = {"ranker", "oracle_predictions", *EVALUATION}
SELECTION = {"select", *RANKER}
TREE = {"tree", "gather_tree", *SELECTION}
BASE = {"base_rationales", "gather_base", *TREE}
SPACE = {"thought_space", *SELECTION}
POSITIVE = {"positive_rationales", "gather_positive", *SPACE}


def test_a_second_call_has_nothing_to_do(workspace: Workspace) -> None:
    assert "Nothing to be done" in workspace.run()


@pytest.mark.parametrize(
    ("values", "stale"),
    [
        ({"ranker": {"learning_rate": 3e-4}}, RANKER),
        ({"evaluation": {"bootstrap_samples": 300}}, EVALUATION),
        ({"tree": {"branching": [2, 1]}}, TREE),
        ({"thought_space": {"temperature": 0.1}}, SPACE),
        ({"domains": {"games": {"source": "synthetic"}}}, set()),
        ({"download": {"attempts": 9}}, set()),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_a_config_value_reruns_the_stages_that_read_it(workspace: Workspace, values: dict, stale: set[str]) -> None:
    workspace.configure(values)
    assert workspace.stale() == stale


@pytest.mark.parametrize(
    ("template", "stale"),
    [("positive", POSITIVE), ("base", BASE), ("tree_refine", TREE)],
)
def test_a_prompt_template_reruns_the_generation_that_uses_it(
    workspace: Workspace, template: str, stale: set[str]
) -> None:
    workspace.edit(f"config/prompts/{template}.j2", "\n{# edited #}\n")
    assert workspace.stale() == stale


def test_an_edited_module_reruns_the_stages_that_use_it(workspace: Workspace) -> None:
    workspace.edit("pulse_core/evaluation/compare.py")
    assert workspace.stale() == EVALUATION
    workspace.edit("pulse_core/tree/grow.py")
    assert workspace.stale() == TREE


def test_a_comment_reruns_nothing(workspace: Workspace) -> None:
    for file in ("pulse_core/artifacts.py", "pulse_core/generation/requests.py", "workflow_scripts/hr1.py"):
        workspace.edit(file, "\n# edited\n")
    assert workspace.stale() == set()


def test_a_module_used_through_imports_counts_too(workspace: Workspace) -> None:
    """loss.py is imported only by training.py, which the stage's module imports."""
    workspace.edit("pulse_core/thought_space/loss.py")
    assert "thought_space" in workspace.stale()
    assert "positive_rationales" not in workspace.stale()


def test_an_edited_script_reruns_its_rule(workspace: Workspace) -> None:
    workspace.edit("workflow_scripts/hr1.py")
    assert workspace.stale() == EVALUATION


def test_touching_anything_reruns_nothing(workspace: Workspace) -> None:
    later = time.time() + 5
    touched = files_of(
        workspace,
        [
            "resources/**/*",
            "results/**/*",
            "workflow_scripts/**/*.py",
            "pulse_core/**/*.py",
            "rules/*",
            "config/**/*",
            "*.yaml",
        ],
    )
    inputs = [path for path in touched if path.name != "hr1.json"]
    for number, path in enumerate(inputs):
        os.utime(path, (later + number % 7, later + number % 7))
    assert len(inputs) > 60
    assert workspace.stale() == set()


def test_a_changed_ranker_reuses_all_other_artifacts(workspace: Workspace) -> None:
    """A real run: after one config value changed, only ranker and evaluation run, and then nothing."""
    workspace.configure({"ranker": {"learning_rate": 3e-4}})
    output = workspace.run()
    assert "rule ranker" in output and "rule hr1" in output
    for rule in ("tree", "thought_space", "sasrec", "corpus", "positive_rationales"):
        assert f"rule {rule}:" not in output
    assert workspace.stale() == set()
