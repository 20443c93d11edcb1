/* ecdc_segments.c - scales and codes out of .ecdc bytes and into them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "codec/ecdc_segments.h"

#include <math.h>
#include <string.h>

#include "codec/bitpack.h"
#include "codec/ecdc.h"
#include "codec/model.h"
#include "engine/base/bytes.h"
#include "engine/base/mem.h"

#define SCALE_SIZE ((size_t)4)

void ecdc_segments_clear(EcdcSegments *segments)
{
    mem_free(&segments->items);
    mem_free(&segments->codes);
    memset(segments, 0, sizeof *segments);
}

RsdStatus ecdc_segments_add(EcdcSegments *s, float scale, int64_t n_frames, uint16_t **codes, RsdError *err)
{
    const size_t n = (size_t)s->n_stages * (size_t)n_frames;
    RsdStatus status = RSD_OK;

    if (s->n_segments == s->capacity) {
        const size_t capacity = 2 * s->capacity + 16;

        TRY(mem_resize(&s->items, s->capacity, capacity, sizeof *s->items, err));
        s->capacity = capacity;
    }
    if (n > s->code_capacity - s->n_codes) {
        const size_t capacity = 2 * s->code_capacity + n;

        TRY(mem_resize(&s->codes, s->n_codes, capacity, sizeof *s->codes, err));
        s->code_capacity = capacity;
    }
    s->items[s->n_segments++] = (EcdcSegment){.scale = scale, .n_frames = n_frames, .first = s->n_codes};
    *codes = s->codes + s->n_codes;
    s->n_codes += n;
fail:
    return status;
}

/* ---- what a model makes of a signal's length ---- */

/* A segment begins at every multiple of the stride before the end. */
static int64_t count_segments(const RsdModel *model, int64_t n_samples)
{
    const int64_t stride = audio_codec_segment_stride(&model->codec->config);

    return (n_samples + stride - 1) / stride;
}

static int64_t frames_of(const RsdModel *model, int64_t n_samples, int64_t segment)
{
    const int64_t left = n_samples - segment * audio_codec_segment_stride(&model->codec->config);

    return ecdc_frames_for(&model->info, left < model->info.segment_samples ? left : model->info.segment_samples);
}

/* ---- out of the bytes ---- */

static float get_scale(const uint8_t *at)
{
    const uint32_t bits = get_u32be(at);
    float scale;

    memcpy(&scale, &bits, sizeof scale);
    return scale;
}

static RsdStatus parse_segment(EcdcSegments *s, const RsdModel *model, MemoryStream *file, int64_t segment, const char *name,
                               RsdError *err)
{
    const bool scaled = model->codec->config.normalize;
    const int64_t n_frames = frames_of(model, s->n_samples, segment);
    const size_t size = (scaled ? SCALE_SIZE : 0) + bitpack_size((size_t)(s->n_stages * n_frames), model->info.bits_per_code);
    const uint8_t *at = file->bytes + file->at;
    uint16_t *codes;
    BitReader bits;
    RsdStatus status = RSD_OK;

    CHECK(size <= file->size - file->at, err, RSD_ERR_CORRUPT, "%s: ends in segment %lld of %lld", name, (long long)segment + 1,
          (long long)count_segments(model, s->n_samples));
    TRY(ecdc_segments_add(s, scaled ? get_scale(at) : 1.0f, n_frames, &codes, err));
    bit_reader_init(&bits, at + (scaled ? SCALE_SIZE : 0), size - (scaled ? SCALE_SIZE : 0));
    for (int64_t t = 0; t < n_frames; t++)
        for (int k = 0; k < s->n_stages; k++)
            codes[k * n_frames + t] = (uint16_t)bit_reader_get(&bits, model->info.bits_per_code);
    file->at += size;
fail:
    return status;
}

RsdStatus ecdc_segments_parse(EcdcSegments *out, const RsdModel *model, MemoryStream *file, const char *name, RsdError *err)
{
    EcdcHeader header;
    int64_t n_segments;
    RsdStatus status = RSD_OK;

    memset(out, 0, sizeof *out);
    TRY(ecdc_header_read(&header, memory_stream_read, file, name, err));
    CHECK(!header.has_lm, err, RSD_ERR_UNSUPPORTED, "%s: was written with a language model, which hides its codes", name);
    out->n_stages = header.n_stages;
    out->n_samples = header.n_samples;
    n_segments = count_segments(model, header.n_samples);
    for (int64_t i = 0; i < n_segments; i++)
        TRY(parse_segment(out, model, file, i, name, err));
    CHECK(file->at == file->size, err, RSD_ERR_CORRUPT, "%s: %zu bytes follow the last segment", name, file->size - file->at);
fail:
    return status;
}

