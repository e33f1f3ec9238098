"""`make bench`: every measurement of this directory, as a table and as benchmarks/results.json.

A module `benchmarks/<name>.py` takes part by having a function `measure_<name>() -> dict[str, float]`. They run one
after the other, each in a process of its own: two at once on the same cores would measure each other.
`python -m benchmarks.run corpus sasrec` runs only those.
"""

import json
import platform
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results.json"


def names() -> list[str]:
    """The modules that measure something."""
    files = sorted(HERE.glob("*.py"))
    return [file.stem for file in files if f"def measure_{file.stem}(" in file.read_text(encoding="utf-8")]


def measure(name: str) -> dict[str, float]:
    """Run one measurement in a fresh process."""
    code = f"import json; from benchmarks.{name} import measure_{name}; print('\\n' + json.dumps(measure_{name}()))"
    done = subprocess.run([sys.executable, "-c", code], cwd=HERE.parent, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main(chosen: list[str]) -> None:
    """Measure, print, and add the figures to those of earlier calls."""
    figures: dict[str, float] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    print(f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}")
    for name in chosen or names():
        started = time.monotonic()
        measured = measure(name)
        figures |= measured
        print(f"\n{name} ({time.monotonic() - started:.0f} s)")
        for key, value in measured.items():
            print(f"  {key:<36} {value:12.4g}")
    RESULTS.write_text(json.dumps(dict(sorted(figures.items())), indent=2) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
