/* test_ecdc.c - EnCodec's files against those of the published tool, and with the language model.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>

#include "codec/bitpack.h"
#include "engine/base/bytes.h"
#include "tests/codec/ecdc_rig.h"

/* ---- against the published tool ---- */

/* Bytes equal; a segment's scale, a float that torch sums in an order of its own, may differ in its last place. */
static void assert_same_file(const EcdcRig *rig, const Bytes *ours, const Bytes *theirs, int n_stages, const char *what)
{
    const RsdModelInfo *info = rsd_model_info(rig->model);
    size_t at = ECDC_PREFIX_SIZE + get_u32be(theirs->data + 5);
    int64_t left = rig->input.shape[1];

    cr_assert_eq(ours->size, theirs->size, "%s: %zu bytes, expected %zu", what, ours->size, theirs->size);
    cr_assert_eq(memcmp(ours->data, theirs->data, at), 0, "%s: header", what);
    while (at < theirs->size) {
        int64_t len = info->segment_samples && left > info->segment_samples ? info->segment_samples : left;
        size_t size = bitpack_size((size_t)ecdc_frames_for(info, len) * (size_t)n_stages, info->bits_per_code);

        if (rig->codec->config.normalize) {
            int64_t difference = (int64_t)get_u32be(ours->data + at) - get_u32be(theirs->data + at);

            cr_assert(llabs(difference) <= 1, "%s: scale at byte %zu differs by %d units", what, at, (int)difference);
            at += 4;
        }
        cr_assert_eq(memcmp(ours->data + at, theirs->data + at, size), 0, "%s: codes at byte %zu", what, at);
        at += size;
        left -= info->segment_samples ? audio_codec_segment_stride(&rig->codec->config) : left;
    }
    cr_assert_leq(left, 0);
}

static void assert_published_files(EcdcRig *rig, const char *const *rates, const int *n_stages, int n)
{
    for (int i = 0; i < n; i++) {
        Bytes ours = {0}, theirs = {0};
        SharedPath path;
        Npy expected;
        char file[ECDC_NAME_SIZE];
        float *y = calloc((size_t)rig->input.count, sizeof *y);
        int64_t n_done;

        snprintf(file, sizeof file, "%s/plain.ecdc", rates[i]);
        ecdc_load(&theirs, ecdc_golden(&path, rig, file));
        ecdc_rig_encode(rig, &ours, rig->input.f32, rig->input.shape[1], n_stages[i], 1000, rig->input.shape[1], NULL);
        assert_same_file(rig, &ours, &theirs, n_stages[i], file);
        ASSERT_OK(ecdc_rig_decode(rig, &theirs, y, rig->input.shape[1], 777, &n_done, NULL), rig->err);
        cr_assert_eq(n_done, rig->input.shape[1]);
        snprintf(file, sizeof file, "%s/decoded.npy", rates[i]);
        npy_load(&expected, ecdc_golden(&path, rig, file));
        ASSERT_CLOSE_F32(file, y, expected.f32, expected.count, tolerance_of(rig->index, file));
        npy_free(&expected);
        bytes_clear(&ours);
        bytes_clear(&theirs);
        free(y);
    }
}

Test(ecdc, files_of_the_causal_model_are_those_of_the_published_tool)
{
    EcdcRig rig;

    NEED_SHARED(ECDC_MONO);
    ecdc_rig_open(&rig, ECDC_MONO, 0);
    assert_published_files(&rig, (const char *const[]){"bw0.9", "bw1.8", "bw3.6"}, (const int[]){2, 4, 8}, 3);
    ecdc_rig_close(&rig);
}

Test(ecdc, files_of_the_segmented_model_are_those_of_the_published_tool)
{
    EcdcRig rig;

    NEED_SHARED(ECDC_STEREO);
    ecdc_rig_open(&rig, ECDC_STEREO, 0);
    assert_published_files(&rig, (const char *const[]){"bw0.6", "bw1.2"}, (const int[]){2, 4}, 2);
    ecdc_rig_close(&rig);
}

/* Through a file and back; what comes is the begin of what the published code decodes. */
static void assert_decodes_to(EcdcRig *rig, const float *x, int64_t n, int64_t stride, const char *decoded)
{
    const int channels = rsd_model_info(rig->model)->channels;
    Bytes bytes = {0};
    SharedPath path;
    Npy expected;
    float *block = calloc((size_t)(channels * n), sizeof *block), *y = calloc((size_t)(channels * n), sizeof *y);
    int64_t n_done;

    for (int c = 0; c < channels; c++)
        memcpy(block + c * n, x + c * stride, (size_t)n * sizeof *block);
    ecdc_rig_encode(rig, &bytes, block, n, 0, 500, n, NULL);
    ASSERT_OK(ecdc_rig_decode(rig, &bytes, y, n, 100000, &n_done, NULL), rig->err);
    cr_assert_eq(n_done, n);
    npy_load(&expected, ecdc_golden(&path, rig, decoded));
    for (int c = 0; c < channels; c++)
        ASSERT_CLOSE_F32(decoded, y + c * n, expected.f32 + c * expected.shape[1], n,
                         tolerance_of(rig->index, decoded));
    npy_free(&expected);
    bytes_clear(&bytes);
    free(block);
    free(y);
}

