/* resampler.c - libsoxr with an exact count.
 *
 * soxr compensates its filter's delay, but what it returns when flushed is rounded its own way. So the end is not
 * flushed: zeros follow the input until the promised number of frames is out, and the rest is dropped. Input is handed
 * on in blocks of BLOCK_LEN frames counted from the start of the stream, whatever the caller's blocks are.
 *
 * SPDX-License-Identifier: MIT
 */
#include "media/resampler.h"

#include <soxr.h>
#include <stdbool.h>
#include <string.h>

#include "engine/base/mem.h"

#define BLOCK_LEN 1024

struct Resampler {
    soxr_t soxr;
    int in_hz, out_hz, channels;
    int64_t n_in, n_out; /* frames taken from the caller and given to it */
    int64_t n_padding;   /* zeros fed after the end */
    float *block;        /* [BLOCK_LEN, channels], collects input */
    size_t block_len;    /* frames in it */
    size_t block_fed;    /* of those, what soxr has taken; feeding starts when the block is full */
};

int64_t resampler_out_len(int64_t n, int in_hz, int out_hz)
{
    __extension__ typedef __int128 Wide; /* an hour-long file times 384000 stays exact */

    return (int64_t)(((Wide)n * out_hz + in_hz - 1) / in_hz);
}

RsdStatus resampler_create(Resampler **out, int in_hz, int out_hz, int channels, RsdError *err)
{
    RsdStatus status = RSD_OK;
    Resampler *r = NULL;
    soxr_error_t failure = NULL;
    soxr_io_spec_t io = soxr_io_spec(SOXR_FLOAT32_I, SOXR_FLOAT32_I);
    soxr_quality_spec_t quality = soxr_quality_spec(SOXR_HQ, SOXR_ROLLOFF_NONE);
    soxr_runtime_spec_t runtime = soxr_runtime_spec(1);

    CHECK(in_hz > 0 && out_hz > 0 && channels > 0, err, RSD_ERR_ARG, "cannot resample %d channels from %d Hz to %d Hz",
          channels, in_hz, out_hz);
    TRY(mem_calloc(&r, 1, sizeof *r, err));
    r->in_hz = in_hz;
    r->out_hz = out_hz;
    r->channels = channels;
    TRY(mem_alloc(&r->block, BLOCK_LEN * (size_t)channels, sizeof *r->block, err));
    r->soxr = soxr_create(in_hz, out_hz, (unsigned)channels, &failure, &io, &quality, &runtime);
    CHECK(r->soxr && !failure, err, RSD_ERR_MEMORY, "libsoxr refuses %d channels from %d Hz to %d Hz: %s", channels,
          in_hz, out_hz, failure ? failure : "no reason given");
    *out = r;
    return RSD_OK;
fail:
    resampler_destroy(&r);
    return status;
}

void resampler_destroy(Resampler **resampler)
{
    if (!*resampler)
        return;
    soxr_delete((*resampler)->soxr);
    mem_free(&(*resampler)->block);
    mem_free(resampler);
}

/* Gives soxr what is left of the full block and takes what it has. */
static RsdStatus feed(Resampler *r, float *dst, size_t max_out, size_t *n_out, RsdError *err)
{
    size_t used = 0;
    soxr_error_t failure = soxr_process(r->soxr, r->block + r->block_fed * (size_t)r->channels,
                                        r->block_len - r->block_fed, &used, dst, max_out, n_out);

    if (failure)
        return error_set(err, RSD_ERR_MEMORY, "libsoxr: %s", failure);
    r->block_fed += used;
    if (r->block_fed == r->block_len)
        r->block_fed = r->block_len = 0;
    return RSD_OK;
}

static RsdStatus drain(Resampler *r, float *dst, size_t max_out, size_t *n_out, RsdError *err)
{
    int64_t left = resampler_out_len(r->n_in, r->in_hz, r->out_hz) - r->n_out;
    RsdStatus status;

    *n_out = 0;
    if (left <= 0)
        return RSD_OK;
    if ((uint64_t)left < max_out)
        max_out = (size_t)left;
    while (*n_out == 0 && max_out > 0) {
        if (r->block_fed == 0) {
            size_t free_len = BLOCK_LEN - r->block_len;

            memset(r->block + r->block_len * (size_t)r->channels, 0, free_len * (size_t)r->channels * sizeof *r->block);
            r->block_len = BLOCK_LEN;
            r->n_padding += (int64_t)free_len;
            /* the longest filter of libsoxr spans far less than this; only a bug in it gets here */
            if (r->n_padding > 4 * ((int64_t)r->in_hz + (int64_t)BLOCK_LEN * 64))
                return error_set(err, RSD_ERR_MEMORY, "libsoxr gives no output");
        }
        status = feed(r, dst, max_out, n_out, err);
        if (status != RSD_OK)
            return status;
    }
    r->n_out += (int64_t)*n_out;
    return RSD_OK;
}

RsdStatus resampler_process(Resampler *r, const float *src, size_t n_in, size_t *n_used, float *dst, size_t max_out,
                            size_t *n_out, RsdError *err)
{
    RsdStatus status = RSD_OK;

    *n_used = *n_out = 0;
    if (!src)
        return drain(r, dst, max_out, n_out, err);
    while (*n_out < max_out) {
        size_t got = 0;

        if (r->block_fed == 0 && r->block_len < BLOCK_LEN) {
            size_t take = BLOCK_LEN - r->block_len < n_in - *n_used ? BLOCK_LEN - r->block_len : n_in - *n_used;

            if (take > 0)
                memcpy(r->block + r->block_len * (size_t)r->channels, src + *n_used * (size_t)r->channels,
                       take * (size_t)r->channels * sizeof *src);
            r->block_len += take;
            *n_used += take;
            r->n_in += (int64_t)take;
            if (r->block_len < BLOCK_LEN)
                break;
        }
        status = feed(r, dst + *n_out * (size_t)r->channels, max_out - *n_out, &got, err);
        if (status != RSD_OK)
            return status;
        *n_out += got;
    }
    r->n_out += (int64_t)*n_out;
    return RSD_OK;
}

RsdStatus resample_signal(const float *src, int64_t n, int in_hz, int out_hz, float **out, int64_t *n_out,
                          RsdError *err)
{
    RsdStatus status = RSD_OK;
    Resampler *r = NULL;
    int64_t n_total = resampler_out_len(n, in_hz, out_hz);
    size_t done = 0, fed = 0, used, got;

    *out = NULL;
    TRY(mem_alloc(out, (size_t)n_total, sizeof **out, err));
    if (in_hz == out_hz) {
        memcpy(*out, src, (size_t)n * sizeof *src);
        *n_out = n;
        return RSD_OK;
    }
    TRY(resampler_create(&r, in_hz, out_hz, 1, err));
    while (done < (size_t)n_total) {
        bool ended = fed == (size_t)n;

        TRY(resampler_process(r, ended ? NULL : src + fed, ended ? 0 : (size_t)n - fed, &used, *out + done,
                              (size_t)n_total - done, &got, err));
        fed += used;
        done += got;
    }
    *n_out = n_total;
    resampler_destroy(&r);
    return RSD_OK;
fail:
    resampler_destroy(&r);
    mem_free(out);
    return status;
}
