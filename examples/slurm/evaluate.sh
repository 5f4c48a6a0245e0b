#!/usr/bin/env bash
# One evaluation by eight tasks; then: python -m tfdfm.evaluate --run_dir=runs/cifar10_quick-seed0 --merge
# sbatch evaluate.sh [FLAGS]: they are added to the command; the same line again goes on.
#SBATCH --array=0-7
#SBATCH --cpus-per-task=2 --mem=8G --time=04:00:00
#SBATCH --requeue --signal=B:TERM@120
set -u
runs=${RUNS:-runs}
python -m tfdfm.evaluate --run_dir="$runs/cifar10_quick-seed0" --num=50000 --shard="$SLURM_ARRAY_TASK_ID/8" "$@" &
child=$!
# Two minutes before its time is over SIGTERM saves, and the task is put into the queue again.
trap 'kill -TERM $child; wait $child; scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"; exit 0' TERM
wait $child
