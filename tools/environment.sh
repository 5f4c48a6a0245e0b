# Sourced by the tools beside it: goes to the repository's root and makes .venv with the package and its tests' needs in it.
# Nothing is installed again until setup.cfg or pyproject.toml changes, or the folder moves.
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=.venv/bin/python

find_python() {
    local name
    for name in python3.12 python3.13 python3.11 python3; do
        if "$name" -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
            echo "$name"
            return
        fi
    done
    echo "Expected Python 3.11, 3.12 or 3.13 with venv on the PATH, found none." >&2
    return 1
}

state="$(pwd; cat setup.cfg pyproject.toml)"
if [[ "$state" != "$(cat .venv/installed 2>/dev/null)" ]] || ! "$python" -c '' 2>/dev/null; then
    echo "Making .venv (about 2 GB, once) ..."
    "$python" -c '' 2>/dev/null || "$(find_python)" -m venv --clear .venv
    rm -f .venv/installed
    "$python" -m pip install --quiet --disable-pip-version-check --editable '.[test]'
    echo "$state" >.venv/installed
fi
