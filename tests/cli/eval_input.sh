# What eval does with files that are not plain: CMYK, animations, pages, floats, grey and alpha of 16 bits, one pixel, silence,
# unequal lengths, samples that are not numbers, films, wrong endings.
. "$SOURCE/tests/cli/setup/tools.sh"
command -v ffmpeg >/dev/null || exit 77
make() { ffmpeg -nostdin -v error -y "$@"; }
# 16 x 8 pixels of one colour, ink 0, 80, 60 and 20 %, by libjpeg with Adobe's inverted samples.
base64 -d >cmyk.jpg <<'EOF'
/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwADAgIDAgIDAwMDBAMDBAUIBQUEBAUKBwcGCAwKDAwLCgsLDQ4SEA0OEQ4LCxAWEBETFBUVFQwPFxgWFB
gSFBUU/8AAFAgACAAQBEMRAE0RAFkRAEsRAP/EABcAAQEBAQAAAAAAAAAAAAAAAAAIBwn/xAAUEAEAAAAAAAAAAAAAAAAAAAAA/9oADgRDAE0A
WQBLAAA/AOqaMmdLLAH/2Q==
EOF
# floats NUMBER: OpenEXR of 2 x 1 pixels, 0.5 apart from one sample, a float of these four bytes in octal
floats() { for i in 1 2 3 4 5; do printf '\000\000\000\077'; done >raw; printf "$1" >>raw; make -f rawvideo -pix_fmt gbrpf32le -s 2x1 -i raw "$2"; }
film="-f lavfi -i testsrc=s=64x48:d=1:r=4"
make -f lavfi -i color=c=0xcc2952:s=16x8 -frames:v 1 rgb.png
make $film -frames:v 1 still.png
make $film -f apng several.png
make $film several.gif
make $film several.webp
make $film several.mp4
ppm 40 40 65535 "0.5 + 0.3 * sin(9 * x + 4 * y)" >deep.ppm
make -i deep.ppm -pix_fmt gray16be grey16.png
make -i deep.ppm -filter_complex "[0]format=rgba64,geq=r='r(X,Y)':g='g(X,Y)':b='b(X,Y)':a=40000[o]" -map "[o]" -pix_fmt rgba64be alpha16.png
ppm 1 1 255 0.5 >one.ppm
floats '\000\000\200\076' fine.exr
floats '\000\000\300\177' nan.exr
floats '\000\000\200\377' infinite.exr
printf 'Pf\n1 1\n-1.0\n\000\000\000\077.............' >a.pfm
# entry TAG TYPE VALUE: of a TIFF directory, in octal, with values below 256
entry() { printf "\\$1\\001\\00$2\\000\\001\\000\\000\\000\\$3\\000\\000\\000"; }
{
    printf 'II*\000\010\000\000\000\012\000'
    entry 000 3 001; entry 001 3 001; entry 002 3 040; entry 003 3 001; entry 006 3 001 # 1 x 1 pixel, 32 bits, plain, black is 0
    entry 021 4 206; entry 025 3 001; entry 026 3 001; entry 027 4 004; entry 123 3 003 # at byte 134, one float
    printf '\000\000\000\000\000\000\000\077'
} >float.tif
echo "- CMYK becomes RGB"
try residua eval -m psnr,ciede2000 rgb.png cmyk.jpg
echo "- of several pictures the first is compared, where it can be read"
try residua eval -m psnr,ssim still.png several.png
try residua eval -m ssim still.png several.gif
try residua eval -m psnr still.png several.webp
echo "- films are not pictures"
try residua eval -m psnr still.png several.mp4
echo "- 16 bits, grey and alpha"
try residua eval -m psnr,ssim deep.ppm grey16.png
try residua eval -m psnr,ssim -c grey16.png grey16.png
try residua eval -m psnr,l1 deep.ppm alpha16.png
try residua eval -m l1 alpha16.png alpha16.png
echo "- one pixel, and another size"
try residua eval -m psnr,ssim,ssimulacra2 one.ppm one.ppm
try residua eval -m psnr one.ppm rgb.png
echo "- floats are read from 0 to 1 and must be numbers"
try residua eval -m psnr,mse fine.exr fine.exr
try residua eval -m mse fine.exr nan.exr
try residua eval -m mse infinite.exr fine.exr
try residua eval -m mse fine.exr a.pfm
try residua eval -m mse fine.exr float.tif
echo "- what a file holds decides, not how its name ends"
cp still.png name.wav && try residua eval -m psnr still.png name.wav
echo "- silence, unequal lengths, samples that are not numbers"
wav 8000 1 8000 "$speech" >a.wav
wav 8000 1 6000 "$speech" >short.wav
wav 8000 1 8000 0 >silent.wav
wav_with_nan >nan.wav
try residua eval silent.wav silent.wav
try residua eval -m snr,mel,estoi --json a.wav silent.wav
try residua eval -m snr,mel a.wav short.wav
try residua eval -m snr,mel short.wav a.wav
try residua eval -m snr a.wav nan.wav
try residua eval -m snr nan.wav a.wav
