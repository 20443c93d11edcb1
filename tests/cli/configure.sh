# What ./configure makes of its options, in a copy of what it needs of the tree.
unset MAKEFLAGS MAKELEVEL MFLAGS CC AR LD OBJCOPY CFLAGS CPPFLAGS LDFLAGS PKG_CONFIG # of the make that runs the tests
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

echo '# what packaging tools give'
show_dirs() {
    printf 'include config.mk\nall:\n\t@echo $(bindir) $(libdir) $(includedir) $(datadir) $(mandir)\n' >tree/show.mk
    (cd tree && make -sf show.mk && make -sf show.mk prefix=/opt && sed -n 's/.*MODULE_DIR //p; s/.*DATA_DIR //p' config.h)
}
configure --build=x86_64-linux-gnu --prefix=/usr '--includedir=${prefix}/include' '--mandir=${prefix}/share/man' '--infodir=${prefix}/share/info' \
    --sysconfdir=/etc --localstatedir=/var --disable-option-checking --disable-silent-rules '--libdir=${prefix}/lib/x86_64-linux-gnu' \
    --runstatedir=/run --disable-maintainer-mode --disable-dependency-tracking
show_dirs
configure --build=x86_64-redhat-linux --host=x86_64-redhat-linux --program-prefix= --disable-dependency-tracking --prefix=/usr \
    --exec-prefix=/usr --bindir=/usr/bin --sbindir=/usr/sbin --sysconfdir=/etc --datadir=/usr/share --includedir=/usr/include \
    --libdir=/usr/lib64 --libexecdir=/usr/libexec --localstatedir=/var --sharedstatedir=/var/lib --mandir=/usr/share/man \
    --infodir=/usr/share/info
show_dirs
configure '--exec-prefix=${prefix}/x' '--bindir=${exec_prefix}/sbin' '--datarootdir=${prefix}/data' '--datadir=${datarootdir}' \
    --docdir='${datarootdir}/doc' --localedir='${datarootdir}/locale'
show_dirs
configure '--libdir=${lib}/x'

echo '# flags'
show_flags() { sed -n 's/^CONFIGURE_ARGS = //p; /^CC =/p; /^OPT_FLAGS/p; /^KERNEL_FLAGS/p; /^RELINK/p' tree/config.mk; }
configure && show_flags
configure --enable-debug CFLAGS='-O2 -pipe' && show_flags
export CC='gcc -pipe' CFLAGS='-Og -flto'
configure && show_flags
configure CFLAGS=-O1 && show_flags
unset CC CFLAGS
# A libjpeg of its own folder, as a stand-in of pkg-config tells.
printf '#!/bin/sh\ncase "$*" in "--cflags libjpeg") echo -I/opt/jpeg/include ;; *) exec pkg-config "$@" ;; esac\n' >bin/my-pkg-config
chmod +x bin/my-pkg-config
configure PKG_CONFIG="$PWD/bin/my-pkg-config" && grep -c '^MODULE_CFLAGS.*-isystem /opt/jpeg/include' tree/config.mk
links() { make -n -C "$SOURCE" BUILD="$PWD/none" OPT_FLAGS=--coverage "$PWD/none/$1" 2>&1 | grep -- '-o.*/none/'"$1" | grep -c -- --coverage; }
links residua
links residua-av.so
