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
echo '# pictures'
mkdir seen && for i in 1 2; do ppm 100 80 255 "0.5 + 0.4 * sin($i * 5 * x + 7 * y + c)" >seen/$i.ppm; done
small='picture.widths=8,8,8 picture.encoder_blocks=0,1,0 picture.decoder_blocks=0,1,0 picture.context=4 picture.crop=64 picture.codebooks=3
    picture.codebook_size=64 picture.start_batches=2 data.batch=2 data.workers=0 data.valid_every=0 train.tensorboard=no'
printf '[model]\nkind = picture\nname = tiny\n' >picture.ini
for kind in fsq bsq; do
    latent=$(case $kind in fsq) echo 3 ;; bsq) echo 6 ;; esac)
    echo "# $kind"
    residua train picture.ini -q -t 1 --data seen --out seen-$kind --steps 8 --set picture.quantizer=$kind --set picture.latent=$latent \
        $(for s in $small; do echo "--set $s"; done)
    model=seen-$kind/model.safetensors
    residua info $model | sed 's/[0-9a-f]\{16\}/HASH/; s/^  work.*/  work/; s/[0-9.]* M parameters/PARAMETERS/'
    for stages in 1 2 3; do
        residua encode --quiet -f -m $model --effort 1 --quality $((50 * stages - 50)) seen/1.ppm -o $stages.rsd
        residua cut --quiet -f -l 1 $stages.rsd -o cut.rsd && residua decode --quiet -f -m $model cut.rsd -o cut-$stages.png
    done
    cmp cut-1.png cut-2.png && cmp cut-1.png cut-3.png && echo 'of any number of stages the first is the same'
    residua decode --quiet -f -m $model 3.rsd -o 3.png && residua encode --quiet -f -m $model --quality 100 - -o - <seen/1.ppm |
        residua decode --quiet -m $model - -o - >pipe.png && residua eval -m psnr 3.png pipe.png >/dev/null && echo 'and pipes work'
    try residua encode --quiet -f -m $model --effort 5 seen/1.ppm -o seen.rsd
done
try residua decode --quiet -f -m seen-fsq/model.safetensors 3.rsd -o wrong.png 2>&1 | sed "s/[0-9a-f]\{16\}/HASH/g"
