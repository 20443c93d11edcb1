# Published EnCodec weights: described, converted, used; .ecdc files written, read and refused.
. "$SOURCE/tests/cli/setup/tools.sh"
G=$SHARED/golden/encodec
[ -d "$G" ] || exit 77
cp "$G/mono24/model_orig.th" mono.th && cp "$G/mono24/lm_orig.th" lm.th && cp "$G/stereo48style/model_orig.th" stereo.th
cp "$G/mono24/input.wav" mono.wav && cp "$G/stereo48style/input.wav" stereo.wav

echo '# what they are'
try residua info mono.th lm.th stereo.th
try residua convert mono.th --licence none -o mono.safetensors
try residua info mono.safetensors
try residua convert mono.th -o mono.safetensors
try residua convert lm.th
try residua convert --config "$G/stereo48style/config_hf.json" --json stereo.th | sed 's/[0-9a-f]\{64\}/SHA/'
echo '# files, the same as those of the published tool'
try residua encode -m mono.th -b 1.8k -o mono.ecdc mono.wav
cmp mono.ecdc "$G/mono24/bw1.8/plain.ecdc" && echo same
residua encode -q -m mono.safetensors -b 1.8k --format ecdc mono.wav -f && cmp mono.ecdc "$G/mono24/bw1.8/plain.ecdc" && echo same
residua encode -q -m mono.th -b 1.8k - <mono.wav >piped.rsd && residua decode -q -m mono.th - <piped.rsd >piped.wav
residua decode -q -m mono.th -o decoded.wav mono.ecdc && cmp decoded.wav piped.wav && echo same
try residua info mono.ecdc
try residua encode -m stereo.safetensors -o stereo.ecdc stereo.wav
try residua decode -m stereo.safetensors --json stereo.ecdc -o back.wav
try residua info stereo.ecdc back.wav
echo '# with the language model'
try residua encode -m mono.th --lm lm.th -o small.ecdc mono.wav
try residua decode -m mono.th -o small.wav small.ecdc
try residua decode -m mono.th --lm lm.safetensors -o small.wav small.ecdc
echo '# what does not go'
try residua encode -m stereo.safetensors stereo.wav
try residua tokens -m stereo.safetensors stereo.wav -o stereo.npy
try residua encode -m mono.th --lm lm.th mono.wav
try residua decode mono.ecdc
try residua decode -m stereo.safetensors -f mono.ecdc
try residua encode -m lm.th mono.wav
head -c 90 mono.ecdc >cut.ecdc && try residua decode -m mono.th cut.ecdc
try residua decode -m mono.th -k cut.ecdc
head -c 100000 mono.th >cut.th && try residua info cut.th
try residua convert mono.wav -o x.safetensors
