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
