/* stft.c - short-time Fourier transforms of one signal.
 *
 * Lengths that are a power of two go through the block transforms of the kernels, eight frames at once; other lengths
 * go frame by frame through fft.c and are then laid out in blocks as well, so that nobody above sees a difference.
 *
 * The inverse real transform of a spectrum S is 2 / n times the adjoint of the forward one, with bin 0 and (n even) bin
 * n / 2 halved, because those stand for themselves only while every other bin stands for its conjugate too.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/dsp/stft.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/dsp/block_fft.h"
#include "engine/dsp/fft.h"
#include "engine/dsp/window.h"

#define LANES SPECTRUM_LANES

struct Stft {
    StftConfig config;
    int bins;
    float *analysis;  /* window times normalisation [n_fft] */
    double *analysis_f64;
    float *synthesis; /* window over normalisation, times 2 / n_fft */
    float *squares;   /* window^2 */
    bool in_blocks;
    BlockFft block_fft;
    Fft *fft;     /* when not in_blocks */
    Fft *fft_f64; /* when config.in_double */
};

static RsdStatus make_windows(Stft *stft, RsdError *err)
{
    const StftConfig *c = &stft->config;
    const int start = (c->n_fft - c->win_len) / 2;
    double *window = NULL, energy = 0.0, scale = 1.0;
    RsdStatus status = RSD_OK;

    TRY(mem_calloc(&window, (size_t)c->n_fft, sizeof *window, err));
    TRY(mem_calloc(&stft->analysis, (size_t)c->n_fft, sizeof(float), err));
    TRY(mem_calloc(&stft->analysis_f64, (size_t)c->n_fft, sizeof(double), err));
    TRY(mem_calloc(&stft->synthesis, (size_t)c->n_fft, sizeof(float), err));
    TRY(mem_calloc(&stft->squares, (size_t)c->n_fft, sizeof(float), err));
    window_hann_f64(window + start, (size_t)c->win_len, WINDOW_PERIODIC);
    for (int i = 0; i < c->n_fft; i++)
        energy += window[i] * window[i];
    if (c->norm == STFT_NORM_WINDOW)
        scale = 1.0 / sqrt(energy);
    else if (c->norm == STFT_NORM_LENGTH)
        scale = 1.0 / sqrt(c->n_fft);
    for (int i = 0; i < c->n_fft; i++) {
        stft->analysis_f64[i] = window[i] * scale;
        stft->analysis[i] = (float)stft->analysis_f64[i];
        stft->synthesis[i] = (float)(window[i] / scale * 2.0 / c->n_fft);
        stft->squares[i] = (float)(window[i] * window[i]);
    }
fail:
    mem_free(&window);
    return status;
}

RsdStatus stft_create(Stft **out, const StftConfig *config, RsdError *err)
{
    Stft *stft = NULL;
    StftConfig c = *config;
    RsdStatus status = RSD_OK;

    *out = NULL;
    if (c.win_len == 0)
        c.win_len = c.n_fft;
    CHECK(c.n_fft >= 1 && c.n_fft <= FFT_MAX_LEN, err, RSD_ERR_ARG,
          "a short-time transform of %d samples; 1 to %d are possible", c.n_fft, FFT_MAX_LEN);
    CHECK(c.hop >= 1 && c.hop <= c.n_fft, err, RSD_ERR_ARG,
          "a hop of %d samples between frames of %d; 1 to %d are possible", c.hop, c.n_fft, c.n_fft);
    CHECK(c.win_len >= 1 && c.win_len <= c.n_fft, err, RSD_ERR_ARG,
          "a window of %d samples in frames of %d; 1 to %d are possible", c.win_len, c.n_fft, c.n_fft);
    TRY(mem_calloc(&stft, 1, sizeof *stft, err));
    stft->config = c;
    stft->bins = c.n_fft / 2 + 1;
    stft->in_blocks = block_fft_possible(c.n_fft);
    TRY(make_windows(stft, err));
    if (stft->in_blocks)
        TRY(block_fft_init(&stft->block_fft, c.n_fft, err));
    else
        TRY(fft_create(&stft->fft, c.n_fft, FFT_FLOAT, err));
    if (c.in_double)
        TRY(fft_create(&stft->fft_f64, c.n_fft, FFT_DOUBLE, err));
    *out = stft;
    return RSD_OK;
fail:
    stft_destroy(&stft);
    return status;
}

void stft_destroy(Stft **stft)
{
    if (!*stft)
        return;
    mem_free(&(*stft)->analysis);
    mem_free(&(*stft)->synthesis);
    mem_free(&(*stft)->squares);
    block_fft_clear(&(*stft)->block_fft);
    fft_destroy(&(*stft)->fft);
    fft_destroy(&(*stft)->fft_f64);
    mem_free(&(*stft)->analysis_f64);
    mem_free(stft);
}

const StftConfig *stft_config(const Stft *stft)
{
    return &stft->config;
}

int stft_bins(const Stft *stft)
{
    return stft->bins;
}

