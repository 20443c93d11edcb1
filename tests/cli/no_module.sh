# What commands say where residua-av.so is missing: the cause, the remedy and how many files it concerns, once.
. "$SOURCE/tests/cli/setup/tools.sh"
command -v ffmpeg >/dev/null || exit 77
installed=$(sed -n 's/^#define RESIDUA_MODULE_DIR "\(.*\)"/\1/p' "$SOURCE/config.h")
[ -e "$installed/residua-av.so" ] && exit 77
# alone COMMAND...: the program where no module is near; without the list of folders, which differs
alone() { try env -u RESIDUA_MODULES bin/residua "$@" | sed 's/; it is not in [^";]*/; it is not in FOLDERS/'; }
make() { ffmpeg -nostdin -v error -y -f lavfi "$@"; }
mkdir bin seen seen/jpg heard heard/mov text && cp "$BUILD/residua" bin
for i in 1 2 3; do
    make -i testsrc=s=128x128 -frames:v 1 seen/jpg/$i.jpg
    make -i "sine=f=${i}00:d=1:r=8000" -c:a adpcm_ima_wav -f mov heard/mov/$i.mov
done
cat >seen.ini <<'INI'
[model]
kind = picture
[picture]
latent = 8
hyper = 4
widths = 4,4,4
encoder_blocks = 0,0,0
decoder_blocks = 0,0,0
context = 4
entropy = 8
start_batches = 0
[data]
batch = 1
valid_every = 0
[train]
steps = 1
tensorboard = no
INI
train_pictures() { alone train seen.ini -q --threads 1 --data "$@"; }
train_sound() { alone train "$SOURCE/samples/train-tiny.ini" -q --threads 1 --steps 1 --set data.valid_every=0 --set train.tensorboard=no --data "$@"; }
echo '# training: all of it, and with files that need no module'
train_pictures seen --out run1
train_sound heard --out run2
make -i testsrc=s=128x128 -frames:v 1 seen/4.png
make -i "sine=f=400:d=1:r=8000" heard/4.wav
train_pictures seen --out run3
train_sound heard --out run4
echo '# coding, comparing and looking'
alone encode -r heard/mov -m "$MODEL" --output-dir out
alone encode -r heard/mov -m "$MODEL" --output-dir out -v
alone encode -r seen --output-dir out | grep -v " done"
alone encode --json -q seen/jpg/1.jpg
alone eval -m psnr seen/jpg seen/jpg
alone eval -m sisdr heard/mov heard/mov
alone info seen/jpg/1.jpg heard/mov/1.mov heard/4.wav
alone bench rd --codecs opus,mp3 --metrics sisdr heard/4.wav | grep residua
echo '# what is damaged is still said to be damaged'
head -c 30 heard/4.wav >text/short.wav && alone info text/short.wav
