#!/usr/bin/env bash
# Trains a generator of handwritten digits (about three minutes on two cores) and draws a picture of 100 of them.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

run=runs/digits-demo
"$python" -m tfdfm.train --dataset=digits --run_dir="$run"
"$python" -m tfdfm.sample --run_dir="$run" --num=100 --out="$run/digits.png"
echo "The picture: $PWD/$run/digits.png    The curves: .venv/bin/tensorboard --logdir=$run"
