# Rate-distortion of pictures: which points there are, files that are written, and what is refused.
. "$SOURCE/tests/cli/setup/tools.sh"
mkdir pictures both
ppm 80 64 255 "$scene" >pictures/1.ppm
ppm 64 96 65535 "1 - ($scene)" >pictures/2.ppm
cp pictures/1.ppm both
wav 8000 1 8000 "$speech" >both/1.wav
rd() { residua bench rd -q -m psnr,gmsd "$@"; }
rd --codecs webp,jpeg --csv-file points.csv --svg curves.svg --anchor jpeg,webp pictures >table
awk '/^$/ { exit } { print $1, $2, $3 }' table
grep -c 'overlap\|n/a' table
sed -n '/^WebP  *lib/,$p' table
cut -d, -f1,2 points.csv | tr -d '\r' | head -3
grep -c '<polyline' curves.svg
rd --codecs webp --json pictures | sed 's/"\(encode\|decode\)_\(speed\|s\)": [^,]*, //g' >one
rd --codecs webp --json -t 3 pictures | sed 's/"\(encode\|decode\)_\(speed\|s\)": [^,]*, //g' >three
cmp one three && echo same
rd --codecs jpeg --kind image both | grep -c '^JPEG  *quality'
rd --codecs residua,jpeg --effort 1,2,3 --anchor 'residua effort 1' pictures/1.ppm >table
sed -n 's/^\(residua effort .\) level.*/\1/p; s/^\(residua\)  *level.*/\1/p' table | uniq -c
sed -n '/^residua /{ /--effort/p; }' table
rd --codecs residua --tune ms-ssim --effort 3 pictures/1.ppm >table
sed -n '/^residua /{ /--effort/p; }' table
echo "- levels of ours: chosen ones, and kept for a run of others"
rd --codecs residua --levels 0.5,2,3.0625 --trials kept pictures/1.ppm >table
sed -n 's/^\(residua  *level [^ ]*\).*/\1/p' table
rd --codecs residua --levels 1,2 --trials kept pictures/1.ppm >table
sed -n 's/^\(residua  *level [^ ]*\).*/\1/p' table
grep -c trial kept
for levels in 2,1 1,1 0.01 -1 99 1,,2 1, one 1/16 "$(printf %0100d 1)"; do
    try rd --codecs residua --levels $levels pictures
done
try residua bench rd --levels 1 both/1.wav
try rd --codecs webp --levels 1 pictures
echo "- what is refused"
try rd --codecs residua --tune l1 pictures
try rd --codecs residua --tune tv-l1 --effort 3 pictures
try residua bench rd --tune ms-ssim both/1.wav
try rd --codecs webp --tune ms-ssim pictures
try rd --effort 0 pictures
try rd --effort 3, pictures
try rd --effort 1,3,4,5 pictures
try residua bench rd --effort 3 both/1.wav
try rd --codecs webp --effort 3 pictures
try rd --codecs residua --anchor 'residua effort 3' pictures
try rd both
try rd --codecs opus pictures
try rd --codecs webb pictures
try rd --codecs 'residua effort 5,webp' pictures
try rd --codecs webp both/1.wav
try rd --kind film pictures
try rd --rate 16k pictures
try rd --max-bpp 1 both/1.wav
try rd --codecs webp --anchor jpeg,webp pictures
try rd --codecs webp --svg curves.svg pictures
try residua bench rd -m estoi pictures
head -c 200 pictures/1.ppm >cut.ppm
try rd --codecs jpeg cut.ppm
echo "- outputs are looked at before the work, and one that fails then does not take the others along"
try rd --codecs webp --svg missing/curves.svg pictures
try rd --codecs webp --svg - pictures
try rd --codecs webp --svg new --csv-file ./new pictures
try rd --codecs webp --svg curves.svg --trials pictures/../curves.svg -f pictures
try rd --codecs webp --svg pictures pictures
rd --codecs webp --svg /dev/full --csv-file kept.csv pictures >table 2>said || echo "exit $?: $(cat said)"
cut -d, -f1,2 kept.csv | tr -d '\r' | head -2
echo "- opacity is told once of each picture"
# 16 x 16 pixels of one grey that lets light through
echo iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAYAAAAf8/9hAAAAFklEQVR42mNIpBAwjBowasCoAcPFAABSPIQQ7DXuEAAAAABJRU5ErkJggg== | base64 -d >glass.png
rd --codecs webp,jpeg -t 3 glass.png 2>&1 >table | grep opacity
