# The manual page and the completion are what the tables say; `residua help --man` and `--bash` make them anew.
residua help --man | diff "$SOURCE/docs/residua.1" - && echo 'docs/residua.1 is up to date'
residua help --bash | diff "$SOURCE/docs/completion/residua.bash" - && echo 'docs/completion/residua.bash is up to date'
command -v bash >/dev/null || exit 77
touch talk.rsd talk.wav
complete() {
    bash -c '. "$SOURCE/docs/completion/residua.bash"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _residua; echo "${COMPREPLY[@]}"' - "$@"
}
complete residua de
complete residua encode --out
complete residua decode --format f
complete residua decode ta
complete residua encode ta
