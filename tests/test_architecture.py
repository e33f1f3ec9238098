"""docs/architecture.md names every package, and imports between packages follow the order it gives."""

import re
from pathlib import Path

import pytest

from pulse_core.code_version import code_files

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def packages_below(folder: str) -> set[str]:
    return {file.parent.name for file in (ROOT / folder).glob("*/__init__.py")}


ORDER = re.findall(r"^- \*\*(\w+)\*\*", section("Packages of pulse_core"), flags=re.M)


def test_the_page_names_every_package_and_no_other() -> None:
    assert len(ORDER) == len(set(ORDER))
    assert set(ORDER) == packages_below("pulse_core")
    folders = set(re.findall(r"(\w+)(?:/)?\*\*:", section("Folders of workflow_scripts")))
    assert folders == packages_below("workflow_scripts")


@pytest.mark.parametrize(
    "path", sorted(set(re.findall(r"`((?:pulse_core|rules|config|docs|profiles)/[\w/.-]+)`", PAGE)))
)
def test_every_path_on_the_page_exists(path: str) -> None:
    assert (ROOT / path).exists()


def package_of(file: Path) -> str:
    """Package of a pulse_core file, or the name of a module outside packages."""
    parts = file.relative_to(ROOT / "pulse_core").parts
    return parts[0] if len(parts) > 1 else file.stem


@pytest.mark.parametrize("package", ORDER)
def test_a_package_imports_only_those_above_it(package: str) -> None:
    above = ORDER[: ORDER.index(package)]
    for file in (ROOT / "pulse_core" / package).rglob("*.py"):
        reached = {package_of(other) for other in code_files(file, ROOT) if other.is_relative_to(ROOT / "pulse_core")}
        assert reached & set(ORDER) <= {*above, package}, file
        assert package == "planning" or "config" not in reached, file


def test_modules_beside_the_packages_import_no_package() -> None:
    for file in (ROOT / "pulse_core").glob("*.py"):
        if file.stem != "config":
            reached = {package_of(other) for other in code_files(file, ROOT)}
            assert not reached & set(ORDER), file