Test(ecdc, short_signals_and_those_around_a_segment_decode_to_the_published_samples)
{
    const struct {
        const char *root;
        int len;
    } cases[] = {{ECDC_MONO, 1},   {ECDC_MONO, 7},    {ECDC_MONO, 320},    {ECDC_MONO, 321},    {ECDC_MONO, 963},
                 {ECDC_STEREO, 1}, {ECDC_STEREO, 50}, {ECDC_STEREO, 3840}, {ECDC_STEREO, 3841}, {ECDC_STEREO, 3900}};

    NEED_SHARED("golden/encodec");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        EcdcRig rig;
        SharedPath path;
        Npy x;
        char file[ECDC_NAME_SIZE];

        ecdc_rig_open(&rig, cases[i].root, 0);
        snprintf(file, sizeof file, "edge/len%d_input.npy", cases[i].len);
        npy_load(&x, ecdc_golden(&path, &rig, file));
        snprintf(file, sizeof file, "edge/len%d_decoded.npy", cases[i].len);
        assert_decodes_to(&rig, x.f32, x.shape[1], x.shape[1], file);
        npy_free(&x);
        ecdc_rig_close(&rig);
    }
}

Test(ecdc, segments_that_are_no_whole_number_of_frames_are_joined_as_published)
{
    EcdcRig rig;

    NEED_SHARED(ECDC_STEREO);
    ecdc_rig_open(&rig, ECDC_STEREO, 0.25);
    assert_decodes_to(&rig, rig.input.f32, rig.input.shape[1], rig.input.shape[1], "odd_segment/decoded_full.npy");
    ecdc_rig_close(&rig);
}

/* ---- with the language model ---- */

static CodeLm *load_lm(EcdcRig *rig)
{
    SharedPath path;
    CodeLm *lm;

    ASSERT_OK(code_lm_load(&lm, ecdc_golden(&path, rig, "lm_orig.th"), &rig->err), rig->err);
    return lm;
}

Test(ecdc, files_with_the_language_model_come_back_and_are_refused_without_it)
{
    const char *const roots[] = {ECDC_MONO, ECDC_STEREO};

    NEED_SHARED("golden/encodec");
    for (int r = 0; r < 2; r++) {
        Bytes plain = {0}, coded = {0};
        EcdcRig rig;
        CodeLm *lm;
        float *x, *y;
        int64_t n_done;

        ecdc_rig_open(&rig, roots[r], 0);
        lm = load_lm(&rig);
        x = calloc((size_t)rig.input.count, sizeof *x);
        y = calloc((size_t)rig.input.count, sizeof *y);
        ecdc_rig_encode(&rig, &plain, rig.input.f32, rig.input.shape[1], 0, 4000, rig.input.shape[1], NULL);
        ecdc_rig_encode(&rig, &coded, rig.input.f32, rig.input.shape[1], 0, 777, rig.input.shape[1], lm);
        ASSERT_OK(ecdc_rig_decode(&rig, &plain, x, rig.input.shape[1], 4000, &n_done, NULL), rig.err);
        ASSERT_OK(ecdc_rig_decode(&rig, &coded, y, rig.input.shape[1], 333, &n_done, lm), rig.err);
        cr_assert_eq(n_done, rig.input.shape[1]);
        ASSERT_SAME_BITS("samples", y, x, rig.input.count);
        coded.at = 0;
        ASSERT_FAILS(ecdc_rig_decode(&rig, &coded, y, rig.input.shape[1], 333, &n_done, NULL), RSD_ERR_MODEL, rig.err, "--lm");
        coded.at = 0;
        cr_assert_eq(bytes_write(&coded, "", 1, &rig.err), RSD_OK);
        ASSERT_FAILS(ecdc_rig_decode(&rig, &coded, y, rig.input.shape[1], 333, &n_done, lm), RSD_ERR_CORRUPT, rig.err,
                     "the file goes on");
        bytes_clear(&plain);
        bytes_clear(&coded);
        code_lm_destroy(&lm);
        free(x);
        free(y);
        ecdc_rig_close(&rig);
    }
}