int64_t stft_pad_left(const Stft *stft)
{
    const StftConfig *c = &stft->config;

    return c->pad == STFT_PAD_CENTRE ? c->n_fft / 2 : c->pad == STFT_PAD_SAME ? (c->n_fft - c->hop) / 2 : 0;
}

int64_t stft_frames(const Stft *stft, int64_t n)
{
    const StftConfig *c = &stft->config;

    if (n <= 0)
        return 0;
    switch (c->pad) {
    case STFT_PAD_CENTRE:
        return 1 + (n + c->n_fft / 2 * 2 - c->n_fft) / c->hop;
    case STFT_PAD_SAME:
        return (n + c->hop - 1) / c->hop;
    default:
        return n < c->n_fft ? 0 : 1 + (n - c->n_fft) / c->hop;
    }
}

int64_t stft_padded_len(const Stft *stft, int64_t n)
{
    const int64_t frames = stft_frames(stft, n);

    return frames == 0 ? 0 : (frames - 1) * stft->config.hop + stft->config.n_fft;
}

/* Where sample i of the mirrored signal comes from, any i. */
static int64_t mirror(int64_t i, int64_t n)
{
    const int64_t period = 2 * (n - 1);

    if (n == 1)
        return 0;
    i = (i % period + period) % period;
    return i < n ? i : period - i;
}

/* What of `padded` comes from where:  | mirror: left | copy: body | mirror: right | zeros | */
typedef struct PadPlan {
    int64_t len, left, body, right;
} PadPlan;

static PadPlan plan_padding(const Stft *stft, int64_t n)
{
    PadPlan p = {.len = stft_padded_len(stft, n), .left = stft_pad_left(stft)};
    const int64_t room = p.len - p.left;

    p.body = n < room ? n : room;
    p.right = p.left < room - p.body ? p.left : room - p.body;
    if (p.body < 0)
        p.body = p.right = 0;
    return p;
}

void stft_pad(const Stft *stft, const float *x, int64_t n, float *padded)
{
    const PadPlan p = plan_padding(stft, n);
    const int64_t end = p.left + p.body;

    if (p.len == 0)
        return;
    memset(padded, 0, (size_t)p.len * sizeof *padded);
    memcpy(padded + p.left, x, (size_t)p.body * sizeof *x);
    if (stft->config.edge == STFT_EDGE_ZERO)
        return;
    for (int64_t i = 0; i < p.left && i < p.len; i++)
        padded[i] = x[mirror(i - p.left, n)];
    for (int64_t i = 0; i < p.right; i++)
        padded[end + i] = x[mirror(p.body + i, n)];
}

void stft_pad_adjoint(const Stft *stft, const float *dpadded, int64_t n, float *dx)
{
    const PadPlan p = plan_padding(stft, n);
    const int64_t end = p.left + p.body;

    for (int64_t i = 0; i < p.body; i++)
        dx[i] += dpadded[p.left + i];
    if (stft->config.edge == STFT_EDGE_ZERO)
        return;
    for (int64_t i = 0; i < p.left && i < p.len; i++)
        dx[mirror(i - p.left, n)] += dpadded[i];
    for (int64_t i = 0; i < p.right; i++)
        dx[mirror(p.body + i, n)] += dpadded[end + i];
}

static size_t up_to_alignment(size_t size)
{
    return (size + MEM_ALIGN - 1) / MEM_ALIGN * MEM_ALIGN;
}

/* work:  | time block | second block, or: one spectrum | FFT work | */
static size_t block_size(const Stft *stft)
{
    return up_to_alignment((size_t)stft->config.n_fft * LANES * sizeof(float));
}

static size_t spectrum_size(const Stft *stft)
{
    return up_to_alignment((size_t)stft->bins * 2 * sizeof(float));
}

size_t stft_work_size(const Stft *stft)
{
    const size_t in_float = block_size(stft) +
                            (stft->in_blocks ? block_size(stft) : spectrum_size(stft) + fft_work_size(stft->fft));
    const size_t in_double = stft->fft_f64 ? 2 * spectrum_size(stft) + fft_work_size(stft->fft_f64) : 0;

    return in_float > in_double ? in_float : in_double;
}

/* block [n_fft, 8], used up, to re, im [bins, 8]. */
static void transform_block(const Stft *stft, const SpectrumKernels *kernels, float *block, float *re, float *im,
                            void *work)
{
    float *spectrum = (float *)((char *)work + block_size(stft));
    void *fft_work = (char *)spectrum + spectrum_size(stft);

    if (stft->in_blocks) {
        kernels->forward(&stft->block_fft, block, spectrum, re, im);
        return;
    }
    for (int l = 0; l < LANES; l++) {
        for (int i = 0; i < stft->config.n_fft; i++)
            spectrum[i] = block[i * LANES + l];
        fft_forward(stft->fft, spectrum, spectrum, fft_work);
        for (int k = 0; k < stft->bins; k++) {
            re[k * LANES + l] = spectrum[2 * k];
            im[k * LANES + l] = spectrum[2 * k + 1];
        }
    }
}

