#!/usr/bin/env bash
# Does denoising feature matching help? Its twin without, and several ways of it, over the same seeds: a table, a picture, JSON.
# tools/study.sh GAN DFM OUT [--config.KEY=VALUE ...], recipes that differ in the term dfm; OUT keeps all, and goes on when run again.
# Of the environment: SEEDS=0,1,2,3,4, RATIOS=0.01,0.1,1,10 (of gradients), SIGMAS=0.1,0.3,1 (of whitened features), METRICS.
set -euo pipefail
gan=$1 dfm=$2 out=$3
shift 3
search() { # NAME RECIPE FLAGS...: one search of all seeds
  python -m tfdfm.search --search_dir="$out/$1" --config="$2" --grid.seed="${SEEDS:-0,1,2,3,4}" \
    --metrics="${METRICS:-frechet_distance,kernel_distance,precision,recall,inception_score}" "${@:3}"
}
scaled=(--config.denoiser.whiten=true)
search without "$gan" "$@"
search ratio "$dfm" "$@" "${scaled[@]}" --grid.dfm.sigma="${SIGMAS:-0.1,0.3,1}" --grid.dfm.gradient_ratio="${RATIOS:-0.01,0.1,1,10}"
search paper "$dfm" "$@" --config.dfm.weight=0.03 --config.dfm.sigma=1 --config.dfm.gradient_ratio=0 --config.denoiser.whiten=false
terms=$(python -c "from tfdfm import recipes; print(','.join(recipes.recipe('$gan').terms))"),dfm_difference
search difference "$dfm" "$@" "${scaled[@]}" --config.terms="$terms" \
  --grid.dfm_difference.sigma="${SIGMAS:-0.1,0.3,1}" --grid.dfm_difference.gradient_ratio="${RATIOS:-0.01,0.1,1,10}"
python -m tfdfm.search --paired="$out/without,$out/ratio,$out/paper,$out/difference" --out="$out/paired.png" --json="$out/paired.json"
