#!/usr/bin/env bash
# One run by two workers (MultiWorkerMirroredStrategy), a node each; the global batch is shared.
# sbatch workers.sh [FLAGS]: they are added to the command; the same line again goes on.
#SBATCH --nodes=2 --ntasks-per-node=1 --cpus-per-task=2 --mem=8G --time=04:00:00
#SBATCH --requeue --signal=B:TERM@120
set -u
runs=${RUNS:-runs}
port=${PORT:-12345}
WORKERS=${WORKERS:-$(scontrol show hostnames "$SLURM_JOB_NODELIST" | sed "s/.*/\"&:$port\"/" | paste -sd,)}
export WORKERS
srun bash -c '
    export TF_CONFIG="{\"cluster\": {\"worker\": [$WORKERS]}, \"task\": {\"type\": \"worker\", \"index\": $SLURM_PROCID}}"
    exec python -m tfdfm.train --config=cifar10_quick --run_dir="$0/cifar10_quick-workers" "$@"
' "$runs" "$@" &
child=$!
trap 'kill -TERM $child; wait $child; scontrol requeue "$SLURM_JOB_ID"; exit 0' TERM
wait $child
