"""`dtype: auto` depends only on the processor."""

from pathlib import Path

import pytest

from pulse_core.precision import arithmetic, fast_bfloat16


@pytest.mark.parametrize(
    ("vendor", "flags", "fast"),
    [
        ("AuthenticAMD", "avx2 avx512f avx512_bf16", True),
        ("AuthenticAMD", "avx2", False),
        ("GenuineIntel", "avx512f avx512_bf16", False),
        ("GenuineIntel", "avx512f avx512_bf16 amx_bf16", True),
    ],
)
def test_the_processor_decides(tmp_path: Path, vendor: str, flags: str, fast: bool) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text(f"processor\t: 0\nvendor_id\t: {vendor}\nflags\t\t: fpu {flags}\n\nprocessor\t: 1\n")
    assert fast_bfloat16(info) == fast


def test_an_unknown_processor_gets_float32(tmp_path: Path) -> None:
    assert not fast_bfloat16(tmp_path / "none")


def test_a_named_precision_is_kept() -> None:
    assert [arithmetic(name) for name in ("float32", "bfloat16")] == ["float32", "bfloat16"]
    assert arithmetic("auto") in ("float32", "bfloat16")
