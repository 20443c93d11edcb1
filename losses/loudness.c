/* loudness.c - feeds libebur128 block by block.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/loudness.h"

#include <ebur128.h>
#include <math.h>

#include "engine/base/mem.h"

#define BLOCK_LEN 4096
#define SHORTEST_S 0.4 /* one gating block */
#define PADDED_S 0.5
#define MAX_CHANNELS 64

static RsdStatus refuse(int code, RsdError *err)
{
    return code == EBUR128_ERROR_NOMEM ? error_set(err, RSD_ERR_MEMORY, "no memory to measure the loudness")
                                       : error_set(err, RSD_ERR_ARG, "libebur128 fails with code %d", code);
}

/* The library interleaves; what lies behind the end is silence. */
static RsdStatus feed(ebur128_state *state, float *block, const float *x, size_t stride, int channels, int64_t n,
                      int64_t n_padded, RsdError *err)
{
    for (int64_t from = 0; from < n_padded; from += BLOCK_LEN) {
        int64_t count = n_padded - from < BLOCK_LEN ? n_padded - from : BLOCK_LEN;
        int code;

        for (int64_t i = 0; i < count; i++)
            for (int c = 0; c < channels; c++)
                block[i * channels + c] = from + i < n ? x[(size_t)c * stride + (size_t)(from + i)] : 0;
        code = ebur128_add_frames_float(state, block, (size_t)count);
        if (code != EBUR128_SUCCESS)
            return refuse(code, err);
    }
    return RSD_OK;
}

RsdStatus loudness_measure(Loudness *out, const float *x, size_t stride, int channels, int64_t n, int rate_hz,
                           RsdError *err)
{
    RsdStatus status = RSD_OK;
    ebur128_state *state = NULL;
    float *block = NULL;
    int64_t n_padded = (double)n < SHORTEST_S * rate_hz ? (int64_t)ceil(PADDED_S * rate_hz) : n;
    double peak = 0;

    *out = (Loudness){-INFINITY, -INFINITY};
    CHECK(channels >= 1 && channels <= MAX_CHANNELS && rate_hz >= 16 && rate_hz <= 2822400, err, RSD_ERR_ARG,
          "loudness of %d channels at %d Hz: 1 to %d channels and 16 Hz to 2822400 Hz are possible", channels, rate_hz,
          MAX_CHANNELS);
    TRY(mem_alloc(&block, (size_t)BLOCK_LEN * (size_t)channels, sizeof *block, err));
    state = ebur128_init((unsigned)channels, (unsigned long)rate_hz, EBUR128_MODE_I | EBUR128_MODE_TRUE_PEAK);
    CHECK(state, err, RSD_ERR_MEMORY, "no memory to measure the loudness");
    TRY(feed(state, block, x, stride, channels, n, n_padded, err));
    if (ebur128_loudness_global(state, &out->lufs) != EBUR128_SUCCESS)
        TRY(refuse(EBUR128_ERROR_NOMEM, err));
    for (int c = 0; c < channels; c++) {
        double one = 0;

        if (ebur128_true_peak(state, (unsigned)c, &one) == EBUR128_SUCCESS)
            peak = fmax(peak, one);
    }
    out->true_peak_db = 20 * log10(peak);
fail:
    if (state)
        ebur128_destroy(&state);
    mem_free(&block);
    return status;
}

/* Both may be minus infinity. */
static MetricValue difference(double ref, double dist)
{
    MetricValue value = {.value = ref == dist ? 0 : dist - ref};

    if (ref == -INFINITY)
        value.flags = METRIC_SILENT_REFERENCE;
    return value;
}

static RsdStatus measure_both(Loudness *ref, Loudness *dist, const MetricChannels *s, RsdError *err)
{
    RsdStatus status = loudness_measure(ref, s->ref, s->ref_stride, s->channels, s->n, s->rate_hz, err);

    return status == RSD_OK ? loudness_measure(dist, s->dist, s->dist_stride, s->channels, s->n, s->rate_hz, err)
                            : status;
}

RsdStatus metric_loudness(MetricValue *out, const MetricChannels *s, RsdError *err)
{
    Loudness ref, dist;
    RsdStatus status = measure_both(&ref, &dist, s, err);

    if (status == RSD_OK)
        *out = difference(ref.lufs, dist.lufs);
    return status;
}

RsdStatus metric_true_peak(MetricValue *out, const MetricChannels *s, RsdError *err)
{
    Loudness ref, dist;
    RsdStatus status = measure_both(&ref, &dist, s, err);

    if (status == RSD_OK)
        *out = difference(ref.true_peak_db, dist.true_peak_db);
    return status;
}
