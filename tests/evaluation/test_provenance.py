"""Versions and seconds."""

import logging
import sys
from pathlib import Path

import pytest

from pulse_core.errors import InputError
from pulse_core.evaluation.provenance import stage_seconds, versions

HEAD = "s\th:m:s\tmax_rss\tmax_vms\tcpu_time\n"


def test_versions_name_python_and_libraries(tmp_path: Path) -> None:
    result = versions(tmp_path)
    assert result["python"].startswith(f"{sys.version_info.major}.{sys.version_info.minor}.")
    assert {"torch", "transformers", "numpy", "machine"} <= set(result)
    assert "commit" not in result  # not a git work tree


def test_seconds_add_up_over_jobs(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = [tmp_path / "tree-1-of-2.tsv", tmp_path / "tree-2-of-2.tsv"]
    files[0].write_text(HEAD + "12.5\t0:00:12\t900.25\t1\t20\n")
    files[1].write_text(HEAD + "2.5\t0:00:02\t-\tNA\t-\n")
    with caplog.at_level(logging.WARNING, logger="pulse"):
        result = stage_seconds({"tree": files, "gone": [tmp_path / "gone.tsv"]})
    assert result["tree"].model_dump() == {"seconds": 15.0, "jobs": 2, "max_rss_mb": 900.25}
    assert result["gone"].seconds is None and "gone.tsv" in caplog.text


def test_files_without_a_benchmark_table_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.tsv").write_text("a\tb\n1\t2\n")
    with pytest.raises(InputError, match=r"x\.tsv: not a Snakemake benchmark"):
        stage_seconds({"x": [str(tmp_path / "x.tsv")]})


@pytest.mark.parametrize("content", [b"\xff\xfe\x00PAR1", b"s\tmax_rss\nfast\t3\n", b""])
def test_a_damaged_table_is_named_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.tsv").write_bytes(content)
    with pytest.raises(InputError, match=r"x\.tsv: not a Snakemake benchmark table .* run x again"):
        stage_seconds({"x": [tmp_path / "x.tsv"]})