/* The transpose of transform_block. */
static void transform_block_adjoint(const Stft *stft, const SpectrumKernels *kernels, const float *re, const float *im,
                                    float *block, void *work)
{
    const int n = stft->config.n_fft;
    float *spectrum = (float *)((char *)work + block_size(stft));
    void *fft_work = (char *)spectrum + spectrum_size(stft);

    if (stft->in_blocks) {
        kernels->adjoint(&stft->block_fft, re, im, spectrum, block);
        return;
    }
    for (int l = 0; l < LANES; l++) {
        for (int k = 0; k < stft->bins; k++) {
            const float weight = k == 0 || 2 * k == n ? (float)n : 0.5f * (float)n;

            spectrum[2 * k] = weight * re[k * LANES + l];
            spectrum[2 * k + 1] = weight * im[k * LANES + l];
        }
        fft_inverse(stft->fft, spectrum, spectrum, fft_work);
        for (int i = 0; i < n; i++)
            block[i * LANES + l] = spectrum[i];
    }
}

/* Bins that stand for themselves only. */
static void halve_ends(const Stft *stft, float *re, float *im)
{
    for (int l = 0; l < LANES; l++) {
        re[l] *= 0.5f;
        im[l] = 0.0f;
        if (stft->config.n_fft % 2 == 0) {
            re[(stft->bins - 1) * LANES + l] *= stft->bins > 1 ? 0.5f : 1.0f;
            im[(stft->bins - 1) * LANES + l] = 0.0f;
        }
    }
}

/* work:  | one frame and its spectrum, in double | FFT work | */
static void analyse_in_double(const Stft *stft, const float *padded, int n_frames, float *re, float *im, void *work)
{
    double *frame = work;
    void *fft_work = (char *)work + 2 * spectrum_size(stft);

    for (int l = 0; l < LANES; l++) {
        for (int i = 0; i < stft->config.n_fft; i++)
            frame[i] = l < n_frames ? stft->analysis_f64[i] * (double)padded[(int64_t)l * stft->config.hop + i] : 0.0;
        fft_forward_f64(stft->fft_f64, frame, frame, fft_work);
        for (int k = 0; k < stft->bins; k++) {
            re[k * LANES + l] = (float)frame[2 * k];
            im[k * LANES + l] = (float)frame[2 * k + 1];
        }
    }
}

void stft_analyse(const Stft *stft, const SpectrumKernels *kernels, const float *padded, int n_frames, float *re,
                  float *im, void *work)
{
    if (stft->fft_f64) {
        analyse_in_double(stft, padded, n_frames, re, im, work);
        return;
    }
    kernels->load_frames(padded, stft->config.hop, stft->analysis, stft->config.n_fft, n_frames, work);
    transform_block(stft, kernels, work, re, im, work);
}

void stft_analyse_adjoint(const Stft *stft, const SpectrumKernels *kernels, const float *dre, const float *dim,
                          int n_frames, float *dpadded, void *work)
{
    transform_block_adjoint(stft, kernels, dre, dim, work, work);
    kernels->add_frames(work, stft->analysis, stft->config.n_fft, stft->config.hop, n_frames, dpadded);
}

void stft_synthesise(const Stft *stft, const SpectrumKernels *kernels, float *re, float *im, int n_frames,
                     float *padded, void *work)
{
    halve_ends(stft, re, im);
    transform_block_adjoint(stft, kernels, re, im, work, work);
    kernels->add_frames(work, stft->synthesis, stft->config.n_fft, stft->config.hop, n_frames, padded);
}

void stft_synthesise_adjoint(const Stft *stft, const SpectrumKernels *kernels, const float *dpadded, int n_frames,
                             float *dre, float *dim, void *work)
{
    kernels->load_frames(dpadded, stft->config.hop, stft->synthesis, stft->config.n_fft, n_frames, work);
    transform_block(stft, kernels, work, dre, dim, work);
    halve_ends(stft, dre, dim);
}

void stft_envelope(const Stft *stft, int64_t n_frames, float *envelope)
{
    const StftConfig *c = &stft->config;
    const int64_t len = n_frames == 0 ? 0 : (n_frames - 1) * c->hop + c->n_fft;

    memset(envelope, 0, (size_t)len * sizeof *envelope);
    for (int64_t f = 0; f < n_frames; f++)
        for (int i = 0; i < c->n_fft; i++)
            envelope[f * c->hop + i] += stft->squares[i];
    for (int64_t i = 0; i < len; i++)
        envelope[i] = envelope[i] > 1e-11f ? 1.0f / envelope[i] : 0.0f;
}

void stft_block_read(const float *columns, int64_t stride, int64_t rows, int n_frames, float *block)
{
    for (int64_t r = 0; r < rows; r++)
        for (int l = 0; l < LANES; l++)
            block[r * LANES + l] = l < n_frames ? columns[r * stride + l] : 0.0f;
}

void stft_block_write(const float *block, int64_t rows, int n_frames, float *columns, int64_t stride, bool add)
{
    for (int64_t r = 0; r < rows; r++)
        for (int l = 0; l < n_frames; l++) {
            float *at = columns + r * stride + l;

            *at = add ? *at + block[r * LANES + l] : block[r * LANES + l];
        }
}
