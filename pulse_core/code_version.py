"""The version of a script's code: a hash of what its file, and every module of this repository behind it, mean.

With this hash in the params of each rule, a changed statement reruns the stages that use it and no others. YAML files
beside an imported module count by their values. Comments, docstrings, formatting and imports for type checkers alone
don't count; modules imported for their settings or types do, because their code runs.
"""

import ast
import hashlib
import importlib.util
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import yaml

PACKAGES = ("pulse_core", "workflow_scripts")
# What surrounds a script's call (log, threads, devices, processes) changes no artifact: an edit there reruns nothing.
AROUND = "workflow_scripts/job"


def module_files(module: str, root: Path) -> list[Path]:
    """The files that importing the dotted `module` runs, or may read: its own, its packages' `__init__.py` and YAML."""
    parts = module.split(".")
    files = []
    for depth in range(1, len(parts) + 1):
        path = root.joinpath(*parts[:depth])
        files += [file for file in (path / "__init__.py", path.with_suffix(".py")) if file.is_file()]
        files += path.glob("*.yaml")
    return files


def _runs(statement: object) -> bool:
    """Whether a syntax tree's node does anything at run time: no string by itself, no `if TYPE_CHECKING:`."""
    match statement:
        case ast.Expr(value=ast.Constant(value=str())) | ast.If(test=ast.Name(id="TYPE_CHECKING"), orelse=[]):
            return False
    return True


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """`node` and everything below it that runs."""
    yield node
    for child in ast.iter_child_nodes(node):
        if _runs(child):
            yield from _walk(child)


def _meaning(value: object) -> object:
    """A syntax tree as nested lists without positions, docstrings and empty fields, the same in every Python."""
    if isinstance(value, ast.AST):
        fields = ((name, _meaning(field)) for name, field in ast.iter_fields(value) if name != "kind")
        return [type(value).__name__, *([name, field] for name, field in fields if field not in (None, []))]
    if isinstance(value, list):
        return [_meaning(element) for element in value if _runs(element)]
    return repr(value)


def source_hash(source: ast.AST) -> bytes:
    """SHA-256 of what parsed Python source means."""
    return hashlib.sha256(repr(_meaning(source)).encode()).digest()


def imported_modules(source: ast.AST, package: str) -> Iterator[str]:
    """Dotted names of PACKAGES' modules that `source` imports, lazily or not; `package` holds it ("": a script)."""
    for node in _walk(source):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            if node.level:
                base = importlib.util.resolve_name(base, package)
            # `from package import name` may mean a module of that name.
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] in PACKAGES)


@cache
def _read(file: Path, root: Path) -> tuple[bytes, tuple[Path, ...]]:
    """The hash of one file and the files of PACKAGES it imports directly; of a YAML file, the hash of its values."""
    if file.suffix == ".yaml":
        values = yaml.load(file.read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        return hashlib.sha256(repr(values).encode()).digest(), ()
    source = ast.parse(file.read_bytes())
    package = ".".join(file.relative_to(root).parent.parts)
    direct = {path for name in imported_modules(source, package) for path in module_files(name, root)} - {file}
    return source_hash(source), tuple(sorted(path for path in direct if not path.is_relative_to(root / AROUND)))


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


def files_version(files: Iterable[Path], root: Path) -> str:
    """A short hash of the paths, relative to `root`, of these files and of what they mean."""
    total = hashlib.sha256()
    for file in files:
        total.update(file.relative_to(root).as_posix().encode() + b"\0" + _read(file, root)[0])
    return total.hexdigest()[:16]


def code_version(script: str | Path, root: str | Path) -> str:
    """A short hash of all code that `script` (a path relative to `root`) runs from this repository; modules named only
    in strings are not seen."""
    root = Path(root).resolve()
    return files_version(code_files(Path(script), root), root)
