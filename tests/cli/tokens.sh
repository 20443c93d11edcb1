# Codes as numbers and back: three formats, channels, rates, and tokens that are none.
. "$SOURCE/tests/cli/setup/tools.sh"
wav 8000 1 16001 "$speech" >talk.wav
wav 8000 2 4000 "$speech" >stereo.wav

echo '# there'
try residua tokens -m "$MODEL" talk.wav -o talk.npy
try residua tokens -q --json -m "$MODEL" -b 3k talk.wav -o low.npy
try residua tokens -m "$MODEL" --stages 2 stereo.wav -o stereo.jsonl
head -n 2 stereo.jsonl | sed "s,\"hash\": \"[0-9a-f]*\",\"hash\": \"HASH\","
residua tokens -q -m "$MODEL" talk.wav -o - --format raw >talk.u16
tail -c +129 talk.npy | cmp - talk.u16 && echo same
echo '# and back: what decoding the stream gives, filled up to a frame'
residua encode -q -m "$MODEL" --effort 1 talk.wav && residua decode -q -m "$MODEL" -o direct.wav talk.rsd
try residua tokens -m "$MODEL" --from-tokens talk.npy -o back.wav
try residua info back.wav
cmp -n 32000 -i 44 direct.wav back.wav && echo same
residua tokens -q -m "$MODEL" --from-tokens --stages 4 talk.u16 -o - | cmp -n 32000 -i 44 - back.wav && echo same
try residua tokens -q -m "$MODEL" --from-tokens stereo.jsonl -o stereo2.wav
try residua info stereo2.wav
echo '# wrong usage'
try residua tokens talk.wav
try residua tokens talk.wav -o codes.txt
try residua tokens talk.wav stereo.wav -o codes.npy
try residua tokens -m "$MODEL" talk.wav -o talk.npy
try residua tokens -m "$MODEL" --stages 13 talk.wav -o new.npy
echo '# what is no file of tokens'
header() { printf '\223NUMPY\001\000\166\000%-117s\n' "$1"; }
{ header "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, 3), }"; head -c 24 /dev/zero; } >real.npy
{ header "{'descr': '<u2', 'fortran_order': False, 'shape': (1, 2, 3, 4), }"; head -c 48 /dev/zero; } >axes.npy
{ header "{'descr': '<u2', 'fortran_order': False, 'shape': (1, 2, 30), }"; head -c 24 /dev/zero; } >short.npy
{ header "{'descr': '<i4', 'fortran_order': False, 'shape': (1, 3), }"; printf '\000\000\000\000\001\000\000\000'; } >stages.npy
{ header "{'descr': '<i2', 'fortran_order': False, 'shape': (1, 2), }"; printf '\000\000\377\377'; } >negative.npy
{ header "{'descr': '<u2', 'fortran_order': False, 'shape': (1, 2), }"; printf '\000\000\000\010'; } >large.npy
{ header "{'descr': '<u2', 'fortran_order': False, 'shape': (99, 99, 99999999999), }"; } >huge.npy
{ header "{'descr': '<u2', 'shape': (1, 2), }"; } >order.npy
echo '{"codes": [[1, 2], [3]]}' >uneven.jsonl
echo '{"codes": [[1, 70000]]}' >beyond.jsonl
echo 'no tokens' >text.jsonl
printf '\000\001\002' >odd.u16
for f in real axes short stages negative large huge order; do try residua tokens -m "$MODEL" --from-tokens $f.npy -o x.wav; done
for f in uneven beyond text; do try residua tokens -m "$MODEL" --from-tokens $f.jsonl -o x.wav; done
try residua tokens -m "$MODEL" --from-tokens odd.u16 -o x.wav
try residua tokens -m "$MODEL" --from-tokens odd.u16 --stages 2 -o x.wav
try residua tokens -m "$MODEL" --from-tokens --stages 3 talk.npy -o x.wav
try residua tokens -m "$MODEL" --from-tokens talk.wav --format npy -o x.wav
try residua tokens -m "$MODEL" --from-tokens missing.npy -o x.wav
test -e x.wav || echo nothing was written
residua tokens --from-tokens -b 3k codes.npy -o x.wav 2>&1 | head -n 1
residua tokens --bits 24 talk.wav -o x.npy 2>&1 | head -n 1
