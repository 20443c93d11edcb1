#!/bin/sh
# embed.sh - writes the C source of the table in models/builtin.h for the model files given, in that order, to stdout.
#
# The assembler copies each file into the read-only data of the library (.incbin), which takes no time to compile and no
# memory beyond the pages that are read. Paths are as given, from the folder where the compiler runs.
#
# SPDX-License-Identifier: MIT
set -eu

echo '/* Made by models/embed.sh; do not edit. */'
echo '#include "models/builtin.h"'
for file in "$@"; do
    name=$(basename "$file" .safetensors)
    case $name in
    *[!A-Za-z0-9._-]*) echo "embed.sh: $file: names have letters, digits, dots, dashes and underscores" >&2; exit 1 ;;
    esac
    id=$(printf '%s' "$name" | tr -c 'A-Za-z0-9' '_')
    cat <<END

__asm__(".pushsection .rodata\n"
        ".balign 64\n"
        ".hidden builtin_${id}_data\n.globl builtin_${id}_data\nbuiltin_${id}_data:\n"
        ".incbin \"$file\"\n"
        ".hidden builtin_${id}_end\n.globl builtin_${id}_end\nbuiltin_${id}_end:\n"
        ".byte 0\n"
        ".popsection\n");
extern const uint8_t builtin_${id}_data[] __attribute__((visibility("hidden")));
extern const uint8_t builtin_${id}_end[] __attribute__((visibility("hidden")));
END
done
echo
echo 'const BuiltinModel builtin_models[] = {'
for file in "$@"; do
    name=$(basename "$file" .safetensors)
    id=$(printf '%s' "$name" | tr -c 'A-Za-z0-9' '_')
    # the first MODEL_HASH_SIZE bytes of the digest
    hash=$(sha256sum "$file" | cut -c 1-16 | sed 's/../0x&, /g')
    kind=BUILTIN_AUDIO
    if head -c 4096 "$file" | grep -aq '"residua.kind": *"image-codec"'; then kind=BUILTIN_IMAGE; fi
    echo "    {\"$name\", builtin_${id}_data, builtin_${id}_end, {${hash%, }}, $kind},"
done
echo '    {NULL, NULL, NULL, {0}, BUILTIN_AUDIO},'
echo '};'
