# Metrics of pictures: files, folders, mixed folders, sizes, depths, grey, alpha, several pictures in a file, one pixel, refusals.
. "$SOURCE/tests/cli/setup/tools.sh"
command -v ffmpeg >/dev/null || exit 77
make() { ffmpeg -nostdin -v error -y "$@"; }
worse="($scene) + 0.05 * sin(300 * x + 200 * y)"
ppm 180 170 255 "$scene" >ref.ppm
ppm 180 170 255 "$worse" >dist.ppm
ppm 180 170 65535 "$worse" >deep.ppm
ppm 90 85 255 "$scene" >half.ppm
ppm 1 1 255 0.5 >one.ppm
ppm 1 1 255 0.52 >other.ppm
make -i ref.ppm -pix_fmt gray grey.png
make -i ref.ppm -filter_complex "[0]format=rgba,geq=r='r(X,Y)':g='g(X,Y)':b='b(X,Y)':a=200[o]" -map "[o]" alpha.png
make -loop 1 -i ref.ppm -frames:v 2 -r 5 two.gif
short() { cut -c1-44; }
try residua eval -c ref.ppm dist.ppm | short
try residua eval -m psnr,ms-ssim,ms_ssim ref.ppm deep.ppm
try residua eval -m psnr,ssim ref.ppm ref.ppm
try residua eval -m psnr ref.ppm half.ppm
try residua eval -m psnr,ssim ref.ppm grey.png
try residua eval -c -m psnr,ssim grey.png grey.png
try residua eval -m psnr,gmsd ref.ppm alpha.png
try residua eval -m psnr ref.ppm two.gif | head -2
try residua eval one.ppm other.ppm | short
try residua eval -m lpips ref.ppm dist.ppm
try residua eval --weights squeeze ref.ppm dist.ppm
try residua eval --weights squize=x.pth ref.ppm dist.ppm
try residua eval --weights squeeze=ref.ppm ref.ppm dist.ppm
try residua eval -m estoi ref.ppm dist.ppm
try residua eval -m psnr,sam -c --json ref.ppm dist.ppm
printf 'no picture' >bad.png && try residua eval ref.ppm bad.png
head -c 5000 ref.ppm >cut.ppm && try residua eval -m psnr ref.ppm cut.ppm
wav 8000 1 12000 "$speech" >a.wav
try residua eval ref.ppm a.wav
try residua eval a.wav ref.ppm
mkdir -p a/x b/x && cp ref.ppm a/x/1.ppm && cp grey.png b/x/1.png && cp ref.ppm a/2.ppm && cp dist.ppm b/2.ppm
try residua eval -m psnr,ssim a b
cp half.ppm b/3.ppm && cp ref.ppm a/3.ppm && try residua eval -m psnr,ssim --fail-below psnr=90 a b
rm b/3.ppm a/3.ppm && cp a.wav a/2.wav && cp a.wav b/2.wav && cp a.wav b/2.wave
try residua eval -m psnr,snr,l1 a b
try residua eval -m psnr a b
try residua eval -m psnr --json a b
try residua eval --csv a b
try residua eval --csv --kind image -c -m psnr,ssim a b
try residua eval --kind audio -m snr a b
try residua eval -q -m psnr --fail-below ms-ssim=0.999 --fail-above gmsd=1 ref.ppm dist.ppm
for i in 1 3; do residua eval -q --json -m all -t $i a b >threads$i 2>&1; residua eval -q --json -m all -t $i ref.ppm dist.ppm >one$i; done
cmp threads1 threads3 && cmp one1 one3 && echo same
try residua eval -q -m psnr --heatmap map.png ref.ppm dist.ppm
try residua eval -m psnr --heatmap map.png ref.ppm dist.ppm
try residua eval -m psnr -f --heatmap map.png --heatmap-top 3 ref.ppm dist.ppm
try residua eval -m butteraugli,butteraugli_3norm -f --heatmap map.png --heatmap-of butteraugli ref.ppm dist.ppm
try residua eval -q -m psnr -f --heatmap map.png --heatmap-of butteraugli one.ppm other.ppm
try residua eval -m psnr -f --heatmap map.png a b
try residua eval -m snr -f --heatmap map.png a.wav a.wav
try residua eval -m psnr --spectrogram map.png ref.ppm dist.ppm
try residua losses ms_ssim | cut -c1-72
try residua losses --json lpips
