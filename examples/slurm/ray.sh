#!/bin/bash
#SBATCH --job-name=freeze-or-prune
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --time=08:00:00
#
# One Ray over the machines of this job, and the sweep on it:
#
#     sbatch examples/slurm/ray.sh --preset grasp-cifar10    # what is given here goes to `run`
#
# Other people, or other jobs of yours, may have a Ray on the same machines: this one has a port, folders and a token of its
# own, and only its own processes are ended. (`ray stop` would end every Ray on the machine that you may end, and so does
# `ray symmetric-run` when its command is done; nor does that one start where anybody's Ray runs already.)
set -euo pipefail

port=$((20000 + SLURM_JOB_ID % 20000))
read -r head < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
read -r ip _ < <(srun --overlap --nodes=1 --ntasks=1 --nodelist="$head" hostname --ip-address)

# Whoever reaches Ray's ports runs code as you, unless a token is asked for. It lies in a file that you alone can read.
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH="$PWD/.ray-token-$SLURM_JOB_ID"
(umask 077 && od -An -N32 -tx1 /dev/urandom | tr -d ' \n' > "$RAY_AUTH_TOKEN_PATH")
folder="/tmp/ray-$SLURM_JOB_ID" # a short path: Ray's sockets lie there
trap 'kill $(jobs -p) 2> /dev/null; wait; rm -f "$RAY_AUTH_TOKEN_PATH"; srun --overlap rm -rf "$folder"' EXIT

options=(--block --temp-dir="$folder" --num-cpus="$SLURM_CPUS_PER_TASK")
srun --overlap --nodes=1 --ntasks=1 --nodelist="$head" \
    ray start --head --node-ip-address="$ip" --port="$port" --include-dashboard=false "${options[@]}" &
until ray status --address "$ip:$port" > /dev/null 2>&1; do sleep 2; kill -0 $!; done
if [ "$SLURM_JOB_NUM_NODES" -gt 1 ]; then
    others=$((SLURM_JOB_NUM_NODES - 1))
    srun --overlap --nodes="$others" --ntasks="$others" --exclude="$head" ray start --address="$ip:$port" "${options[@]}" &
fi

python -m bench run --address "$ip:$port" "$@"
