# images.sh - `make quality-images`: our model of pictures beside JPEG, WebP, JPEG 2000, JPEG XL and AVIF.
#
#   images.sh FOLDER [MODEL]     with BUILD, the folder of the program; options of bench rd in IMAGES_ARGS, such as --effort 8
#
# Every picture of FOLDER is coded from about 0.1 to 1.0 bits per pixel. Prints the table, quality at equal rates and BD-rates
# against AVIF and against JPEG, and leaves the points and the curves in $BUILD/quality-images.csv and .svg.
#
# SPDX-License-Identifier: MIT
set -e
[ -d "$1" ] || { echo "quality-images: $1: no such folder; name one with IMAGES=FOLDER, or set RESIDUA_SHARED" >&2; exit 1; }
out=$BUILD/quality-images
# shellcheck disable=SC2086 # a list of options
"$BUILD/residua" bench rd -f --kind image -m psnr,ms-ssim,ssimulacra2 --max-bpp 1.0 --anchor avif,jpeg --csv-file "$out.csv" \
    --svg "$out.svg" --report "$out.html" ${2:+--model "$2"} $IMAGES_ARGS "$1"
echo "curves: $out.svg, $out.html; points: $out.csv"
