# What make install puts in place can be compiled against, shared and static, and make uninstall takes all of it away.
cc=${RESIDUA_CC:-cc}
# The folder as the first make named it: another name for it would build everything again under the other tests.
make=${RESIDUA_MAKE:-make BUILD=${BUILD#"$SOURCE"/}}
unset MAKEFLAGS MAKELEVEL MFLAGS
root=$PWD/root
eval "$make -s -C \"\$SOURCE\" install DESTDIR=\"\$root\" prefix=/opt/residua" >log 2>&1 || cat log # a compiler may have a blank: "ccache gcc"
(cd root/opt/residua && find . ! -type d | sort)
# The program need not run where it is built.
eval "$make -n -C \"\$SOURCE\" install DESTDIR=\"\$root\"" 2>&1 | grep 'residua help'
# Configurations are found under the names that they have in the source tree, unless there is such a file.
installed=root/opt/residua/bin/residua
$installed train models/speech16.ini --print-config 2>note | grep '^name ='
sed "s|$PWD|.|" note
mkdir models && sed 's/^name = .*/name = mine/' "$SOURCE/models/speech16.ini" >models/speech16.ini
$installed train models/speech16.ini --print-config | grep '^name ='
$installed train models/none.ini --print-config 2>&1
for destdir in "$root" ''; do
    echo "told to the loader: $(eval "$make -n -C \"\$SOURCE\" install DESTDIR=$destdir" 2>&1 | grep -c ldconfig)"
done

# A space would end the name: a folder root/a in place of 'root/a b', and removals elsewhere.
for goal in "install DESTDIR='$root/a b'" "uninstall prefix='/opt/a '"; do
    eval "$make -s -C \"\$SOURCE\" $goal" 2>&1 | sed 's/^.*\*\*\*/make:/'
done

cat >version.c <<'END'
#include <residua.h>
#include <stdio.h>
#include <string.h>
int main(void)
{
    return puts(strcmp(rsd_version(), RSD_VERSION) ? "library and header differ" : "library and header agree") < 0;
}
END
export PKG_CONFIG_PATH="$root/opt/residua/lib/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$root" LD_LIBRARY_PATH="$root/opt/residua/lib"
cflags="-std=c11 -Wall -Wextra -Werror $(pkg-config --cflags residua)"
for program in version "$SOURCE/samples/roundtrip" "$SOURCE/samples/picture"; do
    $cc $cflags "$program.c" -o "shared-${program##*/}" $(pkg-config --libs residua) -lm
    # Our library static, those of others as the system has them.
    $cc $cflags "$program.c" -o "static-${program##*/}" -Wl,-Bstatic $(pkg-config --libs residua) -Wl,-Bdynamic \
        $(pkg-config --static --libs residua | sed 's/-lresidua//')
done
root/opt/residua/bin/residua --version | grep -cE '^residua [0-9.]+$'
./shared-version
./static-version
readelf -d static-version | grep libresidua
readelf -d shared-version | sed -n 's/.*NEEDED.*\(libresidua.*\)\]/shared needs \1/p'
if ls "$SOURCE"/models/builtin/*.safetensors >/dev/null 2>&1; then
    ./shared-roundtrip >shared.out || cat shared.out
    ./static-roundtrip >static.out || cat static.out
fi
# A picture model of one step, since none may be built in.
mkdir data && { printf 'P6\n96 96\n255\n' && seq 1 20000 | head -c 27648; } >data/a.ppm
printf '[model]\nkind = picture\nname = tiny\n[picture]\nlatent = 8\nhyper = 4\nwidths = 8,8,8\nencoder_blocks = 0,1,0\ndecoder_blocks = 0,1,0\ncontext = 4\nentropy = 12\ncrop = 64\n[data]\nbatch = 1\nworkers = 0\nvalid_every = 0\n[train]\nsteps = 1\n' >tiny.ini
root/opt/residua/bin/residua train -q tiny.ini --data data --out run >train.log 2>&1 || cat train.log
for kind in shared static; do
    ./$kind-picture run/model.safetensors | sed 's/ in [0-9]* bytes.*dB;/ in bytes;/; s/ is [0-9]* [0-9]* [0-9]*$/ is there/'
done
echo "exported names that are not ours: shared $(nm -D --defined-only "$root/opt/residua/lib/libresidua.so" | awk '$3 !~ /^rsd_/' | wc -l)," \
    "static $(nm -g --defined-only "$root/opt/residua/lib/libresidua.a" | awk 'NF == 3 && $3 !~ /^rsd_/' | wc -l)"

eval "$make -s -C \"\$SOURCE\" uninstall DESTDIR=\"\$root\" prefix=/opt/residua" >log 2>&1 || cat log
find root ! -type d -o -name residua ! -path root/opt/residua
