"""Checks a command line's configuration, with one clear line for input that Snakemake would misread or crash on."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from pulse_core.errors import InputError

# libyaml's loader parses config.yaml in milliseconds; the one in Python takes a third of a second.
Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
KEY = re.compile(r"[a-zA-Z_][\w-]*(\.[\w-]+)*")
INTEGER = "tag:yaml.org,2002:int"
OCTAL = re.compile(r"[-+]?0[0-7_]+")
MAX_DIGITS = 30
BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff")


def check_file(path: Path) -> None:
    """Check one configuration file.

    Raises:
        InputError: the file cannot be read, is not UTF-8, not YAML or empty, has a key twice, or has a number that
            YAML reads in another base.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"--configfile: {path} does not exist") from None
    except OSError as error:
        raise InputError(f"--configfile: {path} cannot be read: {error.strerror}") from None
    if content.startswith(BYTE_ORDER_MARKS):
        raise InputError(f"--configfile: {path} is in UTF-16: save it as UTF-8")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InputError(f"{path}:{line}: not UTF-8 text: save the file as UTF-8") from None
    root = _check_yaml(text, str(path))
    if root is None:
        raise InputError(f"--configfile: {path} is empty: write keys and values, such as `seed: 7`")
    if not isinstance(root, yaml.MappingNode):
        raise InputError(f"{path}:{_line(root)}: not a configuration: write keys and values, such as `seed: 7`")


def check_pairs(pairs: Sequence[str]) -> None:
    """Check the values of `--config`.

    Raises:
        InputError: one is not `key=value`, or its value is not YAML.
    """
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign or not KEY.fullmatch(name):
            raise InputError(f"--config: got {pair!r}, expected key=value, such as ranker.epochs=1")
        _check_yaml(value, f"--config {name}", lines=False)


def _check_yaml(text: str, source: str, *, lines: bool = True) -> yaml.Node | None:
    """The root node of `text`; None if it is empty. Messages start with `source` and, with `lines`, the line number."""

    def error(line: int, problem: str) -> InputError:
        return InputError(f"{source}:{line}: {problem}" if lines else f"{source}: {problem}")

    try:
        loader = Loader(text)
        root = loader.get_single_node()
        problems = [] if root is None else sorted(_problems(root, set()))
        if root is not None and not problems:
            loader.construct_document(root)
    except yaml.MarkedYAMLError as fault:
        mark = fault.problem_mark or fault.context_mark
        raise error(mark.line + 1 if mark else 1, f"not valid YAML: {fault.problem}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as fault:
        raise error(1, f"not valid YAML: {str(fault).splitlines()[0]}") from None
    if problems:
        raise error(*problems[0])
    return root


def _problems(node: yaml.Node, visited: set[int]) -> Iterator[tuple[int, str]]:
    """Line and description of valid YAML whose meaning would surprise its author."""
    if id(node) in visited:  # an alias
        return
    visited.add(id(node))
    if isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in lines:
                yield _line(key), f"the key {key.value!r} is already on line {lines[key.value]}: join the two"
            if isinstance(key, yaml.ScalarNode):
                lines[key.value] = _line(key)
            yield from _problems(value, visited)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _problems(item, visited)
    elif node.tag == INTEGER:
        if len(node.value) > MAX_DIGITS:
            yield _line(node), f"a number of {len(node.value):,} digits: no setting takes one"
        elif OCTAL.fullmatch(node.value):
            yield _line(node), f"YAML reads {node.value} as octal: write it without the leading 0"
        elif ":" in node.value:
            yield _line(node), f"YAML reads {node.value} in base 60: put it in quotation marks"


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
