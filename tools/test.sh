#!/usr/bin/env bash
# Checks style and runs the tests, in an environment of its own: tools/test.sh [--all] [arguments of pytest]
# Of the slow tests of every recipe every 16th recipe runs; --all runs them all.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

if [[ "${1:-}" == --all ]]; then
    export TFDFM_TEST_ALL=1
    shift
fi
style=(--isolated --line-length 120 --target-version py311)
code=(tfdfm configs tests tools)
"$python" -m ruff check --quiet "${style[@]}" --select E,F,I,B,UP "${code[@]}"
"$python" -m ruff format --quiet --check "${style[@]}" "${code[@]}"
exec "$python" -m pytest -n 2 --dist loadfile --no-loadscope-reorder "$@"
