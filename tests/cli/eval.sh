# Metrics of files and folders, with delay, other rates, silence and nothing in common.
. "$SOURCE/tests/cli/setup/tools.sh"
wav 8000 1 12000 "$speech + 0.05 * sin(5000 * t)" >ref.wav
wav 8000 1 12000 "0.9 * ($speech)" >dist.wav
wav 8000 1 12100 "i < 100 ? 0 : (t -= 100 / rate) * 0 + $speech + 0.05 * sin(5000 * t)" >late.wav
wav 16000 1 24000 "$speech + 0.05 * sin(5000 * t)" >fast.wav
wav 8000 2 12000 "$speech + 0.05 * sin(5000 * t)" >stereo.wav
wav 8000 1 12000 0 >silent.wav
wav 8000 1 1 0.5 >one.wav
try residua eval -m snr,estoi,stoi ref.wav dist.wav
try residua eval -m snr ref.wav late.wav
try residua eval -m snr,segsnr --no-align ref.wav ref.wav
try residua eval -m lsd --rate 8k fast.wav ref.wav
try residua eval -m mel ref.wav stereo.wav
try residua eval ref.wav silent.wav
try residua eval silent.wav ref.wav
try residua eval -m snr,estoi one.wav ref.wav
try residua eval --json -m snr,mel,estoi ref.wav late.wav
mkdir -p a/x b/x && cp ref.wav a/x/1.wav && cp dist.wav b/x/1.wave && cp ref.wav a/2.wav && cp late.wav b/2.wav && cp ref.wav a/3.wav
try residua eval -m snr,estoi a b
: >b/3.wav && try residua eval -m snr,estoi a b
rm b/3.wav
try residua eval -c -m snr,mel,loudness,level stereo.wav stereo.wav
try residua eval --csv -m snr,loudness,lsd -c a b
cp stereo.wav "a/with, \"quotes\".wav" && cp stereo.wav "b/with, \"quotes\".wav"
try residua eval --csv -c -m level a b
try residua eval -q --fail-below estoi=0.5 --fail-below snr=14 --fail-above mel=1 ref.wav dist.wav
try residua eval -q -m snr --fail-below estoi=0.1 --fail-above loudness=1.5 ref.wav dist.wav
try residua eval -q -m snr --fail-below snr=100 ref.wav ref.wav
mkdir good silent && cp ref.wav good/1.wav && cp ref.wav good/2.wav && cp dist.wav silent/1.wav && cp silent.wav silent/2.wav
try residua eval -q -m sisdr --fail-below sisdr=5 good silent
try residua eval -q -m sisdr --fail-above sisdr=20 good silent
try residua eval -m snr --fail-below estoy=0.5 ref.wav dist.wav
try residua eval -m snr --fail-below estoi ref.wav dist.wav
try residua eval -m snr --fail-above estoi=high ref.wav dist.wav
try residua eval -m snr,nsr ref.wav dist.wav
try residua eval --json --csv ref.wav dist.wav
residua eval -q --json -m all -t 1 a b >one && residua eval -q --json -m all -t 3 a b >three && cmp one three && echo same
try residua eval ref.wav a
try residua eval ref.wav missing.wav
