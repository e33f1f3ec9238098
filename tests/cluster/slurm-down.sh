#!/usr/bin/env bash
# Stop what slurm-up.sh started: by recorded pid, after checking that the pid is still that program.
set -uo pipefail
ROOT=${SLURM_LAB:-${TMPDIR:-/tmp}/one-node-slurm}
export SLURM_CONF=$ROOT/etc/slurm.conf
if [ -f "$SLURM_CONF" ] && timeout 5 scontrol ping >/dev/null 2>&1; then
  timeout 10 scancel -u "$(id -un)" 2>/dev/null || true
  for _ in $(seq 40); do [ -z "$(squeue -h -t R,CG -o %i 2>/dev/null)" ] && break; sleep 0.25; done
fi
running() { [ "$(cat "/proc/$2/comm" 2>/dev/null)" = "$1" ] && [ "$(awk '{print $3}' "/proc/$2/stat" 2>/dev/null)" != Z ]; }
for name in slurmd slurmctld munged; do
  p=$(cat "$ROOT/pid/$name.pid" 2>/dev/null || true)
  if [ -n "$p" ] && running "$name" "$p"; then
    kill -TERM "$p"
    for _ in $(seq 60); do running "$name" "$p" || break; sleep 0.1; done
    if running "$name" "$p"; then kill -KILL "$p"; fi
    echo "slurm-down: stopped $name ($p)"
  fi
  rm -f "$ROOT/pid/$name.pid"
done
for f in slurm.conf gres.conf; do
  [ "$(readlink "/etc/slurm/$f" 2>/dev/null)" = "$ROOT/etc/$f" ] && rm -f "/etc/slurm/$f"
done
true
