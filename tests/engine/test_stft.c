/* test_stft.c - padding, inverse and filter banks: golden numbers, round trips, short signals, refused configurations.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/shared.h"

#include <math.h>

#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "engine/ops/mel.h"
#include "engine/ops/spectrum.h"
#include "engine/ops/stft.h"
#include "tests/engine/spectrum_oracle.h"

#define STAGE "golden/losses_audio/plain/stage/"
#define RATE_HZ 24000

typedef struct Bench {
    RsdThreads *threads;
    Tape *tape;
} Bench;

static void open_bench(Bench *bench)
{
    RsdError err;

    ASSERT_OK(rsd_threads_create(&bench->threads, 2, &err), err);
    ASSERT_OK(tape_create(&bench->tape, bench->threads, 0, &err), err);
}

static void close_bench(Bench *bench)
{
    tape_destroy(&bench->tape);
    rsd_threads_destroy(&bench->threads);
}

/* --- golden ------------------------------------------------------------------------------------------------------- */

/* fb [bins, mels], or [mels, bins] when `mels_first`. */
static void check_bank(const MelBank *mel, const char *file, bool mels_first)
{
    const BandMatrix *m = &mel->filters;
    SharedPath path;
    Npy fb;
    json_t *index = json_file_load(shared_path(&path, "golden/losses_audio/plain/index.json"));
    float *dense;
    char name[128];
    RsdError err;

    snprintf(name, sizeof name, STAGE "%s", file);
    npy_load(&fb, shared_path(&path, name));
    cr_assert_eq(fb.count, (int64_t)m->n_rows * m->n_columns);
    ASSERT_OK(mem_calloc(&dense, (size_t)fb.count, sizeof *dense, &err), err);
    for (int r = 0; r < m->n_rows; r++)
        for (int i = 0; i < m->count[r]; i++) {
            const int k = m->first[r] + i;

            dense[mels_first ? r * m->n_columns + k : k * m->n_rows + r] = m->weights[m->offset[r] + i];
        }
    snprintf(name, sizeof name, "stage/%s", file);
    ASSERT_CLOSE_F32(file, dense, fb.f32, fb.count, tolerance_of(index, name));
    json_decref(index);
    mem_free(&dense);
    npy_free(&fb);
}

static void check_stage(int window, bool dac)
{
    const StftConfig stft_config = {.n_fft = window, .hop = window / 4, .pad = dac ? STFT_PAD_CENTRE : STFT_PAD_SAME,
                                    .edge = STFT_EDGE_REFLECT};
    const MelConfig mel_config = {.rate_hz = RATE_HZ, .n_fft = window, .n_mels = dac ? window * 5 / 32 : 64,
                                  .scale = dac ? MEL_SLANEY : MEL_HTK, .unit_area = dac};
    char file[64], key[96], relative[128];
    SharedPath path;
    Bench bench;
    Stft *stft;
    MelBank *mel;
    Tensor *x, *s, *a, *m;
    Npy samples, expected;
    json_t *index = json_file_load(shared_path(&path, "golden/losses_audio/plain/index.json"));
    RsdError err;

    open_bench(&bench);
    ASSERT_OK(stft_create(&stft, &stft_config, &err), err);
    ASSERT_OK(mel_create(&mel, &mel_config, &err), err);
    if (dac)
        snprintf(file, sizeof file, "dac_mel_fb_%d.npy", window);
    else
        snprintf(file, sizeof file, "mel_fb_2e%d.npy", (int)lround(log2(window)));
    check_bank(mel, file, dac);

    if (dac)
        snprintf(file, sizeof file, "dac_melspec_%d.npy", window);
    else
        snprintf(file, sizeof file, "melspec_2e%d.npy", (int)lround(log2(window)));
    snprintf(relative, sizeof relative, STAGE "%s", file);
    snprintf(key, sizeof key, "stage/%s", file);
    npy_load(&samples, shared_path(&path, "golden/losses_audio/plain/x.npy"));
    npy_load(&expected, shared_path(&path, relative));
    ASSERT_OK(tape_input(bench.tape, &x, samples.n_dims, samples.shape, samples.f32, &err), err);
    ASSERT_OK(op_stft(bench.tape, stft, x, &s, &err), err);
    if (dac)
        ASSERT_OK(op_magnitude(bench.tape, s, 0.0f, &a, &err), err);
    else
        ASSERT_OK(op_power(bench.tape, s, &a, &err), err);
    ASSERT_OK(op_mel(bench.tape, mel, a, &m, &err), err);
    cr_assert_eq(tensor_count(m), expected.count);
    ASSERT_CLOSE_F32(file, m->data, expected.f32, expected.count, tolerance_of(index, key));

    npy_free(&samples);
    npy_free(&expected);
    json_decref(index);
    mel_destroy(&mel);
    stft_destroy(&stft);
    close_bench(&bench);
}

