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
for wrong in 0/3 4/3 x 1/2/3; do residua encode -q --shard $wrong in/1.wav 2>&1 | head -n 1; done
