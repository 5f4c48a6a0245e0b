#!/usr/bin/env bash
# Known holes of what is installed beside the package (pip-audit, in an environment of its own). Needs the network.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

audit=$(mktemp -d)
trap 'rm -rf "$audit"' EXIT
"$python" -m venv "$audit"
"$audit/bin/pip" install --quiet 'pip-audit >=2.9, <3'
"$audit/bin/pip-audit" --strict --path "$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" "$@"
