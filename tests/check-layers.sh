#!/bin/sh
# check-layers.sh - reads the #include lines of the sources and prints every edge that docs/house-style.md, "Layers", does not
# allow; exit 1 when there is one.
#
#   cli > trainer > codec, losses > models > engine/{ops,tensor,tape,stream,weights} > engine/dsp > engine/kernels > engine/base
#   cli, trainer > media > engine/dsp, engine/base
#
# A file may include its own folder and what is to the right. Each foreign library has one door, the file or folder that may
# include its headers. Tests may include anything.
#
# SPDX-License-Identifier: MIT

cd "${RESIDUA_SOURCE:-$(dirname "$0")/..}" || exit 2

files=$(find cli trainer codec losses models media engine -name '*.[ch]' 2>/dev/null | sort)
[ -n "$files" ] || { echo "check-layers: no sources here" >&2; exit 2; }

# shellcheck disable=SC2086 # a list of names without spaces
grep -nH '^[[:space:]]*#[[:space:]]*include' $files | awk '
# The layer a path belongs to: its rank on the main chain, or the name of the side branch.
function layer(path) {
    if (path ~ /^engine\/base\//) return "base"
    if (path ~ /^engine\/kernels\//) return "kernels"
    if (path ~ /^engine\/dsp\//) return "dsp"
    if (path ~ /^engine\//) return "engine"
    sub(/\/.*/, "", path)
    return path
}

function allowed(from, to) { return from == to || index(may[from], " " to " ") > 0 }

# The door of a foreign header: a pattern of the files that may include it; "" when it is the system.
function door(header) {
    if (header ~ /^libavutil\/(sha|mem)\.h$/) return "^(engine/base/checksum\\.c|media/|engine/dsp/fft\\.c)"
    if (header ~ /^libavutil\//) return "^(media/|engine/dsp/fft\\.c)"
    if (header ~ /^lib(av|sw)[a-z]*\//) return "^media/"
    if (header ~ /^(sndfile|png|soxr)\.h$/) return "^media/"
    if (header ~ /^(cblas|openblas_config|f77blas)\.h$/) return "^engine/kernels/"
    if (header ~ /^(jansson|zip)\.h$/) return "^engine/weights/"
    if (header ~ /^ini\.h$/) return "^trainer/config\\.c"
    if (header ~ /^ebur128\.h$/) return "^losses/"
    if (header ~ /^mpi\.h$/) return "^trainer/comm_mpi\\.c"
    if (header ~ /^zlib\.h$/) return "^(engine/base/checksum\\.c|media/png_data\\.c)"
    if (header ~ /^(immintrin|arm_neon|x86intrin|cpuid)\.h$/) return "^engine/(kernels|base)/"
    return ""
}

BEGIN {
    may["base"] = " "
    may["kernels"] = " base "
    may["dsp"] = " kernels base "
    may["engine"] = " dsp kernels base "
    may["models"] = " engine dsp kernels base "
    may["codec"] = may["losses"] = " models engine dsp kernels base "
    may["media"] = " dsp base "
    may["trainer"] = " codec losses models engine dsp kernels base media "
    may["cli"] = " trainer codec losses models engine dsp kernels base media "
}

{
    split($0, part, ":")
    file = part[1]; line = part[2]
    header = $0
    sub(/^[^:]*:[^:]*:/, "", header)
    if (match(header, /"[^"]*"/)) {
        header = substr(header, RSTART + 1, RLENGTH - 2)
        n_edges++
        if (header == "config.h") next
        if (system("test -f " header) != 0)
            complain("includes \"" header "\", which is not a path from the root of the tree")
        else if (!allowed(layer(file), layer(header)))
            complain("includes " header ": " layer(file) " may not use " layer(header))
    } else if (match(header, /<[^>]*>/)) {
        header = substr(header, RSTART + 1, RLENGTH - 2)
        where = door(header)
        if (where != "" && file !~ where)
            complain("includes <" header ">, whose door is " where)
    }
}

function complain(text) { print file ":" line ": " text; n_bad++ }

END {
    if (n_bad) { print n_bad " forbidden edges"; exit 1 }
    print "layers: " n_edges " includes, all allowed"
}'
