#!/usr/bin/env bash
# Trains a generator of handwritten digits (about three minutes on two cores), exports and serves it, and fetches a
# picture of 100 of them from the server.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

run=runs/digits-demo
"$python" -m tfdfm.train --dataset=digits --run_dir="$run"
rm -rf "$run/export"
"$python" -m tfdfm.export --run_dir="$run"

"$python" -m tfdfm.serve --model_base_path="$run/export" --model_name=digits --port=-1 --rest_api_port=-1 >"$run/serve.log" &
server=$!
trap 'kill "$server"' EXIT
until grep --quiet ^Serving "$run/serve.log"; do
    kill -0 "$server"
    sleep 0.1
done
cat "$run/serve.log"
endpoint="$(sed -n 's/.*gRPC \([^,]*\).*/\1/p' "$run/serve.log")"
"$python" -m tfdfm.sample --endpoint="$endpoint" --model_name=digits --num=100 --out="$run/digits.png"

echo "The picture: $PWD/$run/digits.png    The curves: .venv/bin/tensorboard --logdir=$run"
echo "Served again: .venv/bin/python -m tfdfm.serve --model_base_path=$run/export    A page to look at: http://localhost:8501"
