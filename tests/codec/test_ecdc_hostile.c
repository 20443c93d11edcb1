/* test_ecdc_hostile.c - everything that may be wrong with an .ecdc file: a sentence each.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "engine/base/bytes.h"
#include "tests/codec/ecdc_rig.h"

Test(ecdc_hostile, every_field_of_the_header_is_checked)
{
    static const struct {
        const char *json;
        RsdStatus status;
        const char *part;
    } cases[] = {
        {"{\"m\": \"encodec_48khz\", \"al\": 7203, \"nc\": 2, \"lm\": false}", RSD_ERR_MODEL,
         "needs model encodec_48khz"},
        {"{\"al\": 7203, \"nc\": 2, \"lm\": false}", RSD_ERR_CORRUPT, "\"m\""},
        {"{\"m\": \"\", \"al\": 7203, \"nc\": 2, \"lm\": false}", RSD_ERR_CORRUPT, "\"m\""},
        {"{\"m\": \"a name that is much longer than any model's\", \"al\": 1, \"nc\": 2, \"lm\": false}",
         RSD_ERR_CORRUPT, "\"m\""},
        {"{\"m\": \"a\\u001b[1m\", \"al\": 1, \"nc\": 2, \"lm\": false}", RSD_ERR_CORRUPT, "characters"},
        {"{\"m\": \"encodec_24khz\", \"nc\": 2, \"lm\": false}", RSD_ERR_CORRUPT, "\"al\" is missing"},
        {"{\"m\": \"encodec_24khz\", \"al\": -1, \"nc\": 2, \"lm\": false}", RSD_ERR_CORRUPT, "\"al\" is -1"},
        {"{\"m\": \"encodec_24khz\", \"al\": 1e300, \"nc\": 2, \"lm\": false}", RSD_ERR_CORRUPT, "\"al\""},
        {"{\"m\": \"encodec_24khz\", \"al\": 9223372036854775807, \"nc\": 2, \"lm\": false}", RSD_ERR_CORRUPT,
         "\"al\""},
        {"{\"m\": \"encodec_24khz\", \"al\": \"x\", \"nc\": 2, \"lm\": false}", RSD_ERR_CORRUPT, "\"al\" is x"},
        {"{\"m\": \"encodec_24khz\", \"al\": 7203, \"lm\": false}", RSD_ERR_CORRUPT, "\"nc\" is missing"},
        {"{\"m\": \"encodec_24khz\", \"al\": 7203, \"nc\": 0, \"lm\": false}", RSD_ERR_CORRUPT, "\"nc\" is 0"},
        {"{\"m\": \"encodec_24khz\", \"al\": 7203, \"nc\": 9, \"lm\": false}", RSD_ERR_CORRUPT, "has 8 codebooks"},
        {"{\"m\": \"encodec_24khz\", \"al\": 7203, \"nc\": 1000000, \"lm\": false}", RSD_ERR_CORRUPT,
         "\"nc\" is 1000000"},
        {"{\"m\": \"encodec_24khz\", \"al\": 7203, \"nc\": 2}", RSD_ERR_CORRUPT, "\"lm\" is missing"},
        {"{\"m\": \"encodec_24khz\", \"al\": 7203, \"nc\": 2, \"lm\": 7}", RSD_ERR_CORRUPT, "\"lm\" is 7"},
        {"{\"m\": \"encodec_24khz\", \"al\": 7203, \"nc\": 2, \"lm\": true}", RSD_ERR_MODEL, "--lm"},
        {"[1, 2]", RSD_ERR_CORRUPT, "JSON object"},
        {"{\"m\": ", RSD_ERR_CORRUPT, "JSON"},
        {"{\"m\": \"encodec_24khz\", \"m\": \"encodec_24khz\", \"al\": 7203, \"nc\": 2, \"lm\": false}",
         RSD_ERR_CORRUPT, "duplicate"},
    };
    EcdcRig rig;

    NEED_SHARED(ECDC_MONO);
    ecdc_rig_open(&rig, ECDC_MONO, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t prefix[ECDC_PREFIX_SIZE] = "ECDC";
        RsdDecoder *decoder = NULL;
        Bytes bytes = {0};
        RsdStatus status;

        put_u32be(prefix + 5, (uint32_t)strlen(cases[i].json));
        bytes_write(&bytes, prefix, sizeof prefix, NULL);
        bytes_write(&bytes, cases[i].json, strlen(cases[i].json), NULL);
        bytes.at = 0;
        status = ecdc_rig_open_decoder(&rig, &decoder, &bytes, NULL);
        cr_assert_eq(status, cases[i].status, "case %zu: %d: %s", i, status, rig.err.text);
        cr_assert(strstr(rig.err.text, cases[i].part), "case %zu: '%s' does not contain '%s'", i, rig.err.text,
                  cases[i].part);
        cr_assert(strstr(rig.err.text, "x.ecdc"), "case %zu: '%s'", i, rig.err.text);
        bytes_clear(&bytes);
    }
    ecdc_rig_close(&rig);
}

Test(ecdc_hostile, version_and_length_of_the_header_are_checked)
{
    const struct {
        size_t at;
        uint8_t value;
        RsdStatus status;
        const char *part;
    } cases[] = {{4, 1, RSD_ERR_UNSUPPORTED, "version 1"},
                 {5, 1, RSD_ERR_CORRUPT, "bytes of JSON"},
                 {8, 0, RSD_ERR_CORRUPT, "0 bytes"}};
    EcdcRig rig;

    NEED_SHARED(ECDC_MONO);
    ecdc_rig_open(&rig, ECDC_MONO, 0);
    for (size_t i = 0; i < 3; i++) {
        SharedPath path;
        Bytes bytes = {0};
        RsdDecoder *decoder = NULL;

        ecdc_load(&bytes, ecdc_golden(&path, &rig, "bw0.9/plain.ecdc"));
        bytes.data[cases[i].at] = cases[i].value;
        ASSERT_FAILS(ecdc_rig_open_decoder(&rig, &decoder, &bytes, NULL), cases[i].status, rig.err, cases[i].part);
        bytes_clear(&bytes);
    }
    ecdc_rig_close(&rig);
}

Test(ecdc_hostile, cut_anywhere_it_ends_with_a_sentence_and_gives_what_came_before)
{
    const char *const roots[] = {ECDC_MONO, ECDC_STEREO}, *const files[] = {"bw0.9/plain.ecdc", "bw0.6/plain.ecdc"};

    NEED_SHARED("golden/encodec");
    for (int r = 0; r < 2; r++) {
        EcdcRig rig;
        SharedPath path;
        Bytes bytes = {0};
        float *y;
        size_t size;

        ecdc_rig_open(&rig, roots[r], 0);
        ecdc_load(&bytes, ecdc_golden(&path, &rig, files[r]));
        y = calloc((size_t)rig.input.count, sizeof *y);
        size = bytes.size;
        for (bytes.size = 0; bytes.size < size; bytes.size++) {
            int64_t n_done;
            RsdStatus status;

            bytes.at = 0;
            status = ecdc_rig_decode(&rig, &bytes, y, rig.input.shape[1], 4000, &n_done, NULL);
            cr_assert_eq(status, RSD_ERR_CORRUPT, "%zu bytes: %d", bytes.size, status);
            cr_assert(n_done < rig.input.shape[1] && rig.err.text[0]);
        }
        bytes_clear(&bytes);
        free(y);
        ecdc_rig_close(&rig);
    }
}

/* Arithmetic-coded bits are read by what came before them: a wrong one makes other codes, and then too many bits or too few. */
Test(ecdc_hostile, a_file_with_the_language_model_that_is_cut_or_changed_ends_with_a_sentence_or_all_samples)
{
    const int64_t n = 2000;
    EcdcRig rig;
    SharedPath path;
    Bytes bytes = {0};
    CodeLm *lm;
    float y[2000];
    int64_t n_done;
    size_t size, head, n_refused = 0;

    NEED_SHARED(ECDC_MONO);
    ecdc_rig_open(&rig, ECDC_MONO, 0);
    ASSERT_OK(code_lm_load(&lm, ecdc_golden(&path, &rig, "lm_orig.th"), &rig.err), rig.err);
    ecdc_rig_encode(&rig, &bytes, rig.input.f32, n, 4, 4000, n, lm);
    size = bytes.size;
    head = ECDC_PREFIX_SIZE + get_u32be(bytes.data + 5);
    for (bytes.size = head; bytes.size < size; bytes.size++) {
        bytes.at = 0;
        cr_assert_eq(ecdc_rig_decode(&rig, &bytes, y, n, 4000, &n_done, lm), RSD_ERR_CORRUPT, "%zu bytes", bytes.size);
        cr_assert(n_done < n && strstr(rig.err.text, "x.ecdc"), "%s", rig.err.text);
    }
    for (size_t i = head; i < size; i++) {
        RsdStatus status;

        bytes.data[i] ^= (uint8_t)(1 << i % 8);
        bytes.at = 0;
        rig.err.text[0] = '\0';
        status = ecdc_rig_decode(&rig, &bytes, y, n, 4000, &n_done, lm);
        cr_assert(status == RSD_OK ? n_done == n : status == RSD_ERR_CORRUPT && strstr(rig.err.text, "x.ecdc"), "byte %zu: %d: %s", i,
                  status, rig.err.text);
        n_refused += status != RSD_OK;
        bytes.data[i] ^= (uint8_t)(1 << i % 8);
    }
    cr_assert_gt(n_refused, 0);
    code_lm_destroy(&lm);
    bytes_clear(&bytes);
    ecdc_rig_close(&rig);
}

