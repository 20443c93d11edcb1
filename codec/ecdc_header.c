/* ecdc_header.c - the header of .ecdc files.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/container.h"
#include "codec/ecdc.h"
#include "engine/base/bytes.h"
#include "engine/base/error.h"
#include "engine/weights/metadata.h"

static const struct {
    const char *name;
    int rate_hz, channels, hop_samples, bits_per_code;
} published[] = {{"encodec_24khz", 24000, 1, 320, 10}, {"encodec_48khz", 48000, 2, 320, 10}};

static RsdStatus read_exactly(uint8_t *dst, size_t size, RsdReadFn read, void *ctx, const char *name, RsdError *err)
{
    size_t n = 0, got;
    RsdStatus status = RSD_OK;

    while (n < size) {
        TRY(read(ctx, dst + n, size - n, &got, err));
        CHECK(got > 0, err, RSD_ERR_CORRUPT, "%s: ends after %zu bytes, in the middle of its header", name, n);
        n += got;
    }
fail:
    return status;
}

static RsdStatus read_whole_number(int64_t *out, const MetadataList *json, const char *key, int64_t most,
                                   const char *name, RsdError *err)
{
    const char *text = metadata_find(json, key);
    char *end = NULL;
    RsdStatus status = RSD_OK;

    CHECK(text, err, RSD_ERR_CORRUPT, "%s: header: \"%s\" is missing", name, key);
    errno = 0;
    *out = strtoll(text, &end, 10);
    CHECK(end != text && !*end && !errno && *out >= 0 && *out <= most, err, RSD_ERR_CORRUPT,
          "%s: header: \"%s\" is %.40s, expected 0 to %lld", name, key, text, (long long)most);
fail:
    return status;
}

static RsdStatus read_fields(EcdcHeader *header, const MetadataList *json, const char *name, RsdError *err)
{
    const char *model = metadata_find(json, "m"), *lm = metadata_find(json, "lm");
    int64_t n_stages;
    RsdStatus status = RSD_OK;

    CHECK(model && strlen(model) < sizeof header->model_name && *model, err, RSD_ERR_CORRUPT,
          "%s: header: \"m\", the model's name, is missing or longer than %d characters", name,
          RSD_MODEL_NAME_SIZE - 1);
    for (const char *c = model; *c; c++)
        CHECK(*c > ' ' && *c <= '~', err, RSD_ERR_CORRUPT, "%s: header: the model's name has impossible characters",
              name);
    strcpy(header->model_name, model);
    TRY(read_whole_number(&header->n_samples, json, "al", ECDC_MAX_SAMPLES, name, err));
    TRY(read_whole_number(&n_stages, json, "nc", STREAM_MAX_STAGES, name, err));
    CHECK(n_stages >= 1, err, RSD_ERR_CORRUPT, "%s: header: \"nc\" is 0, expected 1 to %d codebooks", name,
          STREAM_MAX_STAGES);
    header->n_stages = (int)n_stages;
    CHECK(lm && (strcmp(lm, "true") == 0 || strcmp(lm, "false") == 0), err, RSD_ERR_CORRUPT,
          "%s: header: \"lm\" is %.40s, expected true or false", name, lm ? lm : "missing");
    header->has_lm = strcmp(lm, "true") == 0;
fail:
    return status;
}

RsdStatus ecdc_header_read(EcdcHeader *header, RsdReadFn read, void *ctx, const char *name, RsdError *err)
{
    uint8_t prefix[ECDC_PREFIX_SIZE], text[ECDC_MAX_JSON];
    MetadataList json = {0};
    RsdError local;
    uint32_t size;
    RsdStatus status = RSD_OK;

    if (!err)
        err = &local;
    memset(header, 0, sizeof *header);
    TRY(read_exactly(prefix, sizeof prefix, read, ctx, name, err));
    CHECK(memcmp(prefix, ECDC_MAGIC, ECDC_MAGIC_SIZE) == 0, err, RSD_ERR_CORRUPT, "%s: is no .ecdc file", name);
    CHECK(prefix[4] == 0, err, RSD_ERR_UNSUPPORTED, "%s: .ecdc version %d; version 0 is read", name, prefix[4]);
    size = get_u32be(prefix + 5);
    CHECK(size >= 2 && size <= sizeof text, err, RSD_ERR_CORRUPT, "%s: header: %u bytes of JSON, expected 2 to %zu",
          name, (unsigned)size, sizeof text);
    TRY(read_exactly(text, size, read, ctx, name, err));
    TRY(metadata_parse_json(&json, (const char *)text, size, true, name, "", err));
    TRY(read_fields(header, &json, name, err));
    header->size = (int)(ECDC_PREFIX_SIZE + size);
fail:
    metadata_clear(&json);
    return status;
}

size_t ecdc_header_write(const EcdcHeader *header, uint8_t dst[ECDC_HEADER_MAX_SIZE])
{
    int size = snprintf((char *)dst + ECDC_PREFIX_SIZE, ECDC_HEADER_MAX_SIZE - ECDC_PREFIX_SIZE,
                        "{\"m\": \"%s\", \"al\": %lld, \"nc\": %d, \"lm\": %s}", header->model_name,
                        (long long)header->n_samples, header->n_stages, header->has_lm ? "true" : "false");

    memcpy(dst, ECDC_MAGIC, ECDC_MAGIC_SIZE);
    dst[4] = 0;
    put_u32be(dst + 5, (uint32_t)size);
    return ECDC_PREFIX_SIZE + (size_t)size;
}

void ecdc_describe(RsdStreamInfo *info, const EcdcHeader *header)
{
    memset(info, 0, sizeof *info);
    info->container = RSD_CONTAINER_ECDC;
    info->has_language_model = header->has_lm;
    memcpy(info->model_name, header->model_name, sizeof info->model_name);
    info->n_samples = header->n_samples;
    info->n_stages = header->n_stages;
    info->n_layers = info->layer_strides[0] = 1;
    info->layer_stages[0] = header->n_stages;
    info->header_size = header->size;
    for (size_t i = 0; i < sizeof published / sizeof *published; i++) {
        if (strcmp(header->model_name, published[i].name) != 0)
            continue;
        info->rate_hz = published[i].rate_hz;
        info->channels = published[i].channels;
        info->hop_samples = published[i].hop_samples;
        info->bits_per_code = published[i].bits_per_code;
        info->bitrate_bps = (double)header->n_stages * info->bits_per_code * info->rate_hz / info->hop_samples;
    }
    info->layout = stream_layout_for(info->channels);
}

int ecdc_frame_rate(const RsdModelInfo *model)
{
    return (model->rate_hz + model->hop_samples - 1) / model->hop_samples;
}

int64_t ecdc_frames_for(const RsdModelInfo *model, int64_t n_samples)
{
    return (n_samples * ecdc_frame_rate(model) + model->rate_hz - 1) / model->rate_hz;
}
