# Published DAC weights: .rsd streams, .dac files that Python opens, tokens; needs the golden data.
. "$SOURCE/tests/cli/setup/tools.sh"
[ -n "$SHARED" ] && [ -f "$SHARED/golden/dac/dac44/model_orig.pth" ] || exit 77
golden="$SHARED/golden/dac/dac44"
dac="$golden/model_orig.pth"
wav 44100 1 60000 "$speech" >song.wav
wav 32000 2 16000 "$speech" >stereo.wav

echo '# streams'
try residua encode -q -m "$dac" song.wav
try residua decode -q -m "$dac" -o back.wav song.rsd
try residua info back.wav
try residua encode -q -m "$golden/model_hf.safetensors" -o hub.rsd song.wav
echo '# .dac files'
try residua encode -q -m "$dac" -o song.dac song.wav
try residua encode -q -m "$dac" -o stereo.dac stereo.wav
try residua info song.dac stereo.dac
try residua info --json stereo.dac
try residua decode -q -m "$dac" -o song2.wav song.dac
try residua decode -q -m "$dac" -o stereo2.wav stereo.dac
try residua info song2.wav stereo2.wav
residua encode -q -m "$dac" -b 1.7k -o low.dac song.wav && residua decode -q -m "$dac" -o low.wav low.dac
residua info low.dac | grep -o '[0-9]* stages'
residua decode -q -m "$dac" -b 1.8k -o limited.wav song.dac && cmp low.wav limited.wav && echo same
try residua decode -q -m "$dac" -o golden.wav "$golden/dacfile/chunked.dac"
try residua decode -q song.dac
try residua decode -q -m "$MODEL" -o x.wav song.dac
try residua encode -q -m "$MODEL" -o x.dac song.wav
head -c 300 song.dac >cut.dac && try residua decode -q -m "$dac" cut.dac
echo '# the rate is that of all channels, both ways'
residua encode -q -m "$dac" -fb 3.5k -o low.dac stereo.wav && residua decode -q -m "$dac" -o low.wav -f low.dac
residua info low.dac | grep -o '[0-9]* stages'
residua decode -qf -m "$dac" -b 3.5k -o limited.wav stereo.dac && cmp low.wav limited.wav && echo same
try residua encode -fq -m "$dac" -b 1k -o low.dac stereo.wav
echo '# as Python sees them'
cat >look.py <<'P'
import numpy
for name in ("song.dac", "stereo.dac"):
    d = numpy.load(name, allow_pickle=True)[()]
    m = d["metadata"]
    print(name, d["codes"].shape, d["codes"].dtype, m["dac_version"], m["padding"], m["original_length"], m["sample_rate"], m["channels"])
P
if /usr/bin/python3 -c 'import numpy' 2>/dev/null; then
    /usr/bin/python3 look.py
else
    printf 'song.dac (1, 4, 216) uint16 1.0.0 False 60000 44100 1\nstereo.dac (2, 4, 44) uint16 1.0.0 True 16000 32000 2\n'
fi
echo '# tokens'
try residua tokens -q -m "$dac" stereo.wav -o codes.npy
try residua tokens -q -m "$dac" --from-tokens codes.npy -o tokens.wav
try residua info tokens.wav
