# --init and --prior take the names of built-in models, which come before files: the same run as with those files.
. "$SOURCE/tests/cli/setup/tools.sh"

mkdir sound pictures
wav 16000 1 12000 "$speech" >sound/a.wav
ppm 128 96 255 "$scene" >pictures/a.ppm
train() { # OUT CONFIG OPTIONS...
    out=$1 config=$2
    shift 2
    residua train "$SOURCE/models/$config.ini" -q -t 1 --out "$out" --steps 1 --set data.batch=1 --set data.workers=0 --set data.valid_every=0 \
        --set train.tensorboard=no "$@"
}
same() { cmp "$1" "$2" && echo "$1 is $2"; }
builtin=$SOURCE/models/builtin

sound="--data sound --set train.quantizer_start=0 --set train.codes_paths=1"
for part in "freeze=codes" "adapter_rank=1"; do
    train name speech16 $sound --set train.$part --init speech16
    train file speech16 $sound --set train.$part --init "$builtin/speech16.safetensors"
    case $part in freeze*) same name/model.safetensors file/model.safetensors ;; *) same name/adapter.safetensors file/adapter.safetensors ;; esac
    rm -r name file
done
pictures="--data pictures --set picture.crop=64 --set train.freeze=prior"
train name photo $pictures --init photo --prior photo-msssim
train file photo $pictures --init "$builtin/photo.safetensors" --prior "$builtin/photo-msssim.safetensors"
same name/model.safetensors file/model.safetensors

echo "- names of the other kind, and of none"
rm -r name file
try train name photo $pictures --init speech16
try train name photo $pictures --init photo --prior photo-mssim
try train name speech16 $sound --init photo
try residua encode -m photox pictures/a.ppm
