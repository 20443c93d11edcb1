/* power_frames.c - some frames at a time, so memory does not depend on the signal.
 *
 * Blocks of frames that touch an edge are written out with their reflection first; all others are read where they are. Lengths that have
 * no block transform go frame by frame.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/power_frames.h"

#include <math.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/dsp/block_fft.h"
#include "engine/dsp/fft.h"
#include "engine/dsp/window.h"

struct PowerFrames {
    int fft_len, hop_len, n_bins;
    Fft *fft;
    double *window;   /* [fft_len], zeros around it */
    double *frame;    /* [fft_len] */
    double *spectrum; /* [n_bins, 2] */
    void *work;
    bool in_blocks;
    BlockFftF64 block_fft;
    double *block_work;
    float *edge; /* [(SPECTRUM_LANES - 1) hop + fft_len] */
};

RsdStatus power_frames_create(PowerFrames **out, int win_len, int hop_len, RsdError *err)
{
    return power_frames_create_padded(out, win_len, win_len, hop_len, err);
}

RsdStatus power_frames_create_padded(PowerFrames **out, int fft_len, int win_len, int hop_len, RsdError *err)
{
    RsdStatus status = RSD_OK;
    PowerFrames *f = NULL;

    CHECK(win_len >= 2 && win_len % 2 == 0 && fft_len >= win_len && fft_len % 2 == 0 && hop_len >= 1, err, RSD_ERR_ARG,
          "window of %d samples every %d in a transform of %d", win_len, hop_len, fft_len);
    TRY(mem_calloc(&f, 1, sizeof *f, err));
    f->fft_len = fft_len;
    f->hop_len = hop_len;
    f->n_bins = fft_len / 2 + 1;
    TRY(fft_create(&f->fft, fft_len, FFT_DOUBLE, err));
    TRY(mem_calloc(&f->window, (size_t)fft_len, sizeof *f->window, err));
    TRY(mem_alloc(&f->frame, (size_t)fft_len, sizeof *f->frame, err));
    TRY(mem_alloc(&f->spectrum, 2 * (size_t)f->n_bins, sizeof *f->spectrum, err));
    TRY(mem_alloc(&f->work, fft_work_size(f->fft), 1, err));
    f->in_blocks = block_fft_possible(fft_len);
    if (f->in_blocks) {
        TRY(block_fft_f64_init(&f->block_fft, fft_len, err));
        TRY(mem_alloc(&f->block_work, 2 * SPECTRUM_LANES * (size_t)fft_len, sizeof *f->block_work, err));
        TRY(mem_alloc(&f->edge, (SPECTRUM_LANES - 1) * (size_t)hop_len + (size_t)fft_len, sizeof *f->edge, err));
    }
    window_hann_f64(f->window + (fft_len - win_len) / 2, (size_t)win_len, WINDOW_PERIODIC);
    *out = f;
    return RSD_OK;
fail:
    power_frames_destroy(&f);
    return status;
}

void power_frames_destroy(PowerFrames **frames)
{
    PowerFrames *f = *frames;

    if (!f)
        return;
    fft_destroy(&f->fft);
    mem_free(&f->window);
    mem_free(&f->frame);
    mem_free(&f->spectrum);
    mem_free(&f->work);
    block_fft_f64_clear(&f->block_fft);
    mem_free(&f->block_work);
    mem_free(&f->edge);
    mem_free(frames);
}

/* Length with the zeros that make reflection possible. */
static int64_t extended_len(const PowerFrames *f, int64_t n)
{
    int64_t least = f->fft_len / 2 + 1;

    return n > least ? n : least;
}

int64_t power_frames_count(const PowerFrames *f, int64_t n)
{
    return 1 + extended_len(f, n) / f->hop_len;
}

int power_frames_bins(const PowerFrames *f)
{
    return f->n_bins;
}

/* Sample `at` of the signal followed by zeros up to len, and reflected. */
static float sample(const float *x, int64_t n, int64_t len, int64_t at)
{
    if (at < 0)
        at = -at;
    if (at >= len)
        at = 2 * (len - 1) - at;
    return at < n ? x[at] : 0.0f;
}

void power_frames_get(PowerFrames *f, const float *x, int64_t n, int64_t k, double *power)
{
    const int64_t len = extended_len(f, n), from = k * f->hop_len - f->fft_len / 2;

    for (int i = 0; i < f->fft_len; i++)
        f->frame[i] = f->window[i] * (double)sample(x, n, len, from + i);
    fft_forward_f64(f->fft, f->frame, f->spectrum, f->work);
    for (int b = 0; b < f->n_bins; b++)
        power[b] = f->spectrum[2 * b] * f->spectrum[2 * b] + f->spectrum[2 * b + 1] * f->spectrum[2 * b + 1];
}

static void transform_blocks(PowerFrames *f, const float *x, int64_t n, int64_t k, int n_frames, bool roots, double *power)
{
    const int64_t len = extended_len(f, n), from = k * f->hop_len - f->fft_len / 2;
    const int64_t count = (int64_t)(n_frames - 1) * f->hop_len + f->fft_len;
    const float *samples = x + from;

    if (from < 0 || from + count > n) {
        for (int64_t i = 0; i < count; i++)
            f->edge[i] = sample(x, n, len, from + i);
        samples = f->edge;
    }
    kernels_pick()->spectrum->power_frames(&f->block_fft, samples, f->hop_len, f->window, n_frames, roots, f->block_work, power);
}

void power_frames_block(PowerFrames *f, const float *x, int64_t n, int64_t k, int n_frames, bool roots, double *power)
{
    if (f->in_blocks) {
        transform_blocks(f, x, n, k, n_frames, roots, power);
        return;
    }
    memset(power, 0, (size_t)f->n_bins * SPECTRUM_LANES * sizeof *power);
    for (int l = 0; l < n_frames; l++) {
        power_frames_get(f, x, n, k + l, f->frame);
        for (int b = 0; b < f->n_bins; b++)
            power[b * SPECTRUM_LANES + l] = roots ? sqrt(f->frame[b]) : f->frame[b];
    }
}
