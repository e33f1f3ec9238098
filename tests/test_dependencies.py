"""Every package that the code imports is declared in pyproject.toml, and pinned."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[1]
FIRST_PARTY = {"pulse_core", "workflow_scripts"}
SEPARATE = {"vllm"}  # has its own requirements (envs/requirements-vllm.txt) and is imported only when it is the engine


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def imported() -> set[str]:
    """Top-level names of all imports, anywhere in a module."""
    names: set[str] = set()
    for file in (path for package in FIRST_PARTY for path in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names.update(alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.split(".")[0])
    return names - FIRST_PARTY - SEPARATE - set(sys.stdlib_module_names)


def declared() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {normal(re.split(r"[<>=!~\[; ]", entry)[0]) for entry in project["dependencies"]}


def test_every_imported_package_is_declared() -> None:
    distributions = packages_distributions()
    missing = {
        name for name in imported() if not declared() & {normal(package) for package in distributions.get(name, [name])}
    }
    assert missing == set()


def test_every_declared_package_is_pinned() -> None:
    files = ("requirements.lock", "requirements-weights.lock")
    lines = [line for file in files for line in (ROOT / "envs" / file).read_text(encoding="utf-8").splitlines()]
    assert declared() <= {normal(line.split("==")[0]) for line in lines if "==" in line}
