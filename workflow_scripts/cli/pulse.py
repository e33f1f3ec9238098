"""The `pulse` command: planning a run and verifying its results."""

import argparse
from collections.abc import Sequence

from workflow_scripts.cli import plan, verify


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the subcommand; its exit status."""
    parser = argparse.ArgumentParser(
        prog="pulse", description="Plan a run, or verify its results; `snakemake` runs the workflow."
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    plan.add_command(commands)
    verify.add_command(commands)
    given = parser.parse_args(arguments)
    return int(given.run(given))


if __name__ == "__main__":
    raise SystemExit(main())
