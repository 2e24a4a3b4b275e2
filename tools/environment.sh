#!/usr/bin/env bash
# Makes an environment of pinned requirements and of packages of the checkout, these editable. The Makefile calls it
# when something that the environment depends on has changed.
#
#     tools/environment.sh VENV REQUIREMENTS PACKAGE...     # $PYTHON names another Python than the newest one found
set -euo pipefail
cd "$(dirname "$0")/.."
source tools/annoy_flags.sh

usage='usage: tools/environment.sh VENV REQUIREMENTS PACKAGE...'
venv=${1:?$usage} requirements=${2:?$usage}
packages=()
for package in "${@:3}"; do packages+=(--editable "$package"); done

# Prints the newest usable Python: a name may be there and not start (pyenv), or lack its headers.
find_python() {
    local name first=""
    for name in python3.14 python3.13 python3.12 python3.11 python3; do
        "$name" -c "import sys; sys.exit(sys.version_info < (3, 11))" 2>/dev/null || continue
        if "$name" tools/check_machine.py 2>/dev/null; then
            echo "$name"
            return
        fi
        first=${first:-$name}
    done
    if [ -z "$first" ]; then
        echo "make env: no Python 3.11 or newer found: sudo apt install python3 python3-dev python3-venv" >&2
        return 1
    fi
    echo "$first"
}

pinned() { grep -oE "^$1==[^ ]+" requirements.txt; }

python=${PYTHON:-$(find_python)}
"$python" tools/check_machine.py
if ! "$venv/bin/python" tools/check_machine.py 2>/dev/null; then
    "$python" -m venv --clear "$venv"
fi
pip() { "$venv/bin/python" -m pip --disable-pip-version-check "$@"; }

echo "make env: $("$venv/bin/python" --version) in $venv, installing $requirements"
pip install --quiet "$(pinned pip)" "$(pinned setuptools)" "$(pinned wheel)"
# pip's cache could hold an Annoy that was compiled with other flags, so it is kept out of this one.
ANNOY_COMPILER_ARGS=$(annoy_flags "$(uname -m)") pip install --quiet --no-cache-dir --no-binary annoy \
    --no-build-isolation --no-deps --force-reinstall "$(pinned annoy)"
pip install --quiet --requirement "$requirements"
# setuptools warns about folders that look like packages at every editable installation.
PYTHONWARNINGS=ignore pip install --quiet --no-deps --no-build-isolation "${packages[@]}"
pip check
