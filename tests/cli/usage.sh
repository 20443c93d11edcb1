# Wrong usage: exit 2, what is wrong, and what was probably meant.
. "$SOURCE/tests/cli/setup/tools.sh"
wav 8000 1 800 "$speech" >a.wav && cp a.wav b.wav
try residua frobnicate
try residua enocde a.wav
try residua encode
try residua encode --bitrat 3k a.wav
try residua encode --colour a.wav
try residua decode --from-tokens codes.npy
try residua encode -x a.wav
try residua encode -b
try residua encode -b 3q a.wav
try residua encode --bitrate=0 a.wav
try residua encode --threads 1.5 a.wav
try residua encode --threads=1000 a.wav
try residua encode --force=yes a.wav
try residua encode -o x.rsd a.wav b.wav
try residua encode -o x.rsd --output-dir out a.wav
try residua encode - a.wav
try residua encode --output-dir out -
try residua encode -m "$MODEL" --json -o - a.wav
try residua decode --format mp3 a.rsd
try residua decode --bits 20 a.rsd
try residua decode --format flac -o x.wav a.rsd
try residua cut a.rsd
try residua cut -b 3k -l 2 a.rsd
try residua eval a.wav
try residua eval -m sdr a.wav b.wav
try residua info
try residua train
try residua train x.ini y.ini
try residua help frobnicate
residua help cut >cut.txt && residua cut --help | cmp - cut.txt && echo "help is help"
residua --help | head -1
residua --version | sed 's/[0-9.]*$/VERSION/'
residua --version -v | sed "s/ .*//" | grep -v "^model" | sort
# Libraries are named when they are linked.
for library in libpng:libpng libmpi:'Open MPI' libjpeg:libjpeg libopenjp2:OpenJPEG libavif:libavif; do
    linked=$(readelf -d "$BUILD/residua" "$BUILD/residua-av.so" | grep -cm 1 "NEEDED.*\[${library%:*}")
    named=$(residua --version -v | grep -cm 1 ", ${library#*:}")
    [ "$linked" = "$named" ] || echo "${library#*:}: linked $linked, named $named"
done
ls
try residua losses l1
try residua losses --json mel
try residua losses nothing