/* ---- into bytes ---- */

static RsdStatus check_segment(const RsdModel *model, const EcdcSegments *s, size_t segment, const char *name, RsdError *err)
{
    const EcdcSegment *item = &s->items[segment];
    const int64_t expected = frames_of(model, s->n_samples, (int64_t)segment);
    const uint16_t *codes = s->codes + item->first;
    RsdStatus status = RSD_OK;

    CHECK(item->n_frames == expected, err, RSD_ERR_CORRUPT, "%s: segment %zu has %lld frames; of %lld samples it has %lld", name,
          segment + 1, (long long)item->n_frames, (long long)s->n_samples, (long long)expected);
    CHECK(isfinite(item->scale) && item->scale >= 0.0f && item->scale <= ECDC_MAX_SCALE, err, RSD_ERR_CORRUPT,
          "%s: segment %zu has a scale of %g; 0 to %g are possible", name, segment + 1, (double)item->scale, (double)ECDC_MAX_SCALE);
    CHECK(model->codec->config.normalize || item->scale == 1.0f, err, RSD_ERR_CORRUPT,
          "%s: segment %zu has a scale of %g; model %s does not scale segments", name, segment + 1, (double)item->scale,
          model->info.name);
    for (int64_t i = 0; i < s->n_stages * item->n_frames; i++)
        CHECK(codes[i] < model->info.codebook_size, err, RSD_ERR_CORRUPT,
              "%s: code %d of stage %lld at frame %lld of segment %zu; the codebooks of model %s have %d", name, codes[i],
              (long long)(i / item->n_frames + 1), (long long)(i % item->n_frames), segment + 1, model->info.name,
              model->info.codebook_size);
fail:
    return status;
}

static RsdStatus print_segment(MemoryStream *file, const RsdModel *model, const EcdcSegments *s, const EcdcSegment *item,
                               RsdError *err)
{
    const size_t size = bitpack_size((size_t)(s->n_stages * item->n_frames), model->info.bits_per_code);
    const uint16_t *codes = s->codes + item->first;
    uint8_t scale[SCALE_SIZE], *bytes = NULL;
    uint32_t scale_bits;
    BitWriter bits;
    RsdStatus status = RSD_OK;

    if (model->codec->config.normalize) {
        memcpy(&scale_bits, &item->scale, sizeof scale_bits);
        put_u32be(scale, scale_bits);
        TRY(memory_stream_write(file, scale, sizeof scale, err));
    }
    TRY(mem_alloc(&bytes, size, 1, err));
    bit_writer_init(&bits, bytes);
    for (int64_t t = 0; t < item->n_frames; t++)
        for (int k = 0; k < s->n_stages; k++)
            bit_writer_put(&bits, codes[k * item->n_frames + t], model->info.bits_per_code);
    TRY(memory_stream_write(file, bytes, (size_t)(bit_writer_finish(&bits) - bytes), err));
fail:
    mem_free(&bytes);
    return status;
}

RsdStatus ecdc_segments_print(MemoryStream *file, const RsdModel *model, const EcdcSegments *s, const char *name, RsdError *err)
{
    EcdcHeader header = {.n_samples = s->n_samples, .n_stages = s->n_stages};
    uint8_t bytes[ECDC_HEADER_MAX_SIZE];
    RsdStatus status = RSD_OK;

    CHECK(s->n_samples >= 0 && s->n_samples <= ECDC_MAX_SAMPLES, err, RSD_ERR_CORRUPT, "%s: %lld samples; 0 to %lld are possible",
          name, (long long)s->n_samples, (long long)ECDC_MAX_SAMPLES);
    CHECK(s->n_stages >= 1 && s->n_stages <= model->info.n_stages, err, RSD_ERR_CORRUPT,
          "%s: codes of %d stages; model %s has 1 to %d", name, s->n_stages, model->info.name, model->info.n_stages);
    CHECK((int64_t)s->n_segments == count_segments(model, s->n_samples), err, RSD_ERR_CORRUPT,
          "%s: has %zu segments; %lld samples make %lld with model %s", name, s->n_segments, (long long)s->n_samples,
          (long long)count_segments(model, s->n_samples), model->info.name);
    memcpy(header.model_name, model->info.name, sizeof header.model_name);
    TRY(memory_stream_write(file, bytes, ecdc_header_write(&header, bytes), err));
    for (size_t i = 0; i < s->n_segments; i++) {
        TRY(check_segment(model, s, i, name, err));
        TRY(print_segment(file, model, s, &s->items[i], err));
    }
fail:
    return status;
}
