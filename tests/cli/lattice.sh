# Models whose codes are fixed levels (FSQ) or signs (BSQ), from a tiny training to streams and tokens and back.
. "$SOURCE/tests/cli/setup/tools.sh"
mkdir data
for i in 1 2 3 4; do
    wav 8000 1 $((6000 + 1000 * i)) "$speech * $i / 4" >data/$i.wav
done
wav 8000 1 16001 "$speech" >talk.wav
for kind in fsq bsq; do
    stages=$(case $kind in fsq) echo 3 ;; bsq) echo 4 ;; esac)
    echo "# $kind"
    residua train "$SOURCE/samples/train-tiny.ini" -q -t 1 --data data --out $kind --steps 8 --set train.rates=4k --set train.tensorboard=no \
        --set data.valid_every=0 --set model.quantizer=$kind --set model.levels=5,5,4 --set model.code_dim=6
    model=$kind/model.safetensors
    residua info $model | sed 's/[0-9a-f]\{16\}/HASH/'
    residua encode -q -f -m $model --bitrate 5k talk.wav && residua info talk.rsd | sed 's/[0-9a-f]\{16\}/HASH/'
    residua decode -q -f -m $model -o direct.wav talk.rsd
    residua tokens -q -m $model --stages $stages talk.wav -o - --format raw >talk.u16
    residua tokens -q -f -m $model --from-tokens --stages $stages talk.u16 -o - | cmp -n 32000 -i 44 - direct.wav && echo 'tokens and the stream say the same'
    cat talk.wav | residua encode -q -m $model -b 5k -o - - | residua decode -q -m $model -o - - | cmp -i 44 - direct.wav && echo 'and so do pipes'
done
echo '# another model does not know the codes'
try residua decode -q -f -m fsq/model.safetensors talk.rsd 2>&1 | sed "s/[0-9a-f]\{16\}/HASH/g"
