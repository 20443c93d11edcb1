# There and back: names of outputs, lengths, pipes, conversion, cutting, and what is printed about it.
. "$SOURCE/tests/cli/setup/tools.sh"
wav 8000 1 16001 "$speech" >talk.wav
wav 44100 2 22050 "$speech" >stereo.wav
wav 192000 8 19200 "$speech" >eight.wav

echo '# one file, beside it'
try residua encode -m "$MODEL" talk.wav
try residua info --test talk.rsd
try residua decode -m "$MODEL" -o back.wav talk.rsd
try residua info back.wav
echo '# the same bytes through pipes and for any number of threads'
residua encode -q -m "$MODEL" -t 1 -o one.rsd talk.wav && residua encode -q -m "$MODEL" -t 3 -o three.rsd talk.wav
cmp one.rsd three.rsd && cmp one.rsd talk.rsd && echo same
residua encode -q -m "$MODEL" - <talk.wav | residua decode -q -m "$MODEL" - >piped.wav
residua decode -q -m "$MODEL" - <talk.rsd | cmp - piped.wav && echo same
cat talk.wav | residua encode -q -m "$MODEL" - >piped.rsd
cat talk.wav | residua encode -q -m "$MODEL" -o named.rsd /dev/stdin && cmp named.rsd piped.rsd && echo same
ppm 64 48 255 "$scene" >scene.ppm && residua encode -q scene.ppm
cat scene.ppm | residua encode -q -o named-picture.rsd /dev/fd/0 && cmp named-picture.rsd scene.rsd && echo same
try residua info - <talk.rsd
echo '# formats'
residua decode -q -m "$MODEL" --format flac --bits 24 talk.rsd && try residua info --test talk.flac
residua decode -q -m "$MODEL" --bits float -o float.wav talk.rsd && try residua info float.wav
echo '# other rates and channels'
try residua encode -m "$MODEL" stereo.wav
try residua encode -m "$MODEL" eight.wav
echo '# rates: encoded, cut and limited are the same'
residua encode -qf -m "$MODEL" --effort 1 talk.wav && residua encode -q -m "$MODEL" --effort 1 -b3k -o low.rsd talk.wav
try residua cut -b 3kbit/s talk.rsd -o cut.rsd
cmp low.rsd cut.rsd && echo same
residua decode -q -m "$MODEL" -o low.wav low.rsd && residua decode -q -m "$MODEL" -b 3k -o limited.wav talk.rsd
cmp low.wav limited.wav && echo same
try residua encode -m "$MODEL" -b 100 -o lowest.rsd talk.wav
echo '# a tree of folders, mirrored; a failing input among them'
mkdir -p in/deep/er && cp talk.wav in/deep/er/a.wav && cp talk.wav in/b.wav && echo no sound >in/deep/c.mp3 && echo text >in/notes.txt
try residua encode -m "$MODEL" -r in --output-dir out
find out -type f | sort
try residua decode -qm "$MODEL" -r out --output-dir out2
find out2 -type f | sort
echo '# JSON'
try residua encode -m "$MODEL" --json -q -f talk.wav missing.wav
try residua decode -m "$MODEL" --json -q -f talk.rsd -o json.wav
try residua info --json talk.rsd stereo.wav "$MODEL"
echo '# names that begin with a dash'
cp talk.wav ./-t.wav && try residua encode -qm "$MODEL" -- -t.wav && ls ./-t.rsd
echo '# the length of a stream that does not say it'
residua cut -q --json -l 1 -o cut-unknown.rsd piped.rsd | grep -o '"samples": [0-9]*'
residua cut -q -l 1 -o /dev/stdout piped.rsd | cmp - cut-unknown.rsd && echo same
echo '# a built-in model of pictures'
residua info photo | sed -n 's/hash.*of/hash .. of/p'
echo '# a model made of a model: its notes and its hash stay'
residua convert -q --licence CC0-1.0 --origin here "$MODEL" -o a.safetensors && residua convert -q a.safetensors -o b.safetensors
residua convert -q --licence MIT --half b.safetensors -o c.safetensors && residua convert -q c.safetensors -o d.safetensors
for file in b d; do residua info $file.safetensors | sed -n 's/[0-9a-f]\{64\}/SHA/; /licence\|origin\|copy/p'; done
echo '[ no configuration ]' >config.json
residua decode -q -m b.safetensors -o of-b.wav talk.rsd && cmp of-b.wav back.wav && echo same
residua decode -q -m d.safetensors -o of-d.wav talk.rsd 2>/dev/null || echo "rounded: another model"
rm config.json
echo '# streams that were joined: the first, and a warning'
cat talk.rsd low.rsd >joined.rsd
try residua info joined.rsd
try residua info --test --json joined.rsd
try residua decode -qm "$MODEL" -o joined.wav joined.rsd && cmp joined.wav back.wav && echo same
try residua cut -q -l 1 joined.rsd -o cut-joined.rsd && residua cut -q -l 1 talk.rsd -o cut-one.rsd && cmp cut-joined.rsd cut-one.rsd && echo same
cat piped.rsd low.rsd >joined.rsd && try residua info joined.rsd | grep warning
cat joined.rsd | try residua info - | grep rate
