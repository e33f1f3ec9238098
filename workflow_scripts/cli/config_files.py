"""Writes both JSON Schemas and the comments of config.yaml from the settings classes: `make format` runs it.

Values in config.yaml are kept; a missing key is added with its default. The comments are the docstrings of the
settings, so that no key is described twice.
"""

import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from pulse_core.artifacts import whole_file, write_json
from pulse_core.config import Config, DomainSettings, config_schema, load_config
from pulse_core.evaluation.schema import hr1_schema
from pulse_core.model_settings import ModelSettings

ROOT = Path(__file__).resolve().parents[2]
WIDTH = 112
HEADER = """\
# yaml-language-server: $schema=config/schema.json
# All settings of PULSE with their defaults, which run anywhere, offline, in minutes. Most users change only domains,
# models, split.sample_users, generation.engine and seed, which come first; the rest follows in pipeline order.
# Put your changes into a file of your own, as the presets in config/ do:
#     snakemake --cores 8 --resources gpu=2 results/luxury/hr1.json --configfile config/amazon-small.yaml
# or on the command line: --config seed=7 ranker.epochs=1. A change reruns the stages that read it and later ones.
# Comments are generated from the settings classes (`make format`); edit only the values here.
"""
# Sections whose keys are names: the keys of their values are described once, above them.
NAMED: dict[str, type[BaseModel]] = {"domains": DomainSettings, "models": ModelSettings}
HIDDEN = {"testing"}


def manual(config: Config) -> str:
    """The text of config.yaml for these values."""
    return HEADER + "".join(f"\n{block}" for block in _blocks(config))


def _blocks(config: Config) -> Iterator[str]:
    for name, field in Config.model_fields.items():
        if name in HIDDEN:
            continue
        value = getattr(config, name)
        lines = []
        if name in NAMED:
            lines += [*_comment(field.description or (type(value).__doc__ or "")), f"{name}:"]
            for key, inner in NAMED[name].model_fields.items():
                lines += _comment(f"{key}: {inner.description}", "  ")
            fields = {} if isinstance(value, dict) else type(value).model_fields
            for key, entry in dict(value).items():
                description = fields[key].description or "" if fields else ""
                lines += [*_comment(description, "  "), f"  {key}: {_flow(entry)}"]
        elif isinstance(value, BaseModel):
            lines += [*_comment(type(value).__doc__ or ""), f"{name}:", *_section(value, "  ")]
        else:
            lines += [*_comment(field.description or ""), f"{name}: {_flow(value)}"]
        yield "\n".join(lines) + "\n"


def _section(settings: BaseModel, indent: str) -> list[str]:
    lines = []
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        lines += _comment(field.description or "", indent)
        if isinstance(value, BaseModel):
            lines += [f"{indent}{name}:", *_section(value, indent + "  ")]
        elif isinstance(value, dict) and value:
            lines += [f"{indent}{name}:", *_named(value, indent + "  ")]
        else:
            lines.append(f"{indent}{name}: {_flow(value)}")
    return lines


def _named(values: dict[str, BaseModel], indent: str) -> list[str]:
    """Settings under names that the user chooses: their keys are described once, above them."""
    inner = type(next(iter(values.values()))).model_fields
    lines = [line for key, field in inner.items() for line in _comment(f"{key}: {field.description}", indent)]
    return [*lines, *(f"{indent}{key}: {_flow(value)}" for key, value in values.items())]


def _comment(text: str, indent: str = "") -> list[str]:
    prefix = f"{indent}# "
    return textwrap.wrap(
        " ".join(text.split()), WIDTH, initial_indent=prefix, subsequent_indent=prefix, break_on_hyphens=False
    )


def _flow(value: Any) -> str:
    """One value on one line; unset parts of a mapping are left out."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json", exclude_none=True)
    return yaml.safe_dump(value, default_flow_style=True, width=10_000, sort_keys=False).removesuffix("\n...\n").strip()


def main() -> None:
    """Write config.yaml and both schemas."""
    write_json(ROOT / "config/schema.json", config_schema())
    write_json(ROOT / "docs/hr1.schema.json", hr1_schema())
    file = ROOT / "config.yaml"
    text = manual(load_config(yaml.safe_load(file.read_text(encoding="utf-8")) or {}))
    with whole_file(file) as partial:
        partial.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
