"""The version of a script's code: a hash over its file and every module of this repository behind it, however indirect.

Snakemake reruns a rule when its params change, and it doesn't see imported modules. With this hash in the params of
each rule, an edited module reruns the stages that use it and no others; a touched file reruns nothing.
"""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGES = ("pulse_core", "workflow_scripts")
# What surrounds every script (log, threads, devices) decides no byte of an artifact: an edit there reruns nothing.
AROUND = "workflow_scripts/stage.py"


def module_files(module: str, root: Path) -> list[Path]:
    """The files that importing the dotted `module` runs: its parents' `__init__.py` and its own file."""
    parts = module.split(".")
    found = []
    for depth in range(1, len(parts) + 1):
        path = root.joinpath(*parts[:depth])
        found += [file for file in (path / "__init__.py", path.with_suffix(".py")) if file.is_file()]
    return found


def imported_modules(source: bytes, package: str) -> Iterator[str]:
    """Dotted names of PACKAGES' modules that `source` imports, anywhere in it (a lazy import inside a function counts).

    Args:
        source: Python source.
        package: dotted name of the package that holds the source, for relative imports ("" for a script).
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, *([base] if base else [])])
            # `from package import name` may mean a module of that name.
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] in PACKAGES)


@cache
def _read(file: Path, root: Path) -> tuple[bytes, tuple[Path, ...]]:
    """The hash of one file and the files of PACKAGES it imports directly."""
    source = file.read_bytes()
    package = ".".join(file.relative_to(root).parent.parts)
    direct = {found for name in imported_modules(source, package) for found in module_files(name, root)}
    return hashlib.sha256(source).digest(), tuple(sorted(direct - {file, root / AROUND}))


def code_files(script: Path, root: Path) -> list[Path]:
    """`script` and every file of PACKAGES under `root` that it imports, directly or through imports, sorted."""
    root = root.resolve()
    pending, seen = [(root / script).resolve()], set()
    while pending:
        file = pending.pop()
        if file not in seen:
            seen.add(file)
            pending.extend(_read(file, root)[1])
    return sorted(seen)


def code_version(script: str | Path, root: str | Path) -> str:
    """A short hash of all code that `script` (a path relative to `root`) runs from this repository.

    Not seen: modules named only in strings (`importlib.import_module(name)`), and installed libraries.
    """
    root = Path(root).resolve()
    total = hashlib.sha256()
    for file in code_files(Path(script), root):
        total.update(file.relative_to(root).as_posix().encode() + b"\0" + _read(file, root)[0])
    return total.hexdigest()[:16]
