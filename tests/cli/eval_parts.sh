# Values of frames, tiles and bands, quantiles over them and over pairs, and distances of log mel statistics.
. "$SOURCE/tests/cli/setup/tools.sh"
wav 8000 1 12000 "$speech + 0.05 * sin(5000 * t)" >ref.wav
wav 8000 1 12000 "$speech + (t < 1 ? 0.05 : 0.02) * sin(5000 * t)" >dist.wav
wav 8000 2 12000 "$speech + 0.05 * sin(5000 * t)" >stereo.wav
wav 8000 2 12000 "t < 0.5 ? 0 : $speech + 0.03 * (c + 1) * sin(5000 * t)" >gap.wav
try residua eval -m snr,lsd,stoi --per-frame 0.5s ref.wav dist.wav
try residua eval -m snr,l1 -c --per-frame 0.4s --csv stereo.wav gap.wav
try residua eval -m stoi --per-frame 2s --json ref.wav dist.wav
wav 8000 2 12000 "c ? 0 : $speech + 0.05 * sin(5000 * t)" >left.wav
wav 8000 2 12000 "c ? 0 : $speech + (t < 1 ? 0.05 : 0.02) * sin(5000 * t)" >left-dist.wav
try residua eval -m stoi --per-frame 2s --json left.wav left-dist.wav
try residua eval -m mel --per-frame 100ms --json ref.wav dist.wav
try residua eval -m snr --per-frame 0 ref.wav dist.wav
ppm 100 70 255 "$scene" >ref.ppm
ppm 100 70 255 "x < 0.5 ? $scene : 0.02 + $scene" >dist.ppm
try residua eval -m psnr,ssim,ssimulacra2 --per-tile 32 ref.ppm dist.ppm
try residua eval -m mse,psnr --per-tile 50 --csv ref.ppm dist.ppm
try residua eval -m psnr --per-tile 64 --json ref.ppm dist.ppm
mkdir a b && for i in 1 2 3; do cp ref.wav a/$i.wav; wav 8000 1 12000 "0.$i * ($speech)" >b/$i.wav; done
try residua eval -m snr,lsd a b
for i in 1 3; do residua eval -q --json -m snr,lsd,stoi --per-frame 0.4s -t $i a b >threads$i; done
cmp threads1 threads3 && echo same
residua eval --fmd a a | head -2
try residua eval --fmd ref.wav b
try residua eval --fmd a b
try residua eval --fmd --json a b
mkdir none && try residua eval --fmd a none
