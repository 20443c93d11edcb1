/* test_dac_job.c - recordings to .dac and back against the Python tool, on the small model of golden/dac.
 *
 * The golden files' loudness was measured without the K-weighting (tests/codec/test_dac_loudness.c). So encoding is given that
 * loudness, and decoded samples are compared up to one gain; what remains, windows, codes and waveforms, must be equal.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/dac_job.h"
#include "codec/dac_loudness.h"
#include "engine/base/mem.h"
#include "engine/base/file_map.h"
#include "tests/shared.h"

#include <math.h>

#define ROOT "golden/dac/dac44/"

static RsdError err;

static const char *golden_path(SharedPath *path, const char *name)
{
    char relative[96];

    snprintf(relative, sizeof relative, ROOT "%s", name);
    return shared_path(path, relative);
}

static RsdModel *open_model(void)
{
    SharedPath path;
    RsdModel *model;

    ASSERT_OK(rsd_model_open_file(&model, golden_path(&path, "model_orig.pth"), &err), err);
    return model;
}

/* An array as DacRead gives it, and as DacWrite fills it: [channels, n]. */
typedef struct Signal {
    float *samples;
    int channels;
    int64_t n, at;
} Signal;

static RsdStatus read_signal(void *ctx, float *dst, size_t max_samples, size_t *n_read, RsdError *e)
{
    Signal *s = ctx;

    (void)e;
    *n_read = s->n - s->at < (int64_t)max_samples ? (size_t)(s->n - s->at) : max_samples;
    for (int c = 0; c < s->channels; c++)
        memcpy(dst + (size_t)c * max_samples, s->samples + c * s->n + s->at, *n_read * sizeof *dst);
    s->at += (int64_t)*n_read;
    return RSD_OK;
}

static RsdStatus write_signal(void *ctx, const float *src, size_t stride, size_t n_samples, RsdError *e)
{
    Signal *s = ctx;

    (void)e;
    cr_assert(s->at + (int64_t)n_samples <= s->n);
    for (int c = 0; c < s->channels; c++)
        memcpy(s->samples + c * s->n + s->at, src + (size_t)c * stride, n_samples * sizeof *src);
    s->at += (int64_t)n_samples;
    return RSD_OK;
}

static RsdStatus encode(DacFile *file, const RsdModel *model, float *x, int channels, int64_t n, double window_s,
                        const double *input_db)
{
    Signal signal = {.samples = x, .channels = channels, .n = n};
    DacJob job = {.model = model, .name = "x", .n_stages = model->codec->dac ? 4 : 1, .channels = channels, .rate_hz = 44100,
                  .window_s = window_s, .input_db = input_db};

    return dac_job_encode(file, &job, read_signal, &signal, &err);
}

/* *x is the test's to free, also when it fails. */
static RsdStatus decode(float **x, const DacFile *file, const RsdModel *model, const char *name)
{
    Signal signal = {.channels = file->channels, .n = file->original_length};
    DacJob job = {.model = model, .name = name};
    RsdStatus status;

    *x = signal.samples = malloc((size_t)file->channels * (size_t)file->original_length * sizeof **x);
    status = dac_job_decode(file, &job, write_signal, &signal, &err);
    cr_assert(status != RSD_OK || signal.at == signal.n);
    return status;
}

static void assert_encodes(const RsdModel *model, double window_s, const char *codes_name, const char *metadata_name)
{
    SharedPath path;
    Npy input, codes;
    double input_db;
    json_t *metadata;
    DacFile file;

    npy_load(&input, golden_path(&path, "input.npy"));
    npy_load(&codes, golden_path(&path, codes_name));
    metadata = json_file_load(golden_path(&path, metadata_name));
    input_db = json_number_at(metadata, "input_db");
    ASSERT_OK(encode(&file, model, input.f32, 1, input.count, window_s, &input_db), err);
    cr_assert_eq(file.chunk_length, (int64_t)json_number_at(metadata, "chunk_length"));
    cr_assert_eq(file.original_length, (int64_t)json_number_at(metadata, "original_length"));
    cr_assert_eq(file.padding, json_is_true(json_object_get(metadata, "padding")));
    cr_assert_eq(file.input_db, (float)input_db);
    cr_assert_eq(file.n_stages * file.n_frames, codes.count);
    for (int64_t i = 0; i < codes.count; i++)
        cr_assert_eq(file.codes[i], codes.i64[i], "%s: code %d of %d", codes_name, (int)i, (int)codes.count);
    dac_file_clear(&file);
    json_decref(metadata);
    npy_free(&input);
    npy_free(&codes);
}

Test(dac_job, recordings_get_the_codes_of_the_python_tool_at_once_and_in_windows)
{
    RsdModel *model;

    NEED_SHARED(ROOT "dacfile");
    model = open_model();
    assert_encodes(model, 0.0, "dacfile/whole_codes.npy", "dacfile/whole.json");
    assert_encodes(model, 0.4, "dacfile/chunked_codes.npy", "dacfile/chunked.json");
    rsd_model_close(&model);
}

