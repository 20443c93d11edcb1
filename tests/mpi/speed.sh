# Two processes on two processors beside one process with two threads: the same model, losses and crops per step.
# `make bench-mpi` runs it in an empty folder, METHOD=muon with Muon in place of Adam. All run in turns, twice each, and none is bound to
# processors. Time is that of the fastest step, which means little while others use the processors; processor time, what a longer run takes
# of it beyond a shorter one, says then whether processes have more to do.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 # some machines are containers
short=2 long=14
mkdir data
for i in 1 2 3 4; do
    ffmpeg -v error -f lavfi -i "anoisesrc=duration=4:colour=pink:amplitude=0.3:seed=$i" -ar 16000 data/$i.wav
done
settings="--set train.quantizer_start=0 --set train.kmeans_batches=1 --set train.stages=all --set train.log_every=1 --set train.tensorboard=no
    --set data.valid_every=0 --set data.workers=0 --set optim.method=${METHOD:-adam} --set train.checkpoint_period=1h"
train="residua train $SOURCE/models/speech16.ini -q --data data $settings"
processes="mpirun --oversubscribe --bind-to none --mca mpi_yield_when_idle 1 -n 2"

# Seconds of the processor in a file that `times` wrote: those of the commands that have finished. (In $( ) there are none.)
spent() {
    tr 'ms' '  ' <"$1" | awk 'NR == 2 { print 60 * $1 + $2 + 60 * $3 + $4 }'
}
# run NAME COMMAND: NAME.seconds is what it takes of the processor
run() {
    name=$1
    shift
    times >before
    "$@" 2>err || { cat err; exit 1; }
    times >after
    echo "$(spent before) $(spent after)" | awk '{ print $2 - $1 }' >"$name.seconds"
}
for turn in 1 2; do
    for steps in $short $long; do
        run threads$turn-$steps $train -t 2 --set data.batch=16 --steps $steps --out threads$turn-$steps
        run processes$turn-$steps timeout 600 $processes $train -t 1 --set data.batch=8 --steps $steps --out processes$turn-$steps
    done
done
# Seconds of audio a second in the fastest step.
fastest() {
    cat "$1"?-$long/log.jsonl | sed -n 's/.*"type": "step".*"audio_per_s": \([0-9.e+]*\),.*/\1/p' | sort -g | tail -n 1
}
# Milliseconds of the processor in a step, the least of both turns.
cost() {
    for turn in 1 2; do
        echo "$(cat "$1$turn-$long.seconds") $(cat "$1$turn-$short.seconds")"
    done | awk -v n=$((long - short)) '{ print 1000 * ($1 - $2) / n }' | sort -g | head -n 1
}
awk -v threads="$(fastest threads)" -v processes="$(fastest processes)" -v a="$(cost threads)" -v b="$(cost processes)" 'BEGIN {
    printf "one process, two threads   %6.1f s of audio a second,         %5.0f ms of the processor a step\n", threads, a
    printf "two processes              %6.1f s of audio a second, %.2f x, %5.0f ms of the processor a step, %.2f x (targets 1.00)\n",
        processes, processes / threads, b, b / a
}'
