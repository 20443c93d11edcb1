/* mel.c - mel filter banks as matrices whose rows have one run of nonzeros.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/dsp/mel.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "engine/base/mem.h"

#define SLANEY_STEP_HZ (200.0 / 3.0) /* Slaney, Auditory Toolbox, 1998: linear part */
#define SLANEY_BREAK_HZ 1000.0
#define SLANEY_BREAK_MEL 15.0
#define SLANEY_LOG_STEP 27.0 /* mels per factor 6.4 above the break */
#define N_MELS_MAX 65536

static double mel_of_hz(double f_hz, MelScale scale)
{
    if (scale == MEL_HTK)
        return 2595.0 * log10(1.0 + f_hz / 700.0);
    if (f_hz < SLANEY_BREAK_HZ)
        return f_hz / SLANEY_STEP_HZ;
    return SLANEY_BREAK_MEL + log(f_hz / SLANEY_BREAK_HZ) / log(6.4) * SLANEY_LOG_STEP;
}

static double hz_of_slaney_mel(double mel)
{
    if (mel < SLANEY_BREAK_MEL)
        return mel * SLANEY_STEP_HZ;
    return SLANEY_BREAK_HZ * exp((mel - SLANEY_BREAK_MEL) / SLANEY_LOG_STEP * log(6.4));
}

/* The HTK form is computed in float32 throughout, as the published training code does: where a filter just touches a
 * bin its weight is of the size of that rounding, and the logarithm of such a filter's output shows it. */
static float htk_point(const MelConfig *c, int i)
{
    const float low = (float)mel_of_hz(c->f_min_hz, MEL_HTK), high = (float)mel_of_hz(c->f_max_hz, MEL_HTK);
    const int n = c->n_mels + 2;
    const float step = (high - low) / (float)(n - 1);
    const float mel = i < n / 2 ? low + step * (float)i : high - step * (float)(n - 1 - i);

    return 700.0f * (powf(10.0f, mel / 2595.0f) - 1.0f);
}

static double slaney_point(const MelConfig *c, int i)
{
    const double low = mel_of_hz(c->f_min_hz, MEL_SLANEY), high = mel_of_hz(c->f_max_hz, MEL_SLANEY);

    return hz_of_slaney_mel(low + i * (high - low) / (c->n_mels + 1));
}

static float triangle_f32(float f_hz, float low, float centre, float high)
{
    return fminf((f_hz - low) / (centre - low), (high - f_hz) / (high - centre));
}

static double triangle(double f_hz, double low, double centre, double high)
{
    return fmin((f_hz - low) / (centre - low), (high - f_hz) / (high - centre));
}

static double weight_at(const MelConfig *c, const double *points_hz, int filter, int bin)
{
    const double low = points_hz[filter], centre = points_hz[filter + 1], high = points_hz[filter + 2];
    const double f_hz = (double)bin * c->rate_hz / c->n_fft;
    const double weight = c->scale == MEL_HTK
                              ? (double)triangle_f32((float)f_hz, (float)low, (float)centre, (float)high)
                              : triangle(f_hz, low, centre, high);

    return !(weight > 0.0) ? 0.0 : c->unit_area ? weight * 2.0 / (high - low) : weight;
}

static void band_clear(BandMatrix *m)
{
    mem_free(&m->first);
    mem_free(&m->count);
    mem_free(&m->offset);
    mem_free(&m->weights);
}

/* Fills m from the function weight(row, column): each row keeps what lies between its first and last nonzero. */
static RsdStatus band_fill(BandMatrix *m, int n_rows, int n_columns, const float *dense, bool transpose, RsdError *err)
{
    size_t n_weights = 0;
    RsdStatus status = RSD_OK;

    m->n_rows = n_rows;
    m->n_columns = n_columns;
    TRY(mem_calloc(&m->first, (size_t)n_rows, sizeof(int), err));
    TRY(mem_calloc(&m->count, (size_t)n_rows, sizeof(int), err));
    TRY(mem_calloc(&m->offset, (size_t)n_rows, sizeof(int), err));
    for (int pass = 0; pass < 2; pass++) {
        if (pass == 1)
            TRY(mem_calloc(&m->weights, n_weights, sizeof(float), err));
        n_weights = 0;
        for (int r = 0; r < n_rows; r++) {
            m->offset[r] = (int)n_weights;
            m->count[r] = 0;
            for (int k = 0; k < n_columns; k++) {
                const float w = transpose ? dense[(size_t)k * (size_t)n_rows + (size_t)r]
                                          : dense[(size_t)r * (size_t)n_columns + (size_t)k];

                if (w == 0.0f)
                    continue;
                if (m->count[r] == 0)
                    m->first[r] = k;
                m->count[r] = k - m->first[r] + 1;
                if (pass == 1)
                    m->weights[m->offset[r] + k - m->first[r]] = w;
            }
            n_weights += (size_t)m->count[r];
        }
    }
fail:
    return status;
}

static RsdStatus check_config(MelConfig *c, RsdError *err)
{
    RsdStatus status = RSD_OK;

    if (c->f_max_hz == 0.0)
        c->f_max_hz = c->rate_hz / 2.0;
    CHECK(c->rate_hz >= 1 && c->n_fft >= 1, err, RSD_ERR_ARG,
          "mel filters for %d Hz and %d samples: both must be positive", c->rate_hz, c->n_fft);
    CHECK(c->n_mels >= 1 && c->n_mels <= N_MELS_MAX, err, RSD_ERR_ARG, "%d mel filters; 1 to %d are possible",
          c->n_mels, N_MELS_MAX);
    CHECK(c->f_min_hz >= 0.0 && c->f_min_hz < c->f_max_hz && c->f_max_hz <= 1e9, err, RSD_ERR_ARG,
          "mel filters from %g to %g Hz: the first must be at least 0 and below the second", c->f_min_hz, c->f_max_hz);
fail:
    return status;
}

RsdStatus mel_create(MelBank **out, const MelConfig *config, RsdError *err)
{
    MelBank *mel = NULL;
    MelConfig c = *config;
    double *points_hz = NULL;
    float *dense = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(check_config(&c, err));
    TRY(mem_calloc(&mel, 1, sizeof *mel, err));
    mel->config = c;
    mel->bins = c.n_fft / 2 + 1;
    TRY(mem_alloc(&points_hz, (size_t)c.n_mels + 2, sizeof *points_hz, err));
    TRY(mem_alloc(&dense, (size_t)c.n_mels * (size_t)mel->bins, sizeof *dense, err));
    for (int i = 0; i < c.n_mels + 2; i++)
        points_hz[i] = c.scale == MEL_HTK ? (double)htk_point(&c, i) : slaney_point(&c, i);
    for (int r = 0; r < c.n_mels; r++)
        for (int k = 0; k < mel->bins; k++)
            dense[(size_t)r * (size_t)mel->bins + (size_t)k] = (float)weight_at(&c, points_hz, r, k);
    TRY(band_fill(&mel->filters, c.n_mels, mel->bins, dense, false, err));
    TRY(band_fill(&mel->transposed, mel->bins, c.n_mels, dense, true, err));
    *out = mel;
    mel = NULL;
fail:
    mem_free(&points_hz);
    mem_free(&dense);
    mel_destroy(&mel);
    return status;
}

void mel_destroy(MelBank **mel)
{
    if (!*mel)
        return;
    band_clear(&(*mel)->filters);
    band_clear(&(*mel)->transposed);
    mem_free(mel);
}