static void assert_decodes(const RsdModel *model, const json_t *index, const char *dac_name, const char *npy_name)
{
    SharedPath path;
    DacFile file;
    FileMap map;
    double product = 0.0, energy = 0.0;
    float *x;
    Npy npy;

    ASSERT_OK(file_map_open(&map, golden_path(&path, dac_name), &err), err);
    ASSERT_OK(dac_file_parse(&file, map.data, map.size, dac_name, &err), err);
    file_map_close(&map);
    ASSERT_OK(decode(&x, &file, model, dac_name), err);
    npy_load(&npy, golden_path(&path, npy_name));
    cr_assert_eq(file.original_length, npy.count);
    for (int64_t i = 0; i < npy.count; i++) {
        product += (double)x[i] * npy.f32[i];
        energy += (double)x[i] * x[i];
    }
    for (int64_t i = 0; i < npy.count; i++)
        x[i] = (float)(x[i] * product / energy);
    ASSERT_CLOSE_F32(npy_name, x, npy.f32, npy.count, tolerance_of(index, npy_name));
    npy_free(&npy);
    free(x);
    file.codes[3] = 64;
    ASSERT_FAILS(decode(&x, &file, model, dac_name), RSD_ERR_MODEL, err, "code 64 at frame 3");
    free(x);
    file.codes[3] = 1;
    file.original_length *= 2;
    ASSERT_FAILS(decode(&x, &file, model, dac_name), RSD_ERR_CORRUPT, err, "'original_length' is");
    free(x);
    dac_file_clear(&file);
}

Test(dac_job, files_of_the_python_tool_sound_as_there)
{
    SharedPath path;
    RsdModel *model;
    json_t *index;

    NEED_SHARED(ROOT "dacfile");
    model = open_model();
    index = json_file_load(golden_path(&path, "index.json"));
    assert_decodes(model, index, "dacfile/whole.dac", "dacfile/whole_decoded.npy");
    assert_decodes(model, index, "dacfile/chunked.dac", "dacfile/chunked_decoded.npy");
    json_decref(index);
    rsd_model_close(&model);
}

static double loudness_of(const float *x, int64_t n)
{
    DacLoudness *loudness;
    double db;

    ASSERT_OK(dac_loudness_create(&loudness, 1, 44100, true, &err), err);
    ASSERT_OK(dac_loudness_add(loudness, x, n, &err), err);
    ASSERT_OK(dac_loudness_finish(loudness, &db, &err), err);
    dac_loudness_destroy(&loudness);
    return db;
}

Test(dac_job, loudness_comes_back_with_the_recording)
{
    float *x, *back;
    RsdModel *model;
    DacFile file;

    NEED_SHARED(ROOT "dacfile");
    model = open_model();
    ASSERT_OK(mem_alloc(&x, 2 * 50000, sizeof *x, &err), err);
    for (int i = 0; i < 50000; i++)
        x[i] = x[50000 + i] = 0.02f * sinf(0.1f * (float)i) * (1.0f + sinf(0.001f * (float)i));
    for (int windows = 0; windows < 2; windows++) {
        ASSERT_OK(encode(&file, model, x, 2, 50000, windows ? 0.5 : 0.0, NULL), err);
        cr_assert(file.channels == 2 && file.original_length == 50000 && file.sample_rate_hz == 44100);
        ASSERT_CLOSE("input_db", file.input_db, loudness_of(x, 50000) + 10 * log10(2.0), ((Tolerance){.abs = 1e-5}));
        ASSERT_OK(decode(&back, &file, model, "x.dac"), err);
        ASSERT_CLOSE("loudness of a channel", loudness_of(back, 50000), file.input_db, ((Tolerance){.abs = 0.5}));
        dac_file_clear(&file);
        free(back);
    }
    mem_free(&x);
    rsd_model_close(&model);
}

Test(dac_job, files_that_ask_for_more_than_the_model_or_their_codes_have_are_refused)
{
    const int64_t n = 3000;
    float *x, *back;
    RsdModel *model;
    DacFile file;

    NEED_SHARED(ROOT "dacfile");
    model = open_model();
    ASSERT_OK(mem_calloc(&x, (size_t)n, sizeof *x, &err), err);
    ASSERT_OK(encode(&file, model, x, 1, n, 0.0, NULL), err);
    file.codes[5] = 65535;
    ASSERT_FAILS(decode(&back, &file, model, "x.dac"), RSD_ERR_MODEL, err, "x.dac: code 65535 at frame 5");
    free(back);
    file.codes[5] = 0;
    file.original_length = 10 * n;
    ASSERT_FAILS(decode(&back, &file, model, "x.dac"), RSD_ERR_CORRUPT, err, "x.dac: 'original_length' is 30000");
    free(back);
    file.original_length = n;
    file.n_stages = model->info.n_stages + 1;
    ASSERT_FAILS(decode(&back, &file, model, "x.dac"), RSD_ERR_MODEL, err, "stages");
    free(back);
    dac_file_clear(&file);
    mem_free(&x);
    rsd_model_close(&model);
}

Test(dac_job, another_kind_of_model_is_refused)
{
    float x[100] = {0};
    RsdModel *model;
    DacFile file;

    if (!rsd_model_builtin_name(0))
        cr_skip_test("no built-in model");
    ASSERT_OK(rsd_model_open_builtin(&model, NULL, &err), err);
    ASSERT_FAILS(encode(&file, model, x, 1, 100, 1.0, NULL), RSD_ERR_ARG, err, "DAC weights");
    rsd_model_close(&model);
}
