/* test_ecdc_segments.c - the segments of an .ecdc file as numbers: those of the published tool, and back to the byte.
 *
 * SPDX-License-Identifier: MIT
 */
#include "codec/ecdc_segments.h"

#include <math.h>
#include <stdio.h>

#include "engine/base/mem.h"
#include "tests/codec/ecdc_rig.h"

static RsdError err;

static RsdStatus parse(EcdcSegments *out, const EcdcRig *rig, const Bytes *bytes)
{
    MemoryStream file = {.bytes = bytes->data, .size = bytes->size};

    return ecdc_segments_parse(out, rig->model, &file, "x.ecdc", &err);
}

static void load_segments(EcdcSegments *out, EcdcRig *rig, Bytes *bytes, const char *rate)
{
    SharedPath path;
    char file[ECDC_NAME_SIZE];

    snprintf(file, sizeof file, "%s/plain.ecdc", rate);
    ecdc_load(bytes, ecdc_golden(&path, rig, file));
    ASSERT_OK(parse(out, rig, bytes), err);
}

Test(ecdc_segments, scales_and_codes_are_those_of_the_published_tool)
{
    static const char *const rates[] = {"bw0.6", "bw1.2"};
    EcdcRig rig;

    NEED_SHARED(ECDC_STEREO);
    ecdc_rig_open(&rig, ECDC_STEREO, 0);
    for (int r = 0; r < 2; r++) {
        EcdcSegments segments;
        Bytes bytes = {0};
        SharedPath path;
        char file[ECDC_NAME_SIZE];
        Npy scales, codes;

        load_segments(&segments, &rig, &bytes, rates[r]);
        snprintf(file, sizeof file, "%s/scales.npy", rates[r]);
        npy_load(&scales, ecdc_golden(&path, &rig, file));
        cr_assert_eq((int64_t)segments.n_segments, scales.count);
        cr_assert_eq(segments.n_samples, rig.input.shape[1]);
        for (size_t i = 0; i < segments.n_segments; i++) {
            const EcdcSegment *item = &segments.items[i];

            cr_assert_eq(item->scale, scales.f32[i], "segment %zu: %.9g, expected %.9g", i, (double)item->scale, (double)scales.f32[i]);
            snprintf(file, sizeof file, "%s/codes_seg%zu.npy", rates[r], i);
            npy_load(&codes, ecdc_golden(&path, &rig, file));
            cr_assert_eq(codes.count, segments.n_stages * item->n_frames, "segment %zu", i);
            for (int64_t k = 0; k < codes.count; k++)
                cr_assert_eq(segments.codes[item->first + (size_t)k], codes.i64[k], "segment %zu, code %d", i, (int)k);
            npy_free(&codes);
        }
        npy_free(&scales);
        ecdc_segments_clear(&segments);
        bytes_clear(&bytes);
    }
    ecdc_rig_close(&rig);
}

Test(ecdc_segments, printed_they_are_the_file_again_to_the_byte)
{
    EcdcRig rig;

    NEED_SHARED(ECDC_STEREO);
    ecdc_rig_open(&rig, ECDC_STEREO, 0);
    for (int64_t n = 0; n <= rig.input.shape[1]; n = n < 3799 ? 3799 : n < 3842 ? n + 1 : n + 1511) { /* around a segment, and far from it */
        EcdcSegments segments;
        MemoryStream again = {0};
        Bytes bytes = {0};

        ecdc_rig_encode(&rig, &bytes, rig.input.f32, n, 3, 4000, n, NULL);
        ASSERT_OK(parse(&segments, &rig, &bytes), err);
        ASSERT_OK(ecdc_segments_print(&again, rig.model, &segments, "x", &err), err);
        cr_assert(again.size == bytes.size && memcmp(again.bytes, bytes.data, bytes.size) == 0, "%d samples", (int)n);
        mem_free(&again.bytes);
        ecdc_segments_clear(&segments);
        bytes_clear(&bytes);
    }
    ecdc_rig_close(&rig);
}

Test(ecdc_segments, files_that_are_cut_or_go_on_are_refused)
{
    EcdcSegments segments;
    Bytes bytes = {0};
    EcdcRig rig;
    size_t size;

    NEED_SHARED(ECDC_STEREO);
    ecdc_rig_open(&rig, ECDC_STEREO, 0);
    load_segments(&segments, &rig, &bytes, "bw0.6");
    ecdc_segments_clear(&segments);
    size = bytes.size;
    for (bytes.size = 0; bytes.size < size; bytes.size++) {
        cr_assert_eq(parse(&segments, &rig, &bytes), RSD_ERR_CORRUPT, "%zu bytes", bytes.size);
        ecdc_segments_clear(&segments);
    }
    bytes_write(&bytes, "", 1, NULL);
    ASSERT_FAILS(parse(&segments, &rig, &bytes), RSD_ERR_CORRUPT, err, "1 bytes follow");
    ecdc_segments_clear(&segments);
    bytes_clear(&bytes);
    ecdc_rig_close(&rig);
}

Test(ecdc_segments, numbers_that_the_model_cannot_have_made_are_named)
{
    enum { LENGTH, LONGER, STAGES, FRAMES, CODE, NEGATIVE, NOT_A_NUMBER, HUGE_LENGTH, N_CASES };
    static const char *const parts[N_CASES] = {"x: has 3 segments; 1 samples make 1",
                                               "has 3 segments",
                                               "codes of 5 stages; model encodec_48khz has 1 to 4",
                                               "segment 2 has 11 frames",
                                               "code 64 of stage 2 at frame 0 of segment 3",
                                               "segment 1 has a scale of -1",
                                               "segment 1 has a scale of nan",
                                               "samples; 0 to"};
    EcdcRig rig;

    NEED_SHARED(ECDC_STEREO);
    ecdc_rig_open(&rig, ECDC_STEREO, 0);
    for (int i = 0; i < N_CASES; i++) {
        EcdcSegments s;
        Bytes bytes = {0};
        MemoryStream file = {0};

        load_segments(&s, &rig, &bytes, "bw0.6");
        cr_assert(s.n_segments == 3 && s.n_stages == 2);
        if (i == LENGTH)
            s.n_samples = 1;
        if (i == LONGER)
            s.n_samples *= 2;
        if (i == STAGES)
            s.n_stages = 5;
        if (i == FRAMES)
            s.items[1].n_frames--;
        if (i == CODE)
            s.codes[s.items[2].first + (size_t)s.items[2].n_frames] = 64;
        if (i == NEGATIVE)
            s.items[0].scale = -1.0f;
        if (i == NOT_A_NUMBER)
            s.items[0].scale = NAN;
        if (i == HUGE_LENGTH)
            s.n_samples = INT64_MAX;
        ASSERT_FAILS(ecdc_segments_print(&file, rig.model, &s, "x", &err), RSD_ERR_CORRUPT, err, parts[i]);
        mem_free(&file.bytes);
        ecdc_segments_clear(&s);
        bytes_clear(&bytes);
    }
    ecdc_rig_close(&rig);
}
