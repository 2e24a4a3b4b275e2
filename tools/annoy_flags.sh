# shellcheck shell=bash
# The compiler flags of every Annoy that this project builds, to be sourced.
#
# Annoy's own default on x86-64 is -march=native: such a wheel dies with SIGILL on an older processor. Its variable
# ANNOY_COMPILER_ARGS replaces all flags, so the ones that it would have chosen itself stand here too.

# Prints the flags for one machine (as `uname -m` names it), comma-separated as Annoy wants them.
annoy_flags() {
    local march
    case "$1" in
        x86_64) march=x86-64-v2 ;;   # SSE4.2: every x86-64 processor since Nehalem, 2008
        aarch64) march=armv8-a ;;    # every 64-bit Arm: Cortex-A53 (Raspberry Pi 3) and later
        *) echo "no Annoy flags for the machine $1: 64-bit x86 and Arm only" >&2; return 1 ;;
    esac
    echo "-O3,-ffast-math,-fno-associative-math,-std=c++14,-fpermissive,-DANNOYLIB_MULTITHREADED_BUILD,-march=$march"
}
