#!/usr/bin/env bash
# Builds what a release would publish, and checks it: the four packages as sdist and wheel, their metadata as the
# package index would read it, and the documentation with warnings as errors. Publishes nothing.
#
#     tools/release_check.sh VENV       # an environment of requirements-release.txt
set -euo pipefail
cd "$(dirname "$0")/.."

venv=${1:?usage: tools/release_check.sh VENV}
out=build/release
rm -rf "$out"

for package in edge models server export; do
    # A wheel is built from its sdist, so that a file missing from the sdist is seen here.
    "$venv/bin/python" -m build --no-isolation --outdir "$out/packages" "$package"
done
"$venv/bin/python" -m twine check --strict "$out"/packages/*
"$venv/bin/python" -m sphinx --fail-on-warning --keep-going --jobs auto --builder html docs "$out/docs"
ls -l "$out/packages"
