# Hostile and unlucky input: a sentence, the documented exit code, and no output.
. "$SOURCE/tests/cli/setup/tools.sh"
encode() { try residua encode -m "$MODEL" "$@"; }
decode() { try residua decode -m "$MODEL" "$@"; }

echo '# empty, text, nothing'
: >empty.wav && encode empty.wav
echo 'this is no sound' >text.wav && encode text.wav
encode missing.wav
encode - </dev/null
echo '# no samples, one sample, silence'
wav 8000 1 0 0 >none.wav && encode none.wav && decode none.rsd -o none-back.wav && try residua info none-back.wav
wav 8000 1 1 0.5 >one.wav && encode one.wav && decode one.rsd -o one-back.wav && try residua info one-back.wav
wav 8000 1 4000 0 >silent.wav && encode silent.wav && decode silent.rsd -o silent-back.wav
echo '# truncated'
wav 8000 1 8000 "$speech" >talk.wav
head -c 9000 talk.wav >short.wav && encode short.wav
encode -k short.wav
head -c 9000 talk.wav | encode -o piped.rsd -
head -c 9000 talk.wav | encode -k -o piped.rsd - && cmp piped.rsd short.rsd && echo same && rm piped.rsd
echo '# NaN'
wav_with_nan >nan.wav && encode nan.wav
encode --keep-going nan.wav
ls *.rsd
echo '# streams: empty, of another kind, cut off, damaged'
: >empty.rsd && decode empty.rsd
decode talk.wav -o x.wav
wav 8000 1 30000 "$speech" >long.wav && residua encode -qm "$MODEL" long.wav
head -c 1000 long.rsd >cut.rsd && decode cut.rsd && decode --keep-going cut.rsd && try residua info cut.wav
cp long.rsd hurt.rsd && flip hurt.rsd 700 && decode hurt.rsd && decode --keep-going hurt.rsd && try residua info hurt.wav
try residua info --test hurt.rsd
try residua info --test long.rsd hurt.rsd
head -c 20 long.rsd >head.rsd && decode head.rsd && decode -k head.rsd && try residua cut -l1 head.rsd
cp long.rsd magic.rsd && flip magic.rsd 1 && decode magic.rsd
ls *.wav
echo '# models: missing, no model, of another hash'
try residua encode -m nowhere.safetensors talk.wav
try residua encode -m talk.wav talk.wav
cp "$MODEL" other.safetensors && flip other.safetensors $(($(wc -c <other.safetensors) - 4))
steady_hashes() { sed -E 's/[0-9a-f]{16}/HASH/g'; }
try residua decode -m other.safetensors long.rsd -o x.wav | steady_hashes
cp long.rsd other.rsd && flip other.rsd 9 && decode other.rsd
sed 's/"residua.kind"/"residua.note":"x","residua.kind"/' "$MODEL" >damaged.safetensors && try residua info damaged.safetensors
poison() { printf '\377\377\377\377' | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null; } # NaN, of whatever kind
cp "$MODEL" nan.safetensors && poison nan.safetensors $(($(wc -c <"$MODEL") - 4)) && try residua info nan.safetensors
cp "$MODEL" nan.safetensors && poison nan.safetensors $((8 + $(od -An -tu4 -N4 "$MODEL"))) && try residua decode -m nan.safetensors long.rsd -o x.wav
try residua encode -m nan.safetensors talk.wav
echo '# two inputs, one output; a folder; itself'
cp talk.wav talk.wave && encode talk.wav talk.wave
mkdir folder && encode folder
encode -r folder
cp talk.wav self.rsd && encode -f self.rsd
cmp talk.wav self.rsd && echo kept
cp "$MODEL" own.safetensors && try residua convert -f own.safetensors
cmp own.safetensors "$MODEL" && echo kept
try residua tokens -fm "$MODEL" --format npy -o talk.wav talk.wav
echo '# a header that is as long as it may be, read twice'
{ printf 'ECDC\0\0\0\020\0'; printf '%-4096s' '{"m": "encodec_24khz", "al": 1, "nc": 1, "lm": false}'; } >header.ecdc
try residua decode -b 3k header.ecdc
echo '# notes that would steer a terminal'
residua convert -q --licence "$(printf 'x\033[2J\302\2331mx')" "$MODEL" -o evil.safetensors && residua info evil.safetensors | grep licence
residua info --json evil.safetensors | grep -q "$(printf '\033')" || echo none
