/* test_dac_job.c - recordings to .dac and back against the Python tool, on the small model of golden/dac.
 *
 * The loudness of the golden files was measured without the K-weighting of BS.1770, in blocks of which the last is filled up with
 * zeros: -15.006 dB where BS.1770 says -13.1. So encoding is given that loudness, and decoded samples are compared up to one
 * gain; what remains, windows, codes and waveforms, must be equal.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/dac_job.h"
#include "engine/base/mem.h"
#include "engine/base/file_map.h"
#include "losses/loudness.h"
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
    ASSERT_OK(dac_job_encode(&file, model, NULL, 4, input.f32, 1, input.count, 44100, window_s, &input_db, &err), err);
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
    ASSERT_OK(dac_job_decode(&x, &file, model, NULL, dac_name, &err), err);
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
    mem_free(&x);
    file.codes[3] = 64;
    ASSERT_FAILS(dac_job_decode(&x, &file, model, NULL, dac_name, &err), RSD_ERR_MODEL, err, "code 64 at frame 3");
    file.codes[3] = 1;
    file.original_length *= 2;
    ASSERT_FAILS(dac_job_decode(&x, &file, model, NULL, dac_name, &err), RSD_ERR_CORRUPT, err, "'original_length' is");
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

Test(dac_job, loudness_comes_back_with_the_recording)
{
    float *x, *back;
    Loudness before, after;
    RsdModel *model;
    DacFile file;

    NEED_SHARED(ROOT "dacfile");
    model = open_model();
    ASSERT_OK(mem_alloc(&x, 2 * 50000, sizeof *x, &err), err);
    for (int i = 0; i < 50000; i++)
        x[i] = x[50000 + i] = 0.02f * sinf(0.1f * (float)i) * (1.0f + sinf(0.001f * (float)i));
    ASSERT_OK(loudness_measure(&before, x, 50000, 1, 50000, 44100, &err), err);
    for (int windows = 0; windows < 2; windows++) {
        ASSERT_OK(dac_job_encode(&file, model, NULL, 4, x, 2, 50000, 44100, windows ? 0.5 : 0.0, NULL, &err), err);
        cr_assert(file.channels == 2 && file.original_length == 50000 && file.sample_rate_hz == 44100);
        ASSERT_CLOSE("input_db", file.input_db, before.lufs + 10 * log10(2.0), ((Tolerance){.abs = 0.1}));
        ASSERT_OK(dac_job_decode(&back, &file, model, NULL, "x.dac", &err), err);
        ASSERT_OK(loudness_measure(&after, back, 50000, 1, 50000, 44100, &err), err);
        ASSERT_CLOSE("loudness of a channel", after.lufs, file.input_db, ((Tolerance){.abs = 0.5}));
        dac_file_clear(&file);
        mem_free(&back);
    }
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
    ASSERT_FAILS(dac_job_encode(&file, model, NULL, 1, x, 1, 100, 16000, 1.0, NULL, &err), RSD_ERR_ARG, err, "DAC weights");
    rsd_model_close(&model);
}
