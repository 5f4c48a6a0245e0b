#!/usr/bin/env bash
# Checks style and types and runs the tests, in an environment of its own: tools/test.sh [--all] [arguments of pytest]
# The slow tests of recipes run for two of them; --all adds the others, what is marked `whole` and longer searches for faults.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

all=
if [[ "${1:-}" == --all ]]; then
    all=1
    shift
fi
code=(tfdfm configs tests tools examples)
"$python" -m ruff check --quiet "${code[@]}"
"$python" -m ruff format --quiet --check "${code[@]}"
"$python" -m mypy
status=0
TFDFM_TEST_ALL=$all "$python" -m pytest -n 2 --dist loadfile --no-loadscope-reorder "$@" || status=$?
if [[ $all ]]; then
    for share in {1..15}; do
        TFDFM_TEST_SHARE=$share "$python" -m pytest -n 2 tests/conformance -k "not one_step" || status=$?
    done
fi
exit $status
