#!/usr/bin/env bash
# Runs the device on an emulated 64-bit Arm machine, and compares its answers with this machine's.
#
# 1. Debian's Python for arm64, unpacked into a folder; nothing of it is installed, and no rights are needed.
# 2. The wheels that a device would get, from the pins of requirements.txt; Annoy compiled with the cross compiler.
# 3. `skuscan identify` on a device's store and photos, there under emulation and here; then the two are compared.
#
# It proves that the device runs on Arm and answers the same, not how fast. `make arm64` calls it with the demo's store.
#
#     tools/arm64.sh --store DIR --photos DIR [--model DIR]      # $VENV is the environment of this machine
set -euo pipefail
cd "$(dirname "$0")/.."
source tools/annoy_flags.sh
source tools/platform_tags.sh

venv=${VENV:-.venv}
model=models/artifacts/efficientnet-lite0-products-clean
while [ $# -gt 0 ]; do
    case "$1" in
        --store) store=$2 ;;
        --photos) photos=$2 ;;
        --model) model=$2 ;;
        *) echo "arm64: unknown option $1" >&2; exit 2 ;;
    esac
    shift 2
done
: "${store:?arm64: give --store DIR}" "${photos:?arm64: give --photos DIR}"

build=build/arm64
root=$build/root        # the Arm machine's files
site=$build/site        # its Python packages
release=bookworm        # Debian 12, as is the present Raspberry Pi OS
python=python3.11       # that release's
# Never without a name: `max` and the default give wrong numbers silently. This is the Raspberry Pi 4's core.
core=cortex-a72

# Each tool that is needed and the Debian package that brings it.
install_tools() {
    local missing=() tool
    for tool in mmdebstrap:mmdebstrap qemu-aarch64-static:qemu-user-static aarch64-linux-gnu-g++:g++-aarch64-linux-gnu; do
        command -v "${tool%%:*}" >/dev/null || missing+=("${tool##*:}")
    done
    [ ${#missing[@]} -eq 0 ] && return
    missing+=(debian-archive-keyring)
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        echo "arm64: missing tools: sudo apt install ${missing[*]}" >&2
        return 1
    fi
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

make_root() {
    [ "$(cat "$root/.made" 2>/dev/null)" = "$release" ] && return
    rm -rf "$root"
    mkdir -p "$build"
    mmdebstrap --quiet --mode=chrootless --variant=extract --architectures=arm64 \
        --keyring=/usr/share/keyrings/debian-archive-keyring.gpg \
        --include="$python-minimal,lib$python-stdlib,lib$python-dev,libstdc++6" \
        "$release" "$root" http://deb.debian.org/debian
    # TFLite's kernels look at the processor there, and crash on what they read of another one.
    mkdir -p "$root/proc"
    printf '%s\t: %s\n' processor 0 Features 'fp asimd evtstrm crc32 cpuid' 'CPU implementer' 0x41 \
        'CPU architecture' 8 'CPU variant' 0x0 'CPU part' 0xd08 'CPU revision' 3 >"$root/proc/cpuinfo"
    echo "$release" >"$root/.made"
}

make_site() {
    local pip=("$venv/bin/python" -m pip --disable-pip-version-check) state
    state=$(cat requirements.txt edge/pyproject.toml tools/annoy_flags.sh | sha256sum)
    rm -rf "$build/wheels" edge/build  # setuptools would pack what it left there
    "${pip[@]}" wheel --quiet --no-deps --no-build-isolation --wheel-dir "$build/wheels" ./edge
    if [ "$(cat "$site/.made" 2>/dev/null)" != "$state" ]; then
        rm -rf "$site" "$build/annoy"
        # shellcheck disable=SC2046  # words
        "${pip[@]}" install --quiet --target "$site" --python-version "${python#python}" --only-binary=:all: \
            $(platform_tags aarch64) --constraint requirements.txt "$build"/wheels/*.whl
        cross_build_annoy "${pip[@]}"
        echo "$state" >"$site/.made"
    fi
    "${pip[@]}" install --quiet --target "$site" --upgrade --no-deps "$build"/wheels/*.whl
}

# Compiled by hand: setuptools would take the headers and the file name of this machine's Python.
cross_build_annoy() {
    local source=$build/annoy
    "$@" download --quiet --no-cache-dir --no-binary annoy --no-deps --no-build-isolation --dest "$source" \
        "$(grep -oE '^annoy==[^ ]+' requirements.txt)"
    tar -xzf "$source"/annoy-*.tar.gz -C "$source" --strip-components=1
    mkdir -p "$site/annoy"
    cp "$source/annoy/__init__.py" "$site/annoy/"
    # shellcheck disable=SC2046  # words
    aarch64-linux-gnu-g++ -shared -fPIC -DNDEBUG $(annoy_flags aarch64 | tr , ' ') -I"$root/usr/include/$python" \
        -idirafter "$root/usr/include" "$source/src/annoymodule.cc" -o "$site/annoy/annoylib.so"
}

there() {
    PYTHONPATH=$site qemu-aarch64-static -cpu "$core" -L "$root" "$root/usr/bin/$python" "$@"
}

here() { "$venv/bin/python" "$@"; }

# Asks one machine, `here` or `there`.
answer() {
    local out=$build/$1 skuscan=("$1" -m skuscan.cli)
    mkdir -p "$out"
    "${skuscan[@]}" status --store "$build/store" --json >"$out/status.json"
    "${skuscan[@]}" identify --store "$build/store" --json "$photos"/*.jpg >"$out/answers.json"
    "$1" tools/arm64_check.py embed "$model" "$photos"/*.jpg "$out/embeddings.npz"
}

install_tools
make_root
make_site
there -c 'import platform; print(f"arm64: Python {platform.python_version()} on {platform.machine()}, emulated")'
rm -rf "$build/store"
cp -r "$store" "$build/store"
answer here
answer there
here tools/arm64_check.py compare "$build/here" "$build/there"
