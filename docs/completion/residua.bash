# bash completion of residua; made by `residua help --bash` from the tables in cli/
_residua()
{
    local command=${COMP_WORDS[1]} word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} words= endings=

    if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W 'encode decode info cut tokens eval bench losses train report convert help --help --version' -- "$word")
        return
    fi
    case $command:$before in
    encode:--metadata) words='keep drop' ;;
    encode:--format) words='rsd ecdc' ;;
    decode:--format) words='wav flac png jpg webp avif jxl tiff bmp pnm' ;;
    decode:--scale) words='1 1/2 1/4' ;;
    decode:--metadata) words='keep drop' ;;
    decode:--bits) words='16 24 float' ;;
    tokens:--format) words='npy jsonl raw' ;;
    tokens:--bits) words='16 24 float' ;;
    eval:--kind) words='all audio image' ;;
    eval:--heatmap-of) words='ciede2000 butteraugli' ;;
    esac
    if [[ -z $words && $word == -* ]]; then
        case $command in
        encode) words='--output -o --output-dir --recursive -r --force -f --bitrate -b --packet --model -m --quality -q --bpp --max-size --target --effort --tune --drop-profile --metadata --drop-alpha --format --lm --threads -t --keep-going -k --json --shard --quiet -q --verbose -v --help -h' ;;
        decode) words='--output -o --output-dir --recursive -r --force -f --format --quality -q --scale --metadata --bits --max-bitrate -b --keep-going -k --model -m --adapter --lm --threads -t --json --quiet -q --verbose -v --help -h' ;;
        info) words='--test --json --quiet -q --verbose -v --help -h' ;;
        cut) words='--bitrate -b --layers -l --output -o --output-dir --recursive -r --force -f --json --quiet -q --verbose -v --help -h' ;;
        tokens) words='--output -o --from-tokens --model -m --bitrate -b --stages --channels --format --bits --force -f --threads -t --json --quiet -q --verbose -v --help -h' ;;
        eval) words='--metrics -m --kind --weights --rate --max-delay --no-align --visqol-model --per-channel -c --per-frame --per-tile --fail-below --fail-above --threads -t --report --report-details --spectrogram --heatmap --heatmap-of --heatmap-top --embeddings --fmd --force -f --json --csv --shard --quiet -q --verbose -v --help -h' ;;
        bench) words='--metrics -m --kind --codecs --model --tune --effort --levels --anchor --rate --seconds --max-bpp --threads -t --report --svg --csv-file --trials --force -f --json --csv --shard --quiet -q --verbose -v --help -h' ;;
        losses) words='--json --quiet -q --verbose -v --help -h' ;;
        train) words='--data -d --valid --out -o --resume --init --prior --set --steps --time-limit --threads -t --dry-run -n --print-config --f16 --i8 --quiet -q --verbose -v --help -h' ;;
        report) words='--out -o --force -f --watch -w --no-sound --tensorboard --landscape --landscape-points --landscape-plane --landscape-crops --landscape-limit --quiet -q --verbose -v --help -h' ;;
        convert) words='--output -o --force -f --config --adapter --licence --origin --half --json --quiet -q --verbose -v --help -h' ;;
        esac
    fi
    if [[ -n $words ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
        return
    fi
    case $command in
    decode) endings='@(rsd|ecdc)' ;;
    cut) endings='@(rsd)' ;;
    train) endings='@(ini)' ;;
    convert) endings='@(th|pth|pt|safetensors)' ;;
    esac
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(shopt -s extglob; compgen -d -- "$word"; compgen -f ${endings:+-X "!*.$endings"} -- "$word" | while IFS= read -r name; do [[ -d $name ]] || printf '%s\n' "$name"; done)
}
complete -F _residua residua
