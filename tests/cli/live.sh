# Pipes that stay open: what has come is coded and given out, without waiting for what follows.
. "$SOURCE/tests/cli/setup/tools.sh"
wav 8000 1 16000 "$speech" >talk.wav
# wait_for FILE SIZE: until the file has so many bytes, 10 seconds at most.
wait_for() {
    n=0
    while [ "$(wc -c <"$1")" -lt "$2" ] && [ $n -lt 100 ]; do sleep 0.1 && n=$((n + 1)); done
    echo "$1: $(wc -c <"$1") bytes"
}

# live MODEL PACKET SAMPLES: feeds packets of so many samples at 8 kHz, looking at what came out after each.
live() {
    : >back.wav && mkfifo pipe
    residua encode -qkm "$1" --packet "$2" - <pipe 2>/dev/null | residua decode -qm "$1" - >back.wav &
    exec 3>pipe
    head -c $((44 + 2 * $3)) talk.wav >&3
    wait_for back.wav $((44 + 2 * $3))
    tail -c +$((45 + 2 * $3)) talk.wav | head -c $((2 * $3)) >&3
    wait_for back.wav $((44 + 4 * $3))
    exec 3>&-
    wait
    rm pipe
}
echo '# a packet of samples comes out of the other end'
live "$MODEL" 100ms 800
live "$MODEL" 1s 8000
echo '# the length of packets'
for packet in 1ms 40ms 10s; do
    residua encode -qfm "$MODEL" --packet $packet talk.wav && residua info talk.rsd | grep -o '[0-9]* frames per packet'
    residua decode -qfm "$MODEL" talk.rsd -o $packet.wav && wc -c <$packet.wav
done
try residua encode -m "$MODEL" --packet 0 talk.wav
try residua encode -m "$MODEL" --packet 40ms -o talk.ecdc talk.wav
try residua encode -m "$MODEL" --packet 40ms -o talk.dac talk.wav
echo '# Ctrl-C ends a recording: what came is there, with an end; also where the header promises more'
head -c $((44 + 2 * 8000)) talk.wav >half.wav
residua encode -qkm "$MODEL" --packet 100ms - <half.wav >half.rsd 2>/dev/null
: >live.rsd && mkfifo pipe
env --default-signal=INT residua encode -qm "$MODEL" --packet 100ms - <pipe >live.rsd &
pid=$!
exec 3>pipe
cat half.wav >&3
wait_for live.rsd $(($(wc -c <half.rsd) - 22)) >/dev/null # all but the end packet
kill -INT $pid
code=0; wait $pid || code=$?
echo "-> $code"
exec 3>&-
residua info --test live.rsd | grep 'signal\|test'
cmp live.rsd half.rsd && echo same
