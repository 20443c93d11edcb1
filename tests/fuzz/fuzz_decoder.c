/* fuzz_decoder.c - decoding any bytes, strictly and keeping going: no crash, finite samples, the length that the report
 * tells.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "seeds.h"

#define SAMPLE_LIMIT 200000 /* hours of silence are a right answer too, but no news */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    fuzz_stream_seeds(*argc, *argv);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    size = LLVMFuzzerMutate(data, size, max_size);
    if (seed % 4 != 0)
        fuzz_mend_stream(data, size);
    return size;
}

static void decode(const uint8_t *data, size_t size, bool keep_going)
{
    FuzzBytes in = {.data = (uint8_t *)(uintptr_t)data, .size = size};
    RsdDecoderOptions options;
    RsdDecoder *decoder;
    RsdError err = {RSD_OK, ""};
    float samples[512];
    int64_t n = 0;
    size_t n_read;
    RsdStatus status;

    rsd_decoder_default_options(&options);
    options.model = fuzz_model();
    options.read = fuzz_read;
    options.read_ctx = &in;
    options.keep_going = keep_going;
    options.max_stages = size % 4 == 0 ? 2 : 0;
    if (rsd_decoder_open(&decoder, &options, &err) != RSD_OK)
        return;
    do {
        status = rsd_decoder_read(decoder, samples, 512, 512, &n_read, &err);
        for (size_t i = 0; i < n_read; i++)
            if (!isfinite(samples[i]))
                abort();
        n += (int64_t)n_read;
    } while (status == RSD_OK && n_read > 0 && n < SAMPLE_LIMIT);
    if (n < SAMPLE_LIMIT && n != rsd_decoder_report(decoder)->n_samples)
        abort();
    rsd_decoder_close(&decoder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    decode(data, size, false);
    decode(data, size, true);
    return 0;
}