Test(stft, mel_spectrograms_equal_the_published_ones)
{
    NEED_SHARED("golden/losses_audio/plain");
    for (int dac = 0; dac < 2; dac++) {
        check_stage(32, dac);
        check_stage(256, dac);
        check_stage(2048, dac);
    }
}

/* --- padding ------------------------------------------------------------------------------------------------------ */

static void check_padding(const StftConfig *config, int64_t n)
{
    Stft *stft;
    RsdError err;
    Rng rng = rng_at(3, RNG_TEST, (uint64_t)n, 0);
    int64_t frames, len;
    float *x, *padded, *dpadded, *dx;
    double *wide, forward = 0.0, backward = 0.0;

    ASSERT_OK(stft_create(&stft, config, &err), err);
    frames = stft_frames(stft, n);
    len = stft_padded_len(stft, n);
    cr_assert_eq(frames, oracle_frames(config, n), "%lld samples: %lld frames", (long long)n, (long long)frames);
    cr_assert_eq(len, frames ? (frames - 1) * config->hop + config->n_fft : 0);
    ASSERT_OK(mem_calloc(&x, (size_t)n, sizeof *x, &err), err);
    ASSERT_OK(mem_calloc(&dx, (size_t)n, sizeof *dx, &err), err);
    ASSERT_OK(mem_calloc(&wide, (size_t)n, sizeof *wide, &err), err);
    ASSERT_OK(mem_calloc(&padded, (size_t)len, sizeof *padded, &err), err);
    ASSERT_OK(mem_calloc(&dpadded, (size_t)len, sizeof *dpadded, &err), err);
    for (int64_t i = 0; i < n; i++)
        wide[i] = x[i] = rng_normal(&rng);
    stft_pad(stft, x, n, padded);
    for (int64_t i = 0; i < len; i++) {
        cr_assert_eq(padded[i], (float)oracle_sample(config, wide, n, i - oracle_left(config)),
                     "%lld samples, padded sample %lld", (long long)n, (long long)i);
        dpadded[i] = rng_normal(&rng);
        forward += (double)padded[i] * (double)dpadded[i];
    }
    stft_pad_adjoint(stft, dpadded, n, dx);
    for (int64_t i = 0; i < n; i++)
        backward += (double)x[i] * (double)dx[i];
    ASSERT_CLOSE("transpose of padding", backward, forward, ((Tolerance){.abs = 1e-4, .rel = 1e-5}));
    mem_free(&x);
    mem_free(&dx);
    mem_free(&wide);
    mem_free(&padded);
    mem_free(&dpadded);
    stft_destroy(&stft);
}

Test(stft, padding_of_every_length_is_as_defined_and_its_adjoint_is_the_transpose)
{
    for (int pad = STFT_PAD_NONE; pad <= STFT_PAD_SAME; pad++)
        for (int edge = STFT_EDGE_ZERO; edge <= STFT_EDGE_REFLECT; edge++) {
            static const int shapes[][2] = {{16, 4}, {16, 16}, {15, 4}, {16, 3}, {1, 1}};

            for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
                for (int64_t n = 1; n <= 40; n++)
                    check_padding(&(StftConfig){.n_fft = shapes[i][0], .hop = shapes[i][1], .pad = (StftPad)pad,
                                                .edge = (StftEdge)edge},
                                  n);
        }
}

