/* frame_tasks.c - splits the frames of many signals into tasks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/ops/frame_tasks.h"

#define MIN_CHUNK_FRAMES 64 /* short transforms take a microsecond per block: a task must be worth handing out */

FrameTasks frame_tasks_of(const Stft *stft, int64_t n_rows, int64_t n_frames)
{
    const StftConfig *c = stft_config(stft);
    FrameTasks tasks = {.n_rows = n_rows, .n_frames = n_frames};
    int64_t chunk = (c->n_fft + c->hop - 1) / c->hop;

    chunk = chunk < MIN_CHUNK_FRAMES ? MIN_CHUNK_FRAMES : chunk;
    tasks.chunk_frames = (chunk + SPECTRUM_LANES - 1) / SPECTRUM_LANES * SPECTRUM_LANES;
    tasks.n_chunks = (n_frames + tasks.chunk_frames - 1) / tasks.chunk_frames;
    return tasks;
}

typedef struct Wave {
    const FrameTasks *tasks;
    FrameTask task;
    void *ctx;
    int64_t n_chunks; /* of each row in this wave */
    int parity;
} Wave;

static void run_one(void *ctx, int64_t i, int worker)
{
    const Wave *wave = ctx;
    const FrameTasks *tasks = wave->tasks;
    const int64_t chunk = i % wave->n_chunks * 2 + wave->parity;
    FrameRange range = {.row = i / wave->n_chunks, .first = chunk * tasks->chunk_frames};

    range.end = range.first + tasks->chunk_frames;
    range.end = range.end < tasks->n_frames ? range.end : tasks->n_frames;
    range.i = range.row * tasks->n_chunks + chunk;
    wave->task(wave->ctx, range, worker);
}

void frame_tasks_run(RsdThreads *threads, const FrameTasks *tasks, FrameTask task, void *ctx)
{
    for (int parity = 0; parity < 2; parity++) {
        Wave wave = {.tasks = tasks, .task = task, .ctx = ctx, .parity = parity};

        wave.n_chunks = (tasks->n_chunks + 1 - parity) / 2;
        if (wave.n_chunks > 0)
            threads_for(threads, tasks->n_rows * wave.n_chunks, run_one, &wave);
    }
}
