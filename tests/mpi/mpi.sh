# Training by two processes: the same as one with twice the batch; less of a gradient is sent, and the log says how much; a killed
# process ends the job, which can be resumed.
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

# The same over messages, as between machines: without a component that shares memory.
$two --mca osc pt2pt $train --out messages --steps 10 2>err || { cat err; exit 1; }
cmp two/checkpoint-000000010.safetensors messages/checkpoint-000000010.safetensors && echo 'messages add up as shared memory does'

# Critics whose weight follows from the gradient of the last layer: that of all processes.
critics="--set loss.balance=adaptive --set adversary.periods=2,3 --set adversary.period_channels=4,8 --set adversary.warmup=1
    --set adversary.feature_form=mean --set adversary.epsilon=0.001"
$two $train --out two-a --steps 8 $critics 2>err || { cat err; exit 1; }
$train --out one-a --steps 8 --set data.batch=8 $critics
awk -v a="$(score one-a)" -v b="$(score two-a)" 'BEGIN { print (a - b < 1e-3 && b - a < 1e-3) ? "with an adaptive adversary, too" : a " and " b }'

# Pictures: from principal components on, with noise that each crop has by its place in the whole batch.
mkdir pictures
for i in 1 2 3 4 5 6 7 8; do
    ffmpeg -v error -f lavfi -i "mandelbrot=size=160x128:start_scale=0.$i" -frames:v 1 pictures/$i.png
done
picture="residua train $SOURCE/models/photo.ini -q -t 1 --data pictures --steps 8 --set train.log_every=8 --set train.tensorboard=no
    --set optim.method=adam --set optim.epsilon=0.001 --set picture.crop=64 --set picture.valid_side=64 --set data.valid_every=4
    --set picture.latent=16 --set picture.hyper=8 --set picture.widths=8,12,16 --set picture.context=8 --set picture.entropy=24
    --set picture.start_batches=2"
$two $picture --out two-p --set data.batch=2 2>err || { cat err; exit 1; }
$picture --out one-p --set data.batch=4
awk -v a="$(score one-p)" -v b="$(score two-p)" 'BEGIN { print (a - b < 1e-3 && b - a < 1e-3) ? "and for pictures, too" : a " and " b }'

# Each way to send less, and a run of it that goes on with what was held back.
for kind in top low_rank bytes; do
    $two $train --out $kind --steps 10 --set train.exchange=$kind --set train.exchange_keep=0.05 2>err || cat err
    sed -n "s/.*\"exchange\": {\"sent\": \([0-9]*\), \"whole\": \([0-9]*\), \"held_back\": [0-9.e-]*}.*/$kind: \1 of \2 bytes/p" $kind/log.jsonl
done
less="--steps 20 --set train.exchange=low_rank --set train.exchange_adaptive=yes --set train.checkpoint_steps=10 --set train.keep=9"
$two $train --out whole $less 2>err || cat err
cp -r whole parts
rm parts/checkpoint-000000020.safetensors
$two $train --out parts --resume $less 2>err || cat err
cmp whole/checkpoint-000000020.safetensors parts/checkpoint-000000020.safetensors && echo 'a resumed run is the one that never stopped'

# One of them is killed in the middle.
$two $train --out $PWD/killed --steps 100000 --set train.checkpoint_steps=5 2>err &
job=$!
for i in $(seq 600); do ls killed/checkpoint-*5.safetensors >/dev/null 2>&1 && break; sleep 0.1; done
kill -KILL "$(pgrep -f "out $PWD/killed" | while read -r p; do [ "$(cat /proc/$p/comm)" = residua ] && echo $p; done | tail -n 1)"
wait $job && echo "a killed process went unnoticed"
grep -q 'signal 9' err && echo 'mpirun says that a process was killed'
before=$(ls killed/checkpoint-0*.safetensors | tail -n 1 | tr -dc 0-9)
$two $train --out $PWD/killed --resume --steps "$(expr "$before" + 10)" 2>err || cat err
grep -q "\"type\": \"resume\".*\"step\": $(expr "$before" + 0)," killed/log.jsonl &&
    grep -q "\"type\": \"end\".*\"step\": $(expr "$before" + 10), \"reason\": \"finished\"" killed/log.jsonl &&
    echo 'the run goes on from its last checkpoint'

# Ctrl-C reaches one of them first.
$two $train --out $PWD/stopped --steps 100000 2>err &
job=$!
for i in $(seq 600); do [ -s stopped/log.jsonl ] && break; sleep 0.1; done
kill -INT "$(pgrep -f "out $PWD/stopped" | while read -r p; do [ "$(cat /proc/$p/comm)" = residua ] && echo $p; done | tail -n 1)"
wait $job; echo "exit $?"
grep -c '"reason": "stopped"' stopped/log.jsonl
