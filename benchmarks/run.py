"""`make bench`: runs all benchmarks, prints one table and writes benchmarks/results.json.

A module `benchmarks/<name>.py` is a benchmark if it has a function `measure_<name>() -> dict[str, float]`. Benchmarks
run in turn, each in a fresh process. `python -m benchmarks.run corpus sasrec` runs only those. A missed target is
printed but fails nothing, because machines differ.
"""

import json
import platform
import subprocess
import sys
import time
from pathlib import Path

from pulse_core.accelerators import accelerated, allowed_devices
from pulse_core.precision import CPU_INFO, arithmetic
from workflow_scripts.job.stage import usable_cpus

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results.json"
# Targets: at least (>=) or at most (<=).
BARS: dict[str, tuple[str, float]] = {
    "corpus_memory_x10": ("<=", 2),
    "corpus_vs_floor": ("<=", 3),
    "corpus_vs_pandas": (">=", 5),
    "encoder_vs_sentence_transformers": (">=", 1),
    "generation_vs_engine": (">=", 0.9),
    "generation_vs_engine_vllm": (">=", 0.9),
    "noop_seconds": ("<=", 4),
    "orchestration_share": ("<=", 0.1),
    "ranker_packed_infer": (">=", 5),
    "ranker_packed_train": (">=", 5),
    "tree_prefix_sharing": (">=", 1.5),
}


def names() -> list[str]:
    """Names of the benchmarks."""
    files = sorted(HERE.glob("*.py"))
    return [file.stem for file in files if f"def measure_{file.stem}(" in file.read_text(encoding="utf-8")]


def measure(name: str) -> dict[str, float]:
    """Run one measurement in a fresh process."""
    code = f"import json; from benchmarks.{name} import measure_{name}; print('\\n' + json.dumps(measure_{name}()))"
    done = subprocess.run([sys.executable, "-c", code], cwd=HERE.parent, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def machine() -> dict[str, str | int]:
    """The machine: processor, usable cores, accelerators, the precision of `dtype: auto`."""
    lines = CPU_INFO.read_text(encoding="utf-8").splitlines() if CPU_INFO.is_file() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": models[0] if models else platform.processor() or platform.machine(),
        "cores": usable_cpus(),
        "accelerators": len(allowed_devices()) if accelerated() else 0,
        "precision": arithmetic("auto"),
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
    }


def met(name: str, figure: float) -> bool:
    """Whether a figure with a target reaches it."""
    sign, bar = BARS[name]
    return figure >= bar if sign == ">=" else figure <= bar


def table(figures: dict[str, float]) -> str:
    """One line per figure: its value, its target if it has one, and whether that is met."""
    lines = [f"{'figure':<40} {'measured':>12}   bar"]
    for name, figure in sorted(figures.items()):
        sign, bar = BARS.get(name, ("", 0.0))
        verdict = f"{sign} {bar:<5g} {'met' if met(name, figure) else 'MISSED'}" if sign else ""
        lines.append(f"{name:<40} {figure:>12.4g}   {verdict}".rstrip())
    return "\n".join(lines)


def main(chosen: list[str]) -> None:
    """Measure, print, and add the figures to those of earlier calls on this machine."""
    here = machine()
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if known.pop("machine", here) != here:
        known = {}  # from another machine
    measured: dict[str, float] = {}
    failed = []
    for name in chosen or names():
        started = time.monotonic()
        try:
            measured |= measure(name)
        except subprocess.CalledProcessError:  # its message is above; go on with the others
            failed.append(name)
        print(f"{name}: {time.monotonic() - started:.0f} s", flush=True)
        figures = dict(sorted((known | measured).items()))
        RESULTS.write_text(json.dumps(figures | {"machine": here}, indent=2) + "\n")
    print("\n" + ", ".join(f"{key} {value}" for key, value in here.items()) + "\n\n" + table(measured))
    if failed:
        raise SystemExit(f"not measured: {', '.join(failed)}")


if __name__ == "__main__":
    main(sys.argv[1:])
