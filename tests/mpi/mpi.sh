# Training by two processes: the same as one with twice the batch; a killed process ends the job, which can be resumed.
# `make check-mpi` runs it in an empty folder and compares what it prints with mpi.stdout.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 # some tests run in containers
two="timeout 120 mpirun --oversubscribe --mca mpi_yield_when_idle 1 -n 2"
mkdir data
for i in 1 2 3 4 5 6 7 8; do
    ffmpeg -v error -f lavfi -i "sine=frequency=$((150 * i)):duration=2" -ar 16000 data/$i.wav
done
train="residua train $SOURCE/samples/train-tiny.ini -q -t 1 --data data --set train.tensorboard=no --set optim.epsilon=0.001"
$two $train --out two --steps 10 2>err || { cat err; exit 1; }
$train --out one --steps 10 --set data.batch=8
score() { sed -n 's/.*"type": "valid".*"score": \([0-9.]*\).*/\1/p' $1/log.jsonl; }
awk -v a="$(score one)" -v b="$(score two)" 'BEGIN { print (a - b < 1e-3 && b - a < 1e-3) ? "two processes do what one does" : a " and " b }'

# One of them is killed in the middle.
$two $train --out $PWD/killed --steps 100000 --set train.checkpoint_steps=5 2>err &
job=$!
for i in $(seq 100); do ls killed/checkpoint-*5.safetensors >/dev/null 2>&1 && break; sleep 0.1; done
kill -KILL "$(pgrep -f "out $PWD/killed" | while read -r p; do [ "$(cat /proc/$p/comm)" = residua ] && echo $p; done | tail -n 1)"
wait $job && echo "a killed process went unnoticed"
grep -q 'signal 9' err && echo 'mpirun says that a process was killed'
before=$(ls killed/checkpoint-0*.safetensors | tail -n 1)
$two $train --out $PWD/killed --resume --steps 100000 --time-limit 4s 2>err || cat err
[ "$(ls killed/checkpoint-0*.safetensors | tail -n 1)" != "$before" ] && echo 'the run goes on from its last checkpoint'

# Ctrl-C reaches one of them first.
$two $train --out $PWD/stopped --steps 100000 2>err &
job=$!
for i in $(seq 100); do [ -s stopped/log.jsonl ] && break; sleep 0.1; done
kill -INT "$(pgrep -f "out $PWD/stopped" | while read -r p; do [ "$(cat /proc/$p/comm)" = residua ] && echo $p; done | tail -n 1)"
wait $job; echo "exit $?"
grep -c '"reason": "stopped"' stopped/log.jsonl
