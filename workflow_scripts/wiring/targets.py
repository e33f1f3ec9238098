"""Refuses targets that no rule makes, and suggests the nearest that exist."""

import difflib
import itertools
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pulse_core.config import SHARED_RESULTS
from pulse_core.errors import InputError

SUGGESTIONS = 5
WILDCARD = re.compile(r"\{(\w+),?([^{}]*)\}")
LITERAL = re.compile(r"[\w.-]+")


def targets_of(arguments: list[str]) -> list[str]:
    """The targets on Snakemake's command line, which a workflow does not know yet while it is read."""
    from snakemake.cli import get_argument_parser

    return list(get_argument_parser().parse_known_args(arguments)[0].targets)


def check_targets(targets: Iterable[str], rules: Iterable[Any], domains: Mapping[str, Any]) -> None:
    """Check targets against Snakemake's rules and the configured domains; a removed domain is None.

    Raises:
        InputError: no rule makes a target, or its domain is not configured.
    """
    rules = list(rules)
    for target in targets:
        if any(target == rule.name or rule.is_producer(target) for rule in rules):
            continue
        parts = Path(target).parts
        if len(parts) > 2 and parts[0] == "results" and not domains.get(parts[1]) and parts[1] not in SHARED_RESULTS:
            raise InputError(f"{target}: {_unknown_domain(parts[1], domains)}")
        nearest = "".join(f"\n  {name}" for name in _nearest(target, rules))
        raise InputError(f"{target}: no rule makes this. The nearest targets are{nearest}")


def _unknown_domain(name: str, domains: Mapping[str, Any]) -> str:
    if name in domains:
        return f"domains.{name} is null, which removes the domain: give it a source, such as {{source: files}}"
    known = ", ".join(domain for domain, settings in domains.items() if settings)
    return (
        f"no domain {name!r} is configured, there are {known}. Name it under `domains`, or lay a file over config.yaml "
        "that does (--configfile config/amazon-small.yaml)"
    )


def _nearest(target: str, rules: Iterable[Any]) -> list[str]:
    """Targets in the directory `target`, nearest first; if there are none, the most similar names."""
    names = {name for rule in rules for name in _names(rule)}
    inside = [name for name in names if name.startswith(f"{target.rstrip('/')}/")]
    if inside:
        return sorted(inside, key=lambda name: (name.count("/"), not name.endswith("hr1.json"), name))[:SUGGESTIONS]
    return difflib.get_close_matches(target, names, n=SUGGESTIONS, cutoff=0)


def _names(rule: Any) -> list[str]:
    """The rule's name if it has no wildcards, and its outputs for all combinations of enumerable wildcard values."""
    names = [] if rule.has_wildcards() else [rule.name]
    for output in map(str, rule.output):
        constraints = dict(WILDCARD.findall(output))
        values = [re.sub(r"\\(.)", r"\1", constraint).split("|") for constraint in constraints.values()]
        if not all(LITERAL.fullmatch(value) for value in itertools.chain(*values)):
            continue
        for chosen in itertools.product(*values):
            name = output
            for wildcard, value in zip(constraints, chosen, strict=True):
                name = re.sub(rf"\{{{wildcard}\b[^{{}}]*\}}", value, name)
            names.append(name)
    return names
