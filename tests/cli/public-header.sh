# residua.h needs nothing before it, in C11 and, where there is a compiler for it, in C++.
flags="-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror -I$SOURCE -fsyntax-only"
printf '#include "codec/residua.h"\nRsdStatus f(RsdError *err);\n' >header.c
cp header.c header.cc
${RESIDUA_CC:-cc} -std=c11 $flags header.c && echo "C11"
if command -v c++ >/dev/null 2>&1; then
    c++ -std=c++11 $flags header.cc && echo "C++"
else
    echo "C++"
fi
# Its two examples compile: encoding stands to the left of decoding, the first for sound, the second for pictures.
example() { # N COLUMNS
    awk -v n="$1" '/^ \*     /{ if (!inside++) found++; if (found == n) print; next } { inside = 0 }' "$SOURCE/codec/residua.h" | cut -c"$2" |
        sed 's/ \.\.\.$//'
}
{
    echo '#include "codec/residua.h"'
    echo 'void sound_in(const float *pcm, size_t n, RsdWriteFn my_write); void sound_out(float *pcm, RsdReadFn my_read);'
    echo 'void picture_in(const char *path, const uint8_t *pixels, RsdWriteFn my_write);'
    echo 'const RsdPictureInfo *picture_out(const RsdPictureModel *model, uint8_t *pixels, RsdReadFn my_read);'
    echo 'void sound_in(const float *pcm, size_t n, RsdWriteFn my_write) {' && echo 'RsdError err;' && example 1 8-60 && echo '}'
    echo 'void sound_out(float *pcm, RsdReadFn my_read) { RsdError err; RsdStatus status; size_t n;' && example 1 61- && echo '}'
    echo 'void picture_in(const char *path, const uint8_t *pixels, RsdWriteFn my_write) { RsdError err;' && example 2 8-60 && echo '}'
    echo 'const RsdPictureInfo *picture_out(const RsdPictureModel *model, uint8_t *pixels, RsdReadFn my_read)'
    echo '{ RsdError err; const RsdPictureInfo *info;' && example 2 61- && echo 'return info; }'
} >examples.c
${RESIDUA_CC:-cc} -std=c11 $flags examples.c && echo "$(grep -c rsd_ examples.c) lines of examples"
