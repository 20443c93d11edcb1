/* roundtrip.c - an example of the public interface: a second of sound through the built-in model, in memory.
 *
 *     cc roundtrip.c -o roundtrip $(pkg-config --cflags --libs residua) -lm && ./roundtrip
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <residua.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A stream in memory: written at the end, read from `at`. */
typedef struct Memory {
    unsigned char *bytes;
    size_t size, at;
} Memory;

static RsdStatus memory_write(void *ctx, const void *data, size_t size, RsdError *err)
{
    Memory *memory = ctx;
    unsigned char *grown = realloc(memory->bytes, memory->size + size + 1);

    if (!grown) {
        err->status = RSD_ERR_MEMORY;
        strcpy(err->text, "no memory for the stream");
        return RSD_ERR_MEMORY;
    }
    memory->bytes = grown;
    memcpy(memory->bytes + memory->size, data, size);
    memory->size += size;
    return RSD_OK;
}

static RsdStatus memory_read(void *ctx, void *data, size_t size, size_t *n_read, RsdError *err)
{
    Memory *memory = ctx;

    (void)err;
    *n_read = memory->size - memory->at < size ? memory->size - memory->at : size;
    memcpy(data, memory->bytes + memory->at, *n_read);
    memory->at += *n_read;
    return RSD_OK;
}

static RsdStatus encode(const RsdModel *model, Memory *stream, const float *samples, size_t n_samples, RsdError *err)
{
    RsdEncoderOptions options;
    RsdEncoder *encoder;
    RsdStatus status;

    rsd_encoder_default_options(&options);
    options.model = model;
    options.write = memory_write;
    options.write_ctx = stream;
    options.bitrate_bps = 3000;
    status = rsd_encoder_open(&encoder, &options, err);
    if (status != RSD_OK)
        return status;
    status = rsd_encoder_write(encoder, samples, n_samples, n_samples, err);
    if (status == RSD_OK)
        status = rsd_encoder_finish(encoder, err);
    rsd_encoder_close(&encoder);
    return status;
}

static RsdStatus decode(const RsdModel *model, Memory *stream, size_t *n_samples, RsdError *err)
{
    RsdDecoderOptions options;
    RsdDecoder *decoder;
    RsdStatus status;
    float block[1024];
    size_t n;

    rsd_decoder_default_options(&options);
    options.model = model;
    options.read = memory_read;
    options.read_ctx = stream;
    *n_samples = 0;
    status = rsd_decoder_open(&decoder, &options, err);
    if (status != RSD_OK)
        return status;
    do {
        status = rsd_decoder_read(decoder, block, 1024, 1024, &n, err);
        *n_samples += n;
    } while (status == RSD_OK && n > 0);
    rsd_decoder_close(&decoder);
    return status;
}

int main(void)
{
    RsdModel *model;
    RsdError err;
    Memory stream = {0};
    float *samples;
    size_t n_samples, n_decoded = 0, i;
    int result = EXIT_FAILURE;

    if (rsd_model_open_builtin(&model, NULL, &err) != RSD_OK) {
        fprintf(stderr, "%s\n", err.text);
        return EXIT_FAILURE;
    }
    n_samples = (size_t)rsd_model_info(model)->rate_hz;
    samples = malloc(n_samples * sizeof *samples);
    for (i = 0; samples && i < n_samples; i++)
        samples[i] = 0.3f * sinf(0.07f * (float)i) * sinf(0.0004f * (float)i);
    if (!samples || encode(model, &stream, samples, n_samples, &err) != RSD_OK ||
        decode(model, &stream, &n_decoded, &err) != RSD_OK) {
        fprintf(stderr, "%s\n", samples ? err.text : "no memory");
    } else {
        printf("%s: %zu samples in, %zu out, %s\n", rsd_model_info(model)->name, n_samples, n_decoded,
               stream.size < 1000 ? "less than 1000 bytes between" : "too many bytes between");
        result = n_decoded == n_samples ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    free(samples);
    free(stream.bytes);
    rsd_model_close(&model);
    return result;
}