/* --- inverse ------------------------------------------------------------------------------------------------------ */

static void check_round_trip(const StftConfig *config, int64_t n, int64_t first, int64_t end)
{
    Bench bench;
    Stft *stft;
    Tensor *x, *s, *y;
    RsdError err;
    Rng rng = rng_at(4, RNG_TEST, (uint64_t)n, 0);

    open_bench(&bench);
    ASSERT_OK(stft_create(&stft, config, &err), err);
    ASSERT_OK(tape_tensor(bench.tape, &x, 3, (const int64_t[]){2, 1, n}, &err), err);
    for (int64_t i = 0; i < 2 * n; i++)
        x->data[i] = rng_normal(&rng);
    ASSERT_OK(op_stft(bench.tape, stft, x, &s, &err), err);
    ASSERT_OK(op_istft(bench.tape, stft, s, n, &y, &err), err);
    cr_assert(tensor_same_shape(x, y));
    for (int row = 0; row < 2; row++)
        ASSERT_CLOSE_F32("there and back", y->data + row * n + first, x->data + row * n + first, end - first,
                         ((Tolerance){.of_max = 2e-6}));
    stft_destroy(&stft);
    close_bench(&bench);
}

Test(stft, the_inverse_gives_the_signal_back)
{
    for (int norm = STFT_NORM_NONE; norm <= STFT_NORM_LENGTH; norm++) {
        check_round_trip(&(StftConfig){.n_fft = 64, .hop = 16, .pad = STFT_PAD_SAME, .norm = (StftNorm)norm}, 1000, 0,
                         1000);
        check_round_trip(&(StftConfig){.n_fft = 640, .hop = 160, .pad = STFT_PAD_SAME, .norm = (StftNorm)norm}, 1600, 0,
                         1600);
        check_round_trip(&(StftConfig){.n_fft = 32, .hop = 8, .win_len = 20, .pad = STFT_PAD_CENTRE,
                                       .edge = STFT_EDGE_REFLECT, .norm = (StftNorm)norm},
                         505, 0, 505);
    }
    check_round_trip(&(StftConfig){.n_fft = 64, .hop = 16, .pad = STFT_PAD_SAME}, 1, 0, 1);
    /* without padding only the feet of windows reach the first and the last samples */
    check_round_trip(&(StftConfig){.n_fft = 64, .hop = 16, .pad = STFT_PAD_NONE}, 300, 8, 280);
}

Test(stft, frames_of_the_same_form_are_as_many_as_the_hops)
{
    Bench bench;
    Stft *stft;
    Tensor *s, *y;
    RsdError err;

    open_bench(&bench);
    ASSERT_OK(stft_create(&stft, &(StftConfig){.n_fft = 64, .hop = 16, .pad = STFT_PAD_SAME}, &err), err);
    ASSERT_OK(tape_tensor(bench.tape, &s, 4, (const int64_t[]){1, 2, 33, 7}, &err), err);
    memset(s->data, 0, (size_t)tensor_count(s) * sizeof(float));
    ASSERT_OK(op_istft(bench.tape, stft, s, 0, &y, &err), err);
    cr_assert_eq(y->shape[2], 7 * 16);
    ASSERT_FAILS(op_istft(bench.tape, stft, s, 7 * 16 + 1, &y, &err), RSD_ERR_ARG, err,
                 "7 frames cannot become 113 samples");
    stft_destroy(&stft);
    close_bench(&bench);
}

/* --- refusals ----------------------------------------------------------------------------------------------------- */

