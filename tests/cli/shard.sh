# Parts of a folder: together they are all of it, none of it twice.
mkdir in
for i in 1 2 3 4 5; do
    head -c 16000 /dev/zero | tr '\0' "$i" >raw
    { printf 'RIFF\244\076\0\0WAVEfmt \020\0\0\0\001\0\001\0\200\076\0\0\0\175\0\0\002\0\020\0data\200\076\0\0'; cat raw; } >in/$i.wav
done
for part in 1/3 2/3 3/3; do
    residua encode -q -r --shard $part --output-dir $(echo out-$part | tr / -) in || echo "exit $?"
    (cd out-$(echo $part | tr / -) && echo "$part:" $(find . -name '*.rsd' | sort))
done
residua encode -q -r --shard 9/9 --output-dir none in; echo "exit $?, $(ls none 2>/dev/null | wc -l) files"
OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=3 residua encode -q -r --output-dir rank in && ls rank | tr '\n' ' '
mkdir dist && cp in/*.wav dist
residua eval -q -m snr --csv --shard 2/4 in dist | tail -n +2 | cut -d, -f1
residua eval -q -m snr --shard 6/6 in dist
echo "exit $?"
# What is made of a part says so, and the processes of mpirun write files of their own.
residua eval -q -m snr --json --shard 2/4 in dist | sed -n 's/.*"summary".*"shard": \("[^"]*"\), "pairs": \([0-9]*\).*/\1: \2 pairs/p'
rate="residua bench rd -q --codecs mp3 --seconds 1 -m snr --rate 16k"
$rate --shard 2/3 --csv in | tr -d '\r' | sed -n '1p;$p' | sed 's/.*,//'
$rate --shard 3/3 --json in | sed -n 's/.*"files": \([0-9]*\), "shard": \("[^"]*"\).*/\2: \1 files/p'
$rate --shard 6/6 in
echo "exit $?"
mkdir out.v1 && OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=3 $rate --svg curves.svg --csv-file out.v1/curves in >/dev/null && ls curves* out.v1
residua eval -q --fmd --shard 1/2 in dist 2>&1 | head -n 1
for wrong in 0/3 4/3 x 1/2/3 ' 1/2' +1/2 1/ 99999999999999999999/3; do residua encode -q --shard "$wrong" in/1.wav 2>&1 | head -n 1; done
# Only the last part has the picture, and what may be asked for is the same in all.
printf 'P5\n16 16\n255\n%256s' | tee in/z.pgm >dist/z.pgm
for metrics in snr,psnr psnr; do
    for part in 1/6 6/6; do
        code=0; residua eval -q -m $metrics --json --shard $part in dist >values 2>error || code=$?
        echo "$metrics $part: $(grep -c '"pair"' values) pair, $(cat error) -> $code"
    done
done
for part in 1/6 6/6; do residua eval -q --csv --shard $part in dist 2>&1 || echo "exit $?"; done
