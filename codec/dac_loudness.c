/* dac_loudness.c - two filters, energies of overlapping blocks, two gates.
 *
 * SPDX-License-Identifier: MIT
 */
#include "codec/dac_loudness.h"

#include <math.h>

#include "engine/base/mem.h"

#define BLOCK_S 0.4
#define OVERLAP 0.75
#define SHORTEST_S 0.5
#define MIN_RATE_HZ 1000
#define N_FILTERS 2
#define OFFSET_DB (-0.691)   /* [1]: a sine of 997 Hz at full scale has -3.01 */
#define RELATIVE_GATE_DB 10.0
#define SURROUND_WEIGHT 1.41
#define SILENCE_LEN 256

typedef struct Biquad {
    double b[3], a[3]; /* a[0] is 1 */
} Biquad;

typedef struct BiquadState {
    double x1, x2, y1, y2;
} BiquadState;

struct DacLoudness {
    int channels, rate_hz;
    bool weighted;
    Biquad filters[N_FILTERS];
    BiquadState *states; /* [channels, N_FILTERS] */
    int64_t block_len, stride, n;
    double *energies; /* of blocks, each the weighted sum of the channels; blocks that have begun */
    size_t n_blocks, capacity;
    size_t first_open; /* blocks before this one are full */
};

/* [2], with w = 2 pi f / rate and alpha = sin w / (2 Q) */
static Biquad high_shelf(double gain_db, double q, double hz, double rate_hz)
{
    double a = pow(10.0, gain_db / 40.0), w = 2.0 * M_PI * hz / rate_hz, c = cos(w), slope = 2.0 * sqrt(a) * sin(w) / (2.0 * q);
    double scale = (a + 1) - (a - 1) * c + slope;

    return (Biquad){{a * ((a + 1) + (a - 1) * c + slope) / scale, -2 * a * ((a - 1) + (a + 1) * c) / scale,
                     a * ((a + 1) + (a - 1) * c - slope) / scale},
                    {1.0, 2 * ((a - 1) - (a + 1) * c) / scale, ((a + 1) - (a - 1) * c - slope) / scale}};
}

static Biquad high_pass(double q, double hz, double rate_hz)
{
    double w = 2.0 * M_PI * hz / rate_hz, c = cos(w), alpha = sin(w) / (2.0 * q), scale = 1.0 + alpha;

    return (Biquad){{(1 + c) / 2 / scale, -(1 + c) / scale, (1 + c) / 2 / scale}, {1.0, -2 * c / scale, (1 - alpha) / scale}};
}

static double filter(const Biquad *f, BiquadState *s, double x)
{
    double y = f->b[0] * x + f->b[1] * s->x1 + f->b[2] * s->x2 - f->a[1] * s->y1 - f->a[2] * s->y2;

    *s = (BiquadState){x, s->x1, y, s->y1};
    return y;
}

RsdStatus dac_loudness_create(DacLoudness **out, int channels, int rate_hz, bool weighted, RsdError *err)
{
    DacLoudness *l = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    CHECK(channels >= 1 && rate_hz >= MIN_RATE_HZ, err, RSD_ERR_ARG, "loudness of %d channels at %d Hz", channels, rate_hz);
    TRY(mem_calloc(&l, 1, sizeof *l, err));
    *l = (DacLoudness){.channels = channels, .rate_hz = rate_hz, .weighted = weighted};
    TRY(mem_calloc(&l->states, (size_t)channels * N_FILTERS, sizeof *l->states, err));
    l->filters[0] = high_shelf(4.0, 1.0 / sqrt(2.0), 1500.0, rate_hz);
    l->filters[1] = high_pass(0.5, 38.0, rate_hz);
    l->block_len = (int64_t)(BLOCK_S * rate_hz);
    l->stride = (int64_t)(BLOCK_S * rate_hz * (1.0 - OVERLAP));
    *out = l;
    return RSD_OK;
fail:
    dac_loudness_destroy(&l);
    return status;
}