Test(stft, impossible_configurations_and_shapes_are_refused)
{
    Bench bench;
    Stft *stft;
    MelBank *mel;
    Tensor *x, *y;
    RsdError err;

    ASSERT_FAILS(stft_create(&stft, &(StftConfig){.n_fft = 0, .hop = 1}, &err), RSD_ERR_ARG, err, "of 0 samples");
    ASSERT_FAILS(stft_create(&stft, &(StftConfig){.n_fft = 8, .hop = 0}, &err), RSD_ERR_ARG, err, "hop of 0");
    ASSERT_FAILS(stft_create(&stft, &(StftConfig){.n_fft = 8, .hop = 9}, &err), RSD_ERR_ARG, err, "hop of 9");
    ASSERT_FAILS(stft_create(&stft, &(StftConfig){.n_fft = 8, .hop = 2, .win_len = 9}, &err), RSD_ERR_ARG, err,
                 "window of 9");
    cr_assert_null(stft);
    ASSERT_FAILS(mel_create(&mel, &(MelConfig){.rate_hz = 0, .n_fft = 8, .n_mels = 1, .f_max_hz = 10}, &err),
                 RSD_ERR_ARG, err, "positive");
    ASSERT_FAILS(mel_create(&mel, &(MelConfig){.rate_hz = 8000, .n_fft = 8, .n_mels = 0}, &err), RSD_ERR_ARG, err,
                 "0 mel");
    ASSERT_FAILS(mel_create(&mel, &(MelConfig){.rate_hz = 8000, .n_fft = 8, .n_mels = 4, .f_min_hz = 4000.0}, &err),
                 RSD_ERR_ARG, err, "from 4000 to 4000 Hz");
    ASSERT_FAILS(mel_create(&mel, &(MelConfig){.rate_hz = 8000, .n_fft = 8, .n_mels = 4, .f_min_hz = NAN}, &err),
                 RSD_ERR_ARG, err, "nan");
    open_bench(&bench);
    ASSERT_OK(stft_create(&stft, &(StftConfig){.n_fft = 64, .hop = 16}, &err), err);
    ASSERT_OK(mel_create(&mel, &(MelConfig){.rate_hz = 8000, .n_fft = 64, .n_mels = 4}, &err), err);
    ASSERT_OK(tape_tensor(bench.tape, &x, 3, (const int64_t[]){2, 1, 63}, &err), err);
    ASSERT_FAILS(op_stft(bench.tape, stft, x, &y, &err), RSD_ERR_ARG, err, "shorter than a frame of 64");
    ASSERT_FAILS(op_istft(bench.tape, stft, x, 0, &y, &err), RSD_ERR_ARG, err, "[2, 1, 63]");
    ASSERT_FAILS(op_mel(bench.tape, mel, x, &y, &err), RSD_ERR_ARG, err, "[2, 1, 63]");
    ASSERT_FAILS(op_magnitude(bench.tape, x, 0.0f, &y, &err), RSD_ERR_ARG, err, "[2, 1, 63]");
    ASSERT_OK(tape_tensor(bench.tape, &x, 2, (const int64_t[]){2, 0}, &err), err);
    ASSERT_FAILS(op_stft(bench.tape, stft, x, &y, &err), RSD_ERR_ARG, err, "empty signal [2, 0]");
    stft_destroy(&stft);
    mel_destroy(&mel);
    close_bench(&bench);
}

Test(stft, plans_survive_failing_allocations)
{
    Stft *stft = NULL;
    MelBank *mel = NULL;
    RsdError err;
    RsdStatus status = RSD_ERR_MEMORY;

    for (int n = 0; status == RSD_ERR_MEMORY; n++) {
        cr_assert_lt(n, 50);
        mem_fail_after(n);
        status = stft_create(&stft, &(StftConfig){.n_fft = 48, .hop = 16, .in_double = true}, &err);
        mem_fail_after(-1);
    }
    cr_assert_eq(status, RSD_OK);
    stft_destroy(&stft);
    status = RSD_ERR_MEMORY;
    for (int n = 0; status == RSD_ERR_MEMORY; n++) {
        cr_assert_lt(n, 50);
        mem_fail_after(n);
        status = mel_create(&mel, &(MelConfig){.rate_hz = 8000, .n_fft = 64, .n_mels = 4}, &err);
        mem_fail_after(-1);
    }
    cr_assert_eq(status, RSD_OK);
    mel_destroy(&mel);
}
