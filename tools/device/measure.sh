#!/usr/bin/env bash
# Installs what pack.sh packed, without a network, and measures this machine: bash measure.sh [RECIPE ...]
# results/ gets a JSON file a recipe: the compiled step, the loop and samples, in float32 and bfloat16. Run again it goes on with
# what is missing: pieces that did not come are named, what is installed and measured stays.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
recipes=("$@")
[[ $# -gt 0 ]] || recipes=(cifar10 cifar10_quick_acgan_dfm imagenet32 cifar10_sngan cifar10_r3gan imagenet128_acgan)

if ! sha256sum --check --quiet SHA256SUMS; then
    echo "These pieces are damaged or missing: copy them again." >&2
    exit 2
fi
if [[ ! -d unpacked ]]; then
    rm -rf unpacked.part && mkdir unpacked.part
    cat pieces/* | tar --extract --directory=unpacked.part
    mv unpacked.part unpacked
fi
if [[ ! -e venv/installed ]]; then
    "${PYTHON:-python3}" -m venv venv
    venv/bin/pip install --quiet --no-index unpacked/wheels/*.whl
    touch venv/installed
fi

mkdir -p results
if command -v nvidia-smi >/dev/null; then nvidia-smi >results/nvidia-smi.txt; fi
for recipe in "${recipes[@]}"; do
    [[ ! -e "results/$recipe.json" ]] || continue
    timeout "${SECONDS_EACH:-180}" venv/bin/python unpacked/tools/benchmark.py --config="$recipe" --measure=step,loop,samples \
        --rounds=3 --json="results/$recipe.part" || echo "$recipe: not measured ($?)" >&2
    [[ ! -e "results/$recipe.part" ]] || mv "results/$recipe.part" "results/$recipe.json"
done
ls results
