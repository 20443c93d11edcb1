# Two processes on two processors beside one process with two threads: the same model, losses and crops per step.
# `make bench-mpi` runs it in an empty folder. Both run in turns, twice each, and neither is bound to processors; what counts is the fastest of the steps of each.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 # some machines are containers
steps=6
mkdir data
for i in 1 2 3 4; do
    ffmpeg -v error -f lavfi -i "anoisesrc=duration=4:colour=pink:amplitude=0.3:seed=$i" -ar 16000 data/$i.wav
done
settings="--set train.quantizer_start=0 --set train.kmeans_batches=1 --set train.stages=all --set train.log_every=1 --set train.tensorboard=no
    --set data.valid_every=0 --set data.workers=0 --set optim.method=adam --set train.checkpoint_period=1h"
train="residua train $SOURCE/models/speech16.ini -q --data data --steps $steps $settings"
for turn in 1 2; do
    $train -t 2 --set data.batch=16 --out threads$turn || exit 1
    timeout 600 mpirun --oversubscribe --bind-to none --mca mpi_yield_when_idle 1 -n 2 $train -t 1 --set data.batch=8 --out processes$turn 2>err || { cat err; exit 1; }
done
# Seconds of audio a second in the fastest step.
fastest() {
    cat "$1"?/log.jsonl | sed -n 's/.*"type": "step".*"audio_per_s": \([0-9.e+]*\),.*/\1/p' | sort -g | tail -n 1
}
awk -v threads="$(fastest threads)" -v processes="$(fastest processes)" 'BEGIN {
    printf "one process, two threads   %6.1f s of audio a second\n", threads
    printf "two processes              %6.1f s of audio a second, %.2f x (target 1.00)\n", processes, processes / threads
}'
