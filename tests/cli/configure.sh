# What ./configure makes of its options, in a copy of what it needs of the tree.
mkdir -p tree/codec bin
cp "$SOURCE/configure" tree
cp "$SOURCE/codec/residua.h" tree/codec
configure() { (cd tree && ./configure "$@" >../log 2>&1) || tail -n 3 log; }

echo '# --install-deps with nothing installed'
printf '#!/bin/sh\ncase " $* " in *" install "*) printf "%%s\\n" "$@" >packages ;; esac\n' >bin/apt-get
printf '#!/bin/sh\nexec "$@"\n' >bin/sudo
printf '#!/bin/sh\nexit 1\n' >bin/dpkg-query
chmod +x bin/*
asks_for() { grep -xE 'gcc|libcriterion-dev|.*openmpi.*|clang.*|qemu-user|sox' tree/packages | sort -u | tr '\n' ' ' && echo; }
installs() { PATH=$PWD/bin:$PATH configure "$@" --without-tests && asks_for; }
installs --install-deps
installs --install-deps=cross
installs --install-deps=all
# Where Open MPI is missing the second half fails, after its packages were asked for.
(PATH=$PWD/bin:$PATH && cd tree && ./configure --install-deps --enable-mpi >/dev/null 2>&1)
asks_for
