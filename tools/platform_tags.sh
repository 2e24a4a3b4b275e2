# shellcheck shell=bash
# The wheels that a machine of ours takes, to be sourced.

# Prints pip's options for one machine (as `uname -m` names it) with glibc 2.28 or newer. pip takes exactly the tags
# that are named, so each older glibc and each old spelling is named too.
platform_tags() {
    local tag
    for tag in manylinux_2_28 manylinux_2_27 manylinux_2_26 manylinux_2_24 manylinux_2_17 manylinux2014 \
        manylinux_2_12 manylinux2010 manylinux_2_5 manylinux1; do
        printf -- '--platform %s_%s ' "$tag" "$1"
    done
}