void dac_loudness_destroy(DacLoudness **loudness)
{
    if (!*loudness)
        return;
    mem_free(&(*loudness)->states);
    mem_free(&(*loudness)->energies);
    mem_free(loudness);
}

/* The block that begins with the next sample. */
static RsdStatus begin_block(DacLoudness *l, RsdError *err)
{
    RsdStatus status = RSD_OK;

    if (l->n_blocks == l->capacity) {
        TRY(mem_resize(&l->energies, l->capacity, 2 * l->capacity + 64, sizeof *l->energies, err));
        l->capacity = 2 * l->capacity + 64;
    }
    l->energies[l->n_blocks++] = 0.0;
fail:
    return status;
}

/* Of one frame: the squares of the weighted channels. */
static double energy_of(DacLoudness *l, const float *x)
{
    double energy = 0.0;

    for (int c = 0; c < l->channels; c++) {
        double y = x[c];

        for (int i = 0; l->weighted && i < N_FILTERS; i++)
            y = filter(&l->filters[i], &l->states[c * N_FILTERS + i], y);
        energy += (c < 3 ? 1.0 : SURROUND_WEIGHT) * y * y;
    }
    return energy;
}

RsdStatus dac_loudness_add(DacLoudness *l, const float *x, int64_t n, RsdError *err)
{
    RsdStatus status = RSD_OK;

    for (int64_t i = 0; i < n; i++, l->n++) {
        double energy = energy_of(l, x + i * l->channels);

        if (l->n % l->stride == 0)
            TRY(begin_block(l, err));
        if ((int64_t)l->first_open * l->stride + l->block_len == l->n)
            l->first_open++;
        for (size_t k = l->first_open; k < l->n_blocks; k++)
            l->energies[k] += energy;
    }
fail:
    return status;
}

static double decibels(const DacLoudness *l, double energy)
{
    return OFFSET_DB + 10.0 * log10(energy / (BLOCK_S * l->rate_hz));
}

/* Mean energy of the blocks above a loudness; 0 when there are none. */
static double mean_above(const DacLoudness *l, size_t n_blocks, double gate_db)
{
    double sum = 0.0;
    size_t n = 0;

    for (size_t i = 0; i < n_blocks; i++)
        if (decibels(l, l->energies[i]) > DAC_LEAST_LOUDNESS_DB && decibels(l, l->energies[i]) > gate_db) {
            sum += l->energies[i];
            n++;
        }
    return n ? sum / (double)n : 0.0;
}

RsdStatus dac_loudness_finish(DacLoudness *l, double *db, RsdError *err)
{
    int64_t shortest = (int64_t)(SHORTEST_S * l->rate_hz), rest;
    size_t n_blocks;
    float *silence = NULL;
    double mean;
    RsdStatus status = RSD_OK;

    *db = DAC_LEAST_LOUDNESS_DB;
    TRY(mem_calloc(&silence, SILENCE_LEN * (size_t)l->channels, sizeof *silence, err));
    while (l->n < shortest) /* the filters go on in it */
        TRY(dac_loudness_add(l, silence, shortest - l->n < SILENCE_LEN ? shortest - l->n : SILENCE_LEN, err));
    /* Blocks until one reaches the end; those that begin later would only have what is counted already. */
    rest = l->n > l->block_len ? l->n - l->block_len : 0;
    n_blocks = (size_t)((rest + l->stride - 1) / l->stride) + 1;
    mean = mean_above(l, n_blocks, -INFINITY);
    if (mean > 0.0)
        mean = mean_above(l, n_blocks, decibels(l, mean) - RELATIVE_GATE_DB);
    if (mean > 0.0 && decibels(l, mean) > DAC_LEAST_LOUDNESS_DB)
        *db = decibels(l, mean);
fail:
    mem_free(&silence);
    return status;
}
