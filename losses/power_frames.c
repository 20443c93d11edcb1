/* power_frames.c - one frame at a time, so memory does not depend on the signal.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/power_frames.h"

#include "engine/base/mem.h"
#include "engine/dsp/fft.h"
#include "engine/dsp/window.h"

struct PowerFrames {
    int fft_len, hop_len, n_bins;
    Fft *fft;
    double *window;   /* [fft_len], zeros around it */
    double *frame;    /* [fft_len] */
    double *spectrum; /* [n_bins, 2] */
    void *work;
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

void power_frames_get(PowerFrames *f, const float *x, int64_t n, int64_t k, double *power)
{
    int64_t len = extended_len(f, n), from = k * f->hop_len - f->fft_len / 2;

    for (int i = 0; i < f->fft_len; i++) {
        int64_t at = from + i;

        if (at < 0)
            at = -at;
        if (at >= len)
            at = 2 * (len - 1) - at;
        f->frame[i] = at < n ? f->window[i] * x[at] : 0;
    }
    fft_forward_f64(f->fft, f->frame, f->spectrum, f->work);
    for (int b = 0; b < f->n_bins; b++)
        power[b] = f->spectrum[2 * b] * f->spectrum[2 * b] + f->spectrum[2 * b + 1] * f->spectrum[2 * b + 1];
}
