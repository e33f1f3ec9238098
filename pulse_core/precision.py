"""The precision that `dtype: auto` stands for on this machine. Does not import torch."""

from pathlib import Path

from pulse_core.accelerators import accelerated

CPU_INFO = Path("/proc/cpuinfo")


def arithmetic(dtype: str) -> str:
    """`dtype` itself, or for `auto` the faster of bfloat16 and float32 here; the same at every call on one machine.

    bfloat16 on an accelerator and on CPUs that multiply it in hardware faster than float32: those with AMX, and AMD's
    with AVX-512 BF16. Everywhere else float32: without such units bfloat16 is emulated, and on Intel's AVX-512 BF16
    without AMX the ranker was measured at two thirds of float32's speed.
    """
    if dtype != "auto":
        return dtype
    return "bfloat16" if accelerated() or fast_bfloat16(CPU_INFO) else "float32"


def fast_bfloat16(cpu_info: Path) -> bool:
    """Whether the CPU that a `/proc/cpuinfo` describes multiplies bfloat16 faster than float32; False without one."""
    if not cpu_info.is_file():
        return False
    lines = (line.partition(":") for line in cpu_info.read_text(encoding="utf-8", errors="replace").splitlines())
    fields = {name.strip(): value.split() for name, _, value in lines}
    flags = fields.get("flags", [])
    return "amx_bf16" in flags or (fields.get("vendor_id") == ["AuthenticAMD"] and "avx512_bf16" in flags)
