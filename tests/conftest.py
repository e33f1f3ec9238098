"""The tiny workspace, built once a session with a fake generator and models of random weights, copied for each test."""

from pathlib import Path
from typing import Any

import pytest

from tests.workflow.tiny import tiny_config
from tests.workflow.workspace import Workspace


@pytest.fixture(scope="session")
def config(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The configuration of the tiny corpus, its models written."""
    return tiny_config(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, config: dict[str, Any]) -> Workspace:
    """A workspace in which the whole pipeline has run. Tests that change anything take `workspace` instead."""
    workspace = Workspace.create(tmp_path_factory.mktemp("built"), config)
    workspace.run()
    return workspace


@pytest.fixture
def workspace(built: Workspace, tmp_path: Path) -> Workspace:
    """A copy of the built workspace, to change and run again."""
    return built.clone(tmp_path / "workspace")