/* The published tool drops them; a file behind another one would be lost without a word. */
Test(ecdc_hostile, bytes_behind_the_codes_are_told_once_everything_before_them_was_delivered)
{
    const char *const roots[] = {ECDC_MONO, ECDC_STEREO}, *const files[] = {"bw0.9/plain.ecdc", "bw0.6/plain.ecdc"};

    NEED_SHARED("golden/encodec");
    for (int i = 0; i < 4; i++) {
        const int64_t block = i / 2 ? 100000 : 777;
        EcdcRig rig;
        SharedPath path;
        Bytes bytes = {0};
        float *y;
        int64_t n_done;

        ecdc_rig_open(&rig, roots[i % 2], 0);
        ecdc_load(&bytes, ecdc_golden(&path, &rig, files[i % 2]));
        y = calloc((size_t)rig.input.count, sizeof *y);
        bytes_write(&bytes, "E", 1, NULL);
        bytes.at = 0;
        ASSERT_FAILS(ecdc_rig_decode(&rig, &bytes, y, rig.input.shape[1], (size_t)block, &n_done, NULL), RSD_ERR_CORRUPT, rig.err,
                     "x.ecdc: the codes end after");
        cr_assert(strstr(rig.err.text, "another file stands behind it"), "%s", rig.err.text);
        cr_assert_eq(n_done, rig.input.shape[1]);
        bytes_clear(&bytes);
        free(y);
        ecdc_rig_close(&rig);
    }
}

Test(ecdc_hostile, scales_that_are_no_numbers_are_refused)
{
    const uint32_t bad[] = {0x7fc00000, 0x7f800000, 0xbf800000, 0x7f000000};
    EcdcRig rig;

    NEED_SHARED(ECDC_STEREO);
    ecdc_rig_open(&rig, ECDC_STEREO, 0);
    for (size_t i = 0; i < 4; i++) {
        SharedPath path;
        Bytes bytes = {0};
        float *y = calloc((size_t)rig.input.count, sizeof *y);
        int64_t n_done;

        ecdc_load(&bytes, ecdc_golden(&path, &rig, "bw0.6/plain.ecdc"));
        put_u32be(bytes.data + ECDC_PREFIX_SIZE + get_u32be(bytes.data + 5), bad[i]);
        ASSERT_FAILS(ecdc_rig_decode(&rig, &bytes, y, rig.input.shape[1], 4000, &n_done, NULL), RSD_ERR_CORRUPT, rig.err,
                     "scale");
        bytes_clear(&bytes);
        free(y);
    }
    ecdc_rig_close(&rig);
}
