"""The one table of systems, and what follows from it."""

import re
from pathlib import Path

from pulse_core.config import Config
from pulse_core.evaluation.schema import hr1_schema
from pulse_core.report.paper_figures import PAPER_FIGURES
from pulse_core.systems import BY_NAME, HR1_SYSTEMS, PULSE, SYSTEMS, label

ROOT = Path(__file__).resolve().parents[1]


def test_names_and_labels_are_unique_and_every_system_has_its_script() -> None:
    assert len({system.name for system in SYSTEMS}) == len({system.label for system in SYSTEMS}) == len(SYSTEMS)
    scripts = {file.stem for file in (ROOT / "workflow_scripts/baselines").glob("*.py")} - {"__init__"}
    assert scripts == {system.name for system in SYSTEMS}


def test_what_systems_read_is_in_the_configuration() -> None:
    for system in SYSTEMS:
        for section, keys in system.reads.items():
            assert set(keys) <= set(type(getattr(Config(), section)).model_fields), (system.name, section)
        assert system.section is None or hasattr(Config().baselines, system.section)


def test_docs_name_every_system_by_its_label_in_the_tables_order() -> None:
    rows = re.findall(r"^\| ([^|(]+?) (?:\([^|]*\) )?\|", (ROOT / "docs/baselines.md").read_text(), re.MULTILINE)
    labels = [system.label for system in SYSTEMS]
    assert [row for row in rows if row in labels] == labels


def test_papers_figures_and_hr1_are_of_known_systems() -> None:
    assert {figure.system for figure in PAPER_FIGURES} <= set(BY_NAME)
    assert HR1_SYSTEMS[0] is PULSE and all(system in SYSTEMS for system in HR1_SYSTEMS)
    assert hr1_schema()["properties"]["schema_version"]["const"] == 2
    assert (label("slm_sft"), label("my_system")) == ("SLM + SFT", "my system")
