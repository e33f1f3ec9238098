#!/usr/bin/env bash
# A real Slurm on this machine for tests: munge, slurmctld and slurmd on loopback, two counted GPUs, partitions cpu and gpu.
# No slurmdbd, no cgroups. Needs root. Run again it changes nothing.
#   tests/cluster/slurm-up.sh             brings it up; tests/cluster/slurm-down.sh stops what this started
#   tests/cluster/slurm-up.sh --check     only says, by its status, whether it is up
#   tests/cluster/slurm-up.sh --install   only installs what is missing (Debian, Ubuntu)
set -euo pipefail
ROOT=${SLURM_LAB:-${TMPDIR:-/tmp}/one-node-slurm}
# Pretended, so that what the profile asks for is granted on a small machine: nothing here enforces either.
CPUS=${SLURM_LAB_CPUS:-64} MEMORY_MB=${SLURM_LAB_MEMORY_MB:-256000} GPUS=${SLURM_LAB_GPUS:-2}
NODE=$(hostname -s)
say() { echo "slurm-up: $*" >&2; }

# alive NAME: is the recorded pid still that program?
alive() {
  local p; p=$(cat "$ROOT/pid/$1.pid" 2>/dev/null) || return 1
  [ -n "$p" ] && [ "$(cat "/proc/$p/comm" 2>/dev/null)" = "$1" ]
}
if [ "${1:-}" = --check ]; then alive munged && alive slurmctld && alive slurmd; exit; fi

[ "$(id -u)" = 0 ] || { say "FAILED: needs root, for device files and for munge's socket"; exit 1; }
# Before anything is installed or written: a cluster that is here already is not ours to touch.
for f in slurm.conf gres.conf; do
  if [ -e "/etc/slurm/$f" ] && [ "$(readlink "/etc/slurm/$f")" != "$ROOT/etc/$f" ]; then say "FAILED: /etc/slurm/$f is not ours"; exit 1; fi
done
installed() { command -v slurmctld && command -v slurmd && command -v srun && command -v munged; } >/dev/null
if [ "${1:-}" = --install ]; then
  installed && exit
  command -v apt-get >/dev/null || { say "FAILED: there is no apt-get to install slurmctld, slurmd, slurm-client and munge"; exit 1; }
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends slurmctld slurmd slurm-client munge
  exit
fi
installed || { say "FAILED: Slurm is not installed: make setup-slurm"; exit 1; }
mkdir -p "$ROOT"/{etc,log,pid,ctld,slurmd,dev,munge}
chmod 0755 "$ROOT" "$ROOT/munge"
# Slurm sets CUDA_VISIBLE_DEVICES only for GPUs that are character devices; nothing opens these.
for i in $(seq 0 $((GPUS - 1))); do
  [ -c "$ROOT/dev/gpu$i" ] || mknod "$ROOT/dev/gpu$i" c 195 "$i" || { say "FAILED: mknod is not allowed here"; exit 1; }
done

if ! [ -s "$ROOT/munge/munge.key" ]; then
  (umask 077; dd if=/dev/urandom bs=1 count=1024 of="$ROOT/munge/munge.key" status=none)
fi
# squeue forgets a job after MinJobAge, which the plugin wants to be three times its seconds before the first poll.
# pgid: under linuxproc the children of a killed job ran on and kept writing.
cat >"$ROOT/etc/slurm.conf" <<CONF
ClusterName=lab
SlurmctldHost=$NODE(127.0.0.1)
SlurmUser=root
SlurmdUser=root
SlurmctldPort=26817
SlurmdPort=26818
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
AuthType=auth/munge
AuthInfo=socket=$ROOT/munge/munge.sock
CredType=cred/munge
StateSaveLocation=$ROOT/ctld
SlurmdSpoolDir=$ROOT/slurmd
SlurmctldPidFile=$ROOT/pid/slurmctld.pid
SlurmdPidFile=$ROOT/pid/slurmd.pid
SlurmctldLogFile=$ROOT/log/slurmctld.log
SlurmdLogFile=$ROOT/log/slurmd.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
MpiDefault=none
MailProg=/bin/true
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=2,sched_interval=2,batch_sched_delay=0
SlurmdParameters=config_overrides
GresTypes=gpu
ReturnToService=2
SlurmdTimeout=15
SlurmctldTimeout=30
KillWait=5
MinJobAge=3600
JobRequeue=0
NodeName=$NODE NodeAddr=127.0.0.1 CPUs=$CPUS CoresPerSocket=$CPUS RealMemory=$MEMORY_MB Gres=gpu:pretended:$GPUS State=UNKNOWN
PartitionName=cpu Nodes=$NODE Default=YES MaxTime=INFINITE State=UP DefMemPerCPU=500
PartitionName=gpu Nodes=$NODE MaxTime=INFINITE State=UP DefMemPerCPU=500
CONF
cat >"$ROOT/etc/gres.conf" <<CONF
AutoDetect=off
NodeName=$NODE Name=gpu Type=pretended Flags=nvidia_gpu_env File=$ROOT/dev/gpu[0-$((GPUS - 1))]
CONF
# The plugin's job step drops SLURM_CONF before its inner srun, which then looks here.
mkdir -p /etc/slurm
for f in slurm.conf gres.conf; do ln -sfn "$ROOT/etc/$f" "/etc/slurm/$f"; done
export SLURM_CONF=$ROOT/etc/slurm.conf

if ! alive munged; then
  rm -f "$ROOT"/munge/munge.sock*
  munged --force --key-file="$ROOT/munge/munge.key" --socket="$ROOT/munge/munge.sock" \
    --pid-file="$ROOT/munge/munged.pid" --log-file="$ROOT/munge/munged.log" --seed-file="$ROOT/munge/munged.seed" >&2
  for _ in $(seq 50); do [ -S "$ROOT/munge/munge.sock" ] && [ -s "$ROOT/munge/munged.pid" ] && break; sleep 0.1; done
  cp "$ROOT/munge/munged.pid" "$ROOT/pid/munged.pid"
fi
start() { # start NAME CMD...: in a session of its own, its pid recorded
  local name=$1; shift
  alive "$name" && return 0
  setsid "$@" >>"$ROOT/log/$name.out" 2>&1 </dev/null &
  echo $! >"$ROOT/pid/$name.pid"
  disown || true
}
start slurmctld slurmctld -D -i
for _ in $(seq 100); do scontrol ping >/dev/null 2>&1 && break; sleep 0.1; done
start slurmd slurmd -D -N "$NODE"
for _ in $(seq 150); do
  state=$(sinfo -h -p cpu -o %T 2>/dev/null || true)
  case "$state" in idle | mixed | allocated) break ;; down* | drained*) scontrol update NodeName="$NODE" State=RESUME 2>/dev/null || true ;; esac
  sleep 0.2
done
case "${state:-}" in
  idle | mixed | allocated) say "node $NODE is $(sinfo -h -p cpu -o '%T: %c CPUs, %m MB, %G')" ;;
  *) tail -n 5 "$ROOT"/log/*.log >&2 || true; say "FAILED: node $NODE is '${state:-unknown}'"; exit 1 ;;
esac
