"""Workspaces whose jobs run on Slurm, and what Slurm reports about them."""

import datetime
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.workflow.workspace import TARGET, Workspace

PROFILE = "profiles/slurm"
# Unlike a cluster, this Slurm has no accounting database, and its jobs take eight seconds: the first poll should see
# them finished, since the plugin waits ten seconds longer before the next.
OVERLAY = ("--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "10", "--latency-wait", "5")


@dataclass(frozen=True)
class Job:
    """A job as slurmctld remembers it."""

    number: str
    rule: str
    wildcards: str  # joined by _
    state: str
    partition: str
    memory_mb: int
    minutes: int
    gpus: str  # as requested: "", "gres:gpu:1", "gres:gpu:<model>:1"
    nodes: int
    submitted: datetime.datetime
    started: datetime.datetime
    ended: datetime.datetime
    log: Path

    @classmethod
    def read(cls, line: str) -> "Job":
        """One line of `scontrol show job --oneliner`."""
        fields = dict(re.findall(r"(\S+?)=(\S*)", line))
        rule, _, wildcards = fields["Comment"].removeprefix("rule_").partition("_wildcards_")
        days, _, clock = fields["TimeLimit"].rpartition("-")
        hours, minutes, _ = (int(part) for part in clock.split(":"))
        return cls(
            number=fields["JobId"],
            rule=rule,
            wildcards=wildcards,
            state=fields["JobState"],
            partition=fields["Partition"],
            memory_mb=int(fields["MinMemoryNode"].removesuffix("M")),
            minutes=(int(days or 0) * 24 + hours) * 60 + minutes,
            gpus=fields.get("TresPerJob", ""),
            nodes=int(fields["NumNodes"].split("-")[0]),  # a range until the job has started
            submitted=_time(fields["SubmitTime"]),
            started=_time(fields["StartTime"]),
            ended=_time(fields["EndTime"]),
            log=Path(fields["StdOut"]),
        )


def _time(text: str) -> datetime.datetime:
    """A time printed by Slurm; the far future if not known yet."""
    return datetime.datetime.max if text == "Unknown" else datetime.datetime.fromisoformat(text)


class SlurmWorkspace(Workspace):
    """A checkout whose commands use profiles/slurm."""

    def command(self, *arguments: str, target: str = TARGET) -> list[str]:
        """The command of docs/cluster.md on the tiny corpus."""
        local = super().command(target=target)
        run = local[: local.index("--cores")]
        return [*run, target, "--profile", PROFILE, *OVERLAY, "--configfile", "tiny.yaml", *arguments]

    def jobs(self) -> list[Job]:
        """The Slurm jobs submitted from here, in order of submission."""
        listing = subprocess.run(
            ["scontrol", "show", "job", "--oneliner"], stdout=subprocess.PIPE, text=True, check=True, timeout=30
        )
        return [Job.read(line) for line in listing.stdout.splitlines() if f" WorkDir={self.root} " in line]

    def script_on_the_node(self, rule: str) -> psutil.Process | None:
        """The Python process of a rule's script. The node is this machine, but the driver is not its parent."""
        for process in psutil.process_iter(["cmdline", "cwd", "name"]):
            command = process.info["cmdline"] or [""]
            here = process.info["cwd"] == str(self.root) and "python" in process.info["name"]
            if here and command[-1].endswith(f".{rule}.py"):
                return process
        return None
