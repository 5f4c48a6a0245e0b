#!/usr/bin/env bash
# Five seeds of a recipe, a task each.
# sbatch seeds.sh [FLAGS]: they are added to the command; the same line again goes on.
#SBATCH --array=0-4
#SBATCH --cpus-per-task=2 --mem=8G --time=04:00:00
#SBATCH --requeue --signal=B:TERM@120
set -u
runs=${RUNS:-runs}
python -m tfdfm.train --config=cifar10_quick --config.seed="$SLURM_ARRAY_TASK_ID" --run_dir="$runs/cifar10_quick-seed$SLURM_ARRAY_TASK_ID" "$@" &
child=$!
# Two minutes before its time is over SIGTERM saves, and the task is put into the queue again.
trap 'kill -TERM $child; wait $child; scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"; exit 0' TERM
wait $child
