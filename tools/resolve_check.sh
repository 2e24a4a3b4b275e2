#!/usr/bin/env bash
# Asks the index whether the pins of requirements.txt have wheels for every Python and processor that we support.
# Annoy has none anywhere: it is compiled. Downloads nothing but metadata.
#
#     tools/resolve_check.sh VENV
set -euo pipefail
cd "$(dirname "$0")/.."
source tools/platform_tags.sh

venv=${1:?usage: tools/resolve_check.sh VENV}
pins=$(mktemp)
trap 'rm -f "$pins"' EXIT
grep -v '^annoy==' requirements.txt >"$pins"

for version in 3.11 3.12 3.13 3.14; do
    for machine in x86_64 aarch64; do
        # shellcheck disable=SC2046  # words
        "$venv/bin/python" -m pip --disable-pip-version-check install --quiet --dry-run --ignore-installed --no-deps \
            --target "${pins%/*}" --python-version "$version" $(platform_tags "$machine") --only-binary=:all: \
            --requirement "$pins"
        echo "Python $version on $machine: every pin has a wheel"
    done
done
