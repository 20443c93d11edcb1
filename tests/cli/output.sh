# Outputs are complete or not there at all, and what was there stays.
. "$SOURCE/tests/cli/setup/tools.sh"
encode() { try residua encode -qm "$MODEL" "$@"; }
wav 8000 1 8000 "$speech" >talk.wav

echo '# existing'
echo old >talk.rsd && encode talk.wav && cat talk.rsd
encode -f talk.wav && residua info --test talk.rsd >/dev/null && echo new
ln -s talk.rsd link.rsd && encode -f -o link.rsd talk.wav && test -h link.rsd && echo still a link
echo '# unwritable'
encode -o talk.wav/x.rsd talk.wav
encode -o . talk.wav
encode --output-dir talk.wav talk.wav
echo '# full'
encode -o /dev/full talk.wav
code=0; residua decode -qm "$MODEL" - <talk.rsd >/dev/full 2>error || code=$?; cat error; echo "-> $code"
code=0; residua info talk.rsd >/dev/full 2>error || code=$?; cat error; echo "-> $code"
echo '# a full disk in the middle: by a limit on the size of files'
wav 8000 1 80000 "$speech" >long.wav
try sh -c 'trap "" XFSZ; ulimit -f 4; residua encode -qm "$1" long.wav' - "$MODEL"
try sh -c 'trap "" XFSZ; ulimit -f 4; residua decode -qm "$1" -o long-back.wav talk.rsd' - "$MODEL"
ls -A
echo '# stopped in the middle: the input comes through a pipe that stays open; SIGINT ends it, and what came is kept'
for signal in INT TERM HUP KILL; do
    echo keep >kept.rsd
    mkfifo pipe
    # A shell starts what runs in the background with SIGINT ignored; env gives it back.
    env --default-signal=INT residua encode -qfm "$MODEL" -o kept.rsd - <pipe 2>error &
    pid=$!
    exec 3>pipe
    cat long.wav >&3
    sleep 0.3
    kill -$signal $pid
    exec 3>&-
    code=0; { wait $pid || code=$?; } 2>/dev/null # the shell would report how it ended
    grep -aq keep kept.rsd && result=keep || result=$(residua info --test kept.rsd | grep -o 'the end is there')
    echo "SIG$signal -> $code, $result"
    rm pipe error
done
ls -A
echo '# what whoever started it has it ignore'
mkfifo pipe
(trap '' HUP && exec residua encode -qfm "$MODEL" -o kept.rsd - <pipe) &
pid=$!
exec 3>pipe
cat long.wav >&3
sleep 0.3
kill -HUP $pid
exec 3>&-
code=0; wait $pid || code=$?
residua info --test kept.rsd >/dev/null && echo "SIGHUP -> $code, done"
echo '# a file mounted by itself, as containers have it, where mounting is allowed'
echo old >mounted.rsd && echo old >real.rsd
unshare -m sh -c 'mount --bind real.rsd mounted.rsd' 2>/dev/null || cp talk.rsd real.rsd
unshare -m sh -c 'mount --bind real.rsd mounted.rsd && residua encode -qfm "$1" -o mounted.rsd talk.wav' - "$MODEL" 2>error || grep -v 'unshare\|mount:' error
residua info --test real.rsd >/dev/null && cmp real.rsd talk.rsd && echo written
