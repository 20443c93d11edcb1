# What the scripts of tests/cli share: a tiny model, trained once per build, and sound files made with awk.
# A script begins with: . "$SOURCE/tests/cli/setup/tools.sh"

# wav RATE CHANNELS FRAMES EXPRESSION: a 16-bit WAV; the expression gives -1..1 for second t, frame i and channel c.
wav() {
    awk -v rate="$1" -v channels="$2" -v frames="$3" '
        function bytes(x, n) { while (n-- > 0) { printf "%c", x % 256; x = int(x / 256) } }
        BEGIN {
            size = frames * channels * 2
            printf "RIFF"; bytes(36 + size, 4); printf "WAVEfmt "; bytes(16, 4); bytes(1, 2); bytes(channels, 2); bytes(rate, 4)
            bytes(rate * channels * 2, 4); bytes(channels * 2, 2); bytes(16, 2); printf "data"; bytes(size, 4)
            for (i = 0; i < frames; i++) {
                t = i / rate
                for (c = 0; c < channels; c++) {
                    v = int(32767 * ('"$4"'))
                    bytes(v < 0 ? v + 65536 : v, 2)
                }
            }
        }'
}

# A 32-bit float WAV at 8 kHz whose sample 500 is NaN.
wav_with_nan() {
    awk '
        function bytes(x, n) { while (n-- > 0) { printf "%c", x % 256; x = int(x / 256) } }
        BEGIN {
            size = 1000 * 4
            printf "RIFF"; bytes(36 + size, 4); printf "WAVEfmt "; bytes(16, 4); bytes(3, 2); bytes(1, 2); bytes(8000, 4)
            bytes(32000, 4); bytes(4, 2); bytes(32, 2); printf "data"; bytes(size, 4)
            for (i = 0; i < 1000; i++)
                bytes(i == 500 ? 2143289344 : 0, 4)
        }'
}

# ppm WIDTH HEIGHT WHITE EXPRESSION: a colour PPM, one or two bytes a sample; the expression gives 0..1 for x, y in 0..1 and
# channel c.
ppm() {
    LC_ALL=C awk -v width="$1" -v height="$2" -v white="$3" '
        BEGIN {
            printf "P6\n%d %d\n%d\n", width, height, white
            for (j = 0; j < height; j++)
                for (i = 0; i < width; i++)
                    for (c = 0; c < 3; c++) {
                        x = i / width; y = j / height
                        v = int(0.5 + white * ('"$4"'))
                        if (white > 255)
                            printf "%c", int(v / 256)
                        printf "%c", v % 256
                    }
        }'
}

scene='0.5 + 0.3 * sin(9 * x + 4 * y + c) + (sin(70 * x) > 0.7 ? 0.1 : 0)'

speech='0.4 * sin(1500 * t + 3 * sin(9 * t)) * (1 + sin(7 * t)) / 2'

# flip FILE OFFSET: changes one byte.
flip() {
    old=$(od -An -tu1 -j"$2" -N1 "$1")
    printf "$(printf '\\%03o' $(((old + 85) % 256)))" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

# The tiny model, 8 kHz mono, 4 stages of 1 kbit/s. Scripts run at the same time: the one that is first wins.
MODEL=$BUILD/tests/tiny-model.safetensors
if [ ! -s "$MODEL" ] || [ "$SOURCE/samples/train-tiny.ini" -nt "$MODEL" ]; then
    trained=$(mktemp -d)
    mkdir "$trained/data"
    for f in 300 500 800; do
        wav 8000 1 8000 "0.4 * sin($f * 6.2831853 * t) * (1 + sin(20 * t)) / 2" >"$trained/data/$f.wav"
    done
    residua train "$SOURCE/samples/train-tiny.ini" --data "$trained/data" --valid "$trained/data" --out "$trained/run" \
        --steps 20 --threads 1 -q || exit 99
    mkdir -p "$BUILD/tests"
    mv "$trained/run/model.safetensors" "$MODEL"
    rm -rf "$trained"
fi

# What differs from run to run and from one set of kernels to another: speeds, hashes, checksums, and where the model lies.
steady() { sed -E 's/, [0-9]+ times real time//; s/(checksum|expected) [0-9a-f]{8}/\1 SUM/g; s/hash [0-9a-f]{16}/hash HASH/g; s/"hash": "[0-9a-f]{16}"/"hash": "HASH"/; s#'"$BUILD"'/tests/##g'; }

# Runs a command and shows its exit code, its standard error among its output.
try() {
    code=0
    "$@" >.out 2>&1 || code=$?
    steady <.out
    rm -f .out
    echo "-> $code"
}
