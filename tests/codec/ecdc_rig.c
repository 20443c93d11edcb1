/* ecdc_rig.c - a small EnCodec model, coded to and from files in memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/codec/ecdc_rig.h"

#include <stdio.h>

const char *ecdc_golden(SharedPath *path, const EcdcRig *rig, const char *file)
{
    char relative[2 * ECDC_NAME_SIZE];

    snprintf(relative, sizeof relative, "%s/%s", rig->root, file);
    return shared_path(path, relative);
}

void ecdc_rig_open(EcdcRig *rig, const char *root, double segment_seconds)
{
    SharedPath path, config;

    memset(rig, 0, sizeof *rig);
    rig->root = root;
    ASSERT_OK(audio_codec_load_with_config(&rig->codec, ecdc_golden(&path, rig, "model_orig.th"),
                                           ecdc_golden(&config, rig, "config_hf.json"), &rig->err),
              rig->err);
    if (segment_seconds > 0)
        rig->codec->config.segment_seconds = segment_seconds;
    ASSERT_OK(model_from_codec(&rig->model, rig->codec, &rig->err), rig->err);
    ASSERT_OK(rsd_threads_create(&rig->threads, 2, &rig->err), rig->err);
    rig->index = json_file_load(ecdc_golden(&path, rig, "index.json"));
    npy_load(&rig->input, ecdc_golden(&path, rig, "input.npy"));
}

void ecdc_rig_close(EcdcRig *rig)
{
    npy_free(&rig->input);
    json_decref(rig->index);
    rsd_model_close(&rig->model);
    audio_codec_destroy(&rig->codec);
    rsd_threads_destroy(&rig->threads);
}

void ecdc_rig_encode(EcdcRig *rig, Bytes *out, const float *x, int64_t n, int n_stages, size_t block, int64_t n_samples,
                     const RsdLanguageModel *lm)
{
    RsdEncoderOptions options;
    RsdEncoder *encoder;

    rsd_encoder_default_options(&options);
    options.model = rig->model;
    options.threads = rig->threads;
    options.write = bytes_write;
    options.write_ctx = out;
    options.n_stages = n_stages;
    options.n_samples = n_samples;
    options.container = RSD_CONTAINER_ECDC;
    options.language_model = lm;
    ASSERT_OK(rsd_encoder_open(&encoder, &options, &rig->err), rig->err);
    for (int64_t at = 0; at < n; at += (int64_t)block) {
        size_t now = n - at < (int64_t)block ? (size_t)(n - at) : block;

        ASSERT_OK(rsd_encoder_write(encoder, x + at, (size_t)n, now, &rig->err), rig->err);
    }
    ASSERT_OK(rsd_encoder_finish(encoder, &rig->err), rig->err);
    cr_assert_eq(rsd_encoder_report(encoder)->n_bytes, (int64_t)out->size);
    rsd_encoder_close(&encoder);
}

RsdStatus ecdc_rig_open_decoder(EcdcRig *rig, RsdDecoder **decoder, Bytes *in, const RsdLanguageModel *lm)
{
    RsdDecoderOptions options;

    rsd_decoder_default_options(&options);
    options.model = rig->model;
    options.threads = rig->threads;
    options.read = bytes_read;
    options.read_ctx = in;
    options.name = "x.ecdc";
    options.language_model = lm;
    return rsd_decoder_open(decoder, &options, &rig->err);
}

RsdStatus ecdc_rig_decode(EcdcRig *rig, Bytes *in, float *y, int64_t n, size_t block, int64_t *n_done,
                          const RsdLanguageModel *lm)
{
    RsdDecoder *decoder = NULL;
    size_t got = 1;
    RsdStatus status = ecdc_rig_open_decoder(rig, &decoder, in, lm);

    *n_done = 0;
    while (status == RSD_OK && got > 0) {
        size_t room = (size_t)(n - *n_done) < block ? (size_t)(n - *n_done) : block;

        status = rsd_decoder_read(decoder, y + *n_done, (size_t)n, room, &got, &rig->err);
        *n_done += (int64_t)got;
    }
    rsd_decoder_close(&decoder);
    return status;
}

void ecdc_load(Bytes *bytes, const char *path)
{
    uint8_t block[4096];
    FILE *file = fopen(path, "rb");
    size_t n;

    cr_assert(file, "%s", path);
    while ((n = fread(block, 1, sizeof block, file)) > 0)
        bytes_write(bytes, block, n, NULL);
    fclose(file);
    bytes->at = 0;
}
