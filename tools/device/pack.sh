#!/usr/bin/env bash
# Packs the package with every wheel that it needs, for a machine without a network: tools/device/pack.sh FOLDER [EXTRAS]
# FOLDER gets pieces of 64 MiB (SIZE), their SHA256SUMS, and measure.sh to run beside them. EXTRAS: gpu,classifier where not
# given. Pack on a machine with the other's operating system, processor and Python. 2.9 GB with gpu.
set -euo pipefail
out=$(realpath -m "$1") extras=${2-gpu,classifier} work=$(mktemp -d)
source "$(dirname "${BASH_SOURCE[0]}")/../environment.sh"

trap 'rm -rf "$work"' EXIT
[[ ! -e "$out" ]] || { echo "$out is there already: remove it, or pack into another folder." >&2; exit 2; }
"$python" -m pip wheel --quiet --wheel-dir "$work/wheels" ".${extras:+[$extras]}"
cp -r tools "$work/tools"
mkdir -p "$out.part/pieces"
tar --create --directory="$work" wheels tools | split --bytes="${SIZE:-64M}" --suffix-length=4 --numeric-suffixes - "$out.part/pieces/"
cp tools/device/measure.sh "$out.part/"
(cd "$out.part" && sha256sum pieces/* measure.sh >SHA256SUMS)
mv "$out.part" "$out"
echo "$(du --human-readable --summarize "$out" | cut --fields=1) in $(ls "$out/pieces" | wc --lines) pieces. There: bash measure.sh"
