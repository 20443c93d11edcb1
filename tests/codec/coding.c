/* coding.c - whole signals through the encoder and decoder.
 *
 * SPDX-License-Identifier: MIT
 */
#include "coding.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/rng.h"

float *noise_signal(int channels, size_t n, uint64_t seed)
{
    float *samples = malloc((size_t)channels * n * sizeof *samples + 1);

    for (size_t c = 0; samples && c < (size_t)channels; c++) {
        Rng rng = rng_at(seed, RNG_TEST, 0, (uint32_t)c);

        for (size_t i = 0; i < n; i++)
            samples[c * n + i] = (0.5f + 0.4f * sinf((float)i * 0.01f)) * rng_between(&rng, -1.0f, 1.0f);
    }
    return samples;
}

RsdStatus encode_all(Bytes *bytes, RsdEncoderOptions options, const float *samples, size_t n, size_t block,
                     RsdError *err)
{
    RsdEncoder *encoder;
    RsdStatus status;

    bytes->size = bytes->at = 0;
    options.write = bytes_write;
    options.write_ctx = bytes;
    status = rsd_encoder_open(&encoder, &options, err);
    if (status != RSD_OK)
        return status;
    for (size_t at = 0, n_now; at < n && status == RSD_OK; at += n_now) {
        n_now = block == 0 || block > n - at ? n - at : block;
        status = rsd_encoder_write(encoder, samples + at, n, n_now, err);
    }
    if (status == RSD_OK)
        status = rsd_encoder_finish(encoder, err);
    rsd_encoder_close(&encoder);
    return status;
}

RsdStatus decode_all(float **samples, size_t *n, RsdDecoderOptions options, Bytes *bytes, size_t block,
                     RsdStreamReport *report, RsdError *err)
{
    RsdDecoder *decoder;
    size_t capacity = 0, channels, n_read;
    float *piece = NULL, *planes = NULL;
    RsdStatus status;

    *samples = NULL;
    *n = 0;
    if (block == 0)
        block = 1000;
    bytes->at = 0;
    options.read = bytes_read;
    options.read_ctx = bytes;
    status = rsd_decoder_open(&decoder, &options, err);
    if (status != RSD_OK)
        return status;
    channels = (size_t)rsd_decoder_info(decoder)->channels;
    piece = malloc(channels * block * sizeof *piece);
    do {
        status = rsd_decoder_read(decoder, piece, block, block, &n_read, err);
        if (*n + n_read > capacity) { /* channel after channel, so growing moves all but the first */
            size_t grown = 2 * (*n + n_read);
            float *wider = malloc(channels * grown * sizeof *wider);

            for (size_t c = 0; c<channels && * n> 0; c++)
                memcpy(wider + c * grown, planes + c * capacity, *n * sizeof *wider);
            free(planes);
            planes = wider;
            capacity = grown;
        }
        for (size_t c = 0; c < channels && n_read > 0; c++)
            memcpy(planes + c * capacity + *n, piece + c * block, n_read * sizeof *piece);
        *n += n_read;
    } while (status == RSD_OK && n_read > 0);
    *samples = malloc(channels * *n * sizeof **samples + 1);
    for (size_t c = 0; c<channels && * n> 0; c++)
        memcpy(*samples + c * *n, planes + c * capacity, *n * sizeof **samples);
    if (report)
        *report = *rsd_decoder_report(decoder);
    rsd_decoder_close(&decoder);
    free(piece);
    free(planes);
    return status;
}
