/* test_ecdc.c - EnCodec's files against those of the published tool, and against everything that may be wrong with one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "codec/ecdc.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "codec/bitpack.h"
#include "codec/model.h"
#include "engine/base/bytes.h"
#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "tests/codec/streams.h"
#include "tests/shared.h"

#define MONO "golden/encodec/mono24"
#define STEREO "golden/encodec/stereo48style"
#define NAME_SIZE 128

typedef struct Rig {
    const char *root;
    AudioCodec *codec;
    RsdModel *model;
    RsdThreads *threads;
    json_t *index;
    Npy input; /* [channels, n] */
    RsdError err;
} Rig;

static const char *golden(SharedPath *path, const Rig *rig, const char *file)
{
    char relative[2 * NAME_SIZE];

    snprintf(relative, sizeof relative, "%s/%s", rig->root, file);
    return shared_path(path, relative);
}

static void rig_open(Rig *rig, const char *root, double segment_seconds)
{
    SharedPath path, config;

    memset(rig, 0, sizeof *rig);
    rig->root = root;
    ASSERT_OK(audio_codec_load_with_config(&rig->codec, golden(&path, rig, "model_orig.th"),
                                           golden(&config, rig, "config_hf.json"), &rig->err),
              rig->err);
    if (segment_seconds > 0)
        rig->codec->config.segment_seconds = segment_seconds;
    ASSERT_OK(model_from_codec(&rig->model, rig->codec, &rig->err), rig->err);
    ASSERT_OK(rsd_threads_create(&rig->threads, 2, &rig->err), rig->err);
    rig->index = json_file_load(golden(&path, rig, "index.json"));
    npy_load(&rig->input, golden(&path, rig, "input.npy"));
}

static void rig_close(Rig *rig)
{
    npy_free(&rig->input);
    json_decref(rig->index);
    rsd_model_close(&rig->model);
    audio_codec_destroy(&rig->codec);
    rsd_threads_destroy(&rig->threads);
}

/* Encodes x [channels, n] in blocks; n_samples: what is announced. */
static void encode(Rig *rig, Bytes *out, const float *x, int64_t n, int n_stages, size_t block, int64_t n_samples,
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

static RsdStatus open_decoder(Rig *rig, RsdDecoder **decoder, Bytes *in, const RsdLanguageModel *lm)
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

/* y [channels, n], decoded in blocks; returns the status of the last read and how many samples came. */
static RsdStatus decode(Rig *rig, Bytes *in, float *y, int64_t n, size_t block, int64_t *n_done,
                        const RsdLanguageModel *lm)
{
    RsdDecoder *decoder = NULL;
    size_t got = 1;
    RsdStatus status = open_decoder(rig, &decoder, in, lm);

    *n_done = 0;
    while (status == RSD_OK && got > 0) {
        size_t room = (size_t)(n - *n_done) < block ? (size_t)(n - *n_done) : block;

        status = rsd_decoder_read(decoder, y + *n_done, (size_t)n, room, &got, &rig->err);
        *n_done += (int64_t)got;
    }
    rsd_decoder_close(&decoder);
    return status;
}

static void load_bytes(Bytes *bytes, const char *path)
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

/* ---- against the published tool ---- */

/* Bytes equal; a segment's scale, a float that torch sums in an order of its own, may differ in its last place. */
static void assert_same_file(const Rig *rig, const Bytes *ours, const Bytes *theirs, int n_stages, const char *what)
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

static void assert_published_files(Rig *rig, const char *const *rates, const int *n_stages, int n)
{
    for (int i = 0; i < n; i++) {
        Bytes ours = {0}, theirs = {0};
        SharedPath path;
        Npy expected;
        char file[NAME_SIZE];
        float *y = calloc((size_t)rig->input.count, sizeof *y);
        int64_t n_done;

        snprintf(file, sizeof file, "%s/plain.ecdc", rates[i]);
        load_bytes(&theirs, golden(&path, rig, file));
        encode(rig, &ours, rig->input.f32, rig->input.shape[1], n_stages[i], 1000, rig->input.shape[1], NULL);
        assert_same_file(rig, &ours, &theirs, n_stages[i], file);
        ASSERT_OK(decode(rig, &theirs, y, rig->input.shape[1], 777, &n_done, NULL), rig->err);
        cr_assert_eq(n_done, rig->input.shape[1]);
        snprintf(file, sizeof file, "%s/decoded.npy", rates[i]);
        npy_load(&expected, golden(&path, rig, file));
        ASSERT_CLOSE_F32(file, y, expected.f32, expected.count, tolerance_of(rig->index, file));
        npy_free(&expected);
        bytes_clear(&ours);
        bytes_clear(&theirs);
        free(y);
    }
}

Test(ecdc, files_of_the_causal_model_are_those_of_the_published_tool)
{
    Rig rig;

    NEED_SHARED(MONO);
    rig_open(&rig, MONO, 0);
    assert_published_files(&rig, (const char *const[]){"bw0.9", "bw1.8", "bw3.6"}, (const int[]){2, 4, 8}, 3);
    rig_close(&rig);
}

Test(ecdc, files_of_the_segmented_model_are_those_of_the_published_tool)
{
    Rig rig;

    NEED_SHARED(STEREO);
    rig_open(&rig, STEREO, 0);
    assert_published_files(&rig, (const char *const[]){"bw0.6", "bw1.2"}, (const int[]){2, 4}, 2);
    rig_close(&rig);
}

/* Through a file and back; what comes is the begin of what the published code decodes. */
static void assert_decodes_to(Rig *rig, const float *x, int64_t n, int64_t stride, const char *decoded)
{
    const int channels = rsd_model_info(rig->model)->channels;
    Bytes bytes = {0};
    SharedPath path;
    Npy expected;
    float *block = calloc((size_t)(channels * n), sizeof *block), *y = calloc((size_t)(channels * n), sizeof *y);
    int64_t n_done;

    for (int c = 0; c < channels; c++)
        memcpy(block + c * n, x + c * stride, (size_t)n * sizeof *block);
    encode(rig, &bytes, block, n, 0, 500, n, NULL);
    ASSERT_OK(decode(rig, &bytes, y, n, 100000, &n_done, NULL), rig->err);
    cr_assert_eq(n_done, n);
    npy_load(&expected, golden(&path, rig, decoded));
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
    } cases[] = {{MONO, 1},   {MONO, 7},    {MONO, 320},    {MONO, 321},    {MONO, 963},
                 {STEREO, 1}, {STEREO, 50}, {STEREO, 3840}, {STEREO, 3841}, {STEREO, 3900}};

    NEED_SHARED("golden/encodec");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Rig rig;
        SharedPath path;
        Npy x;
        char file[NAME_SIZE];

        rig_open(&rig, cases[i].root, 0);
        snprintf(file, sizeof file, "edge/len%d_input.npy", cases[i].len);
        npy_load(&x, golden(&path, &rig, file));
        snprintf(file, sizeof file, "edge/len%d_decoded.npy", cases[i].len);
        assert_decodes_to(&rig, x.f32, x.shape[1], x.shape[1], file);
        npy_free(&x);
        rig_close(&rig);
    }
}

Test(ecdc, segments_that_are_no_whole_number_of_frames_are_joined_as_published)
{
    Rig rig;

    NEED_SHARED(STEREO);
    rig_open(&rig, STEREO, 0.25);
    assert_decodes_to(&rig, rig.input.f32, rig.input.shape[1], rig.input.shape[1], "odd_segment/decoded_full.npy");
    rig_close(&rig);
}

/* ---- streaming ---- */

static float *noise(int64_t n, uint64_t seed)
{
    float *x = calloc((size_t)n, sizeof *x);
    Rng rng = rng_at(seed, RNG_TEST, 0, 0);

    for (int64_t i = 0; i < n; i++)
        x[i] = 0.1f * rng_normal(&rng);
    return x;
}

/* The whole signal at once: what chunks must equal. */
static void whole(Rig *rig, const float *x, int64_t n, uint16_t *codes, float *y)
{
    AudioCodec *codec = rig->codec;
    int n_q = codec->config.rvq.n_q;
    Tape *tape;
    Tensor *in, *z, *out;

    ASSERT_OK(tape_create(&tape, rig->threads, 0, &rig->err), rig->err);
    ASSERT_OK(tape_input(tape, &in, 3, (int64_t[]){1, 1, n}, x, &rig->err), rig->err);
    ASSERT_OK(seanet_encode(tape, codec->net, in, &z, &rig->err), rig->err);
    ASSERT_OK(rvq_encode(tape, codec->rvq, z, n_q, codes, &rig->err), rig->err);
    ASSERT_OK(rvq_decode(tape, codec->rvq, codes, 1, n_q, z->shape[2], &z, &rig->err), rig->err);
    ASSERT_OK(seanet_decode(tape, codec->net, z, &out, &rig->err), rig->err);
    memcpy(y, out->data, (size_t)n * sizeof *y);
    tape_destroy(&tape);
}

Test(ecdc, chunks_of_the_causal_model_equal_the_whole_signal_bit_for_bit_reflection_at_both_ends_included)
{
    const int64_t lengths[] = {16320, 16321, 33333, 48000, 48001, 50000};
    Rig rig;

    NEED_SHARED(MONO);
    rig_open(&rig, MONO, 0);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        const int64_t n = lengths[i], n_frames = (n + 319) / 320;
        Bytes bytes = {0};
        float *x = noise(n, i), *expected = calloc((size_t)n, sizeof *x), *y = calloc((size_t)n, sizeof *x);
        uint16_t *codes = calloc((size_t)n_frames * 8, sizeof *codes);
        BitReader bits;
        int64_t n_done;

        whole(&rig, x, n, codes, expected);
        encode(&rig, &bytes, x, n, 0, 1 + (size_t)i * 1117, n, NULL);
        bit_reader_init(&bits, bytes.data + ECDC_PREFIX_SIZE + get_u32be(bytes.data + 5), bytes.size);
        for (int64_t t = 0; t < n_frames; t++)
            for (int k = 0; k < 8; k++)
                cr_assert_eq(bit_reader_get(&bits, 6), codes[k * n_frames + t], "%d samples: code %d of frame %d",
                             (int)n, k, (int)t);
        ASSERT_OK(decode(&rig, &bytes, y, n, 999, &n_done, NULL), rig.err);
        cr_assert_eq(n_done, n);
        ASSERT_SAME_BITS("samples", y, expected, n);
        bytes_clear(&bytes);
        free(x);
        free(expected);
        free(y);
        free(codes);
    }
    rig_close(&rig);
}

Test(ecdc, blocks_threads_and_an_unknown_length_do_not_change_the_file)
{
    const char *const roots[] = {MONO, STEREO};

    NEED_SHARED("golden/encodec");
    for (int r = 0; r < 2; r++) {
        Bytes a = {0}, b = {0};
        Rig rig;

        rig_open(&rig, roots[r], 0);
        encode(&rig, &a, rig.input.f32, rig.input.shape[1], 0, 1, rig.input.shape[1], NULL);
        rsd_threads_destroy(&rig.threads);
        encode(&rig, &b, rig.input.f32, rig.input.shape[1], 0, 5000, RSD_UNKNOWN_LENGTH, NULL);
        cr_assert(a.size == b.size && memcmp(a.data, b.data, a.size) == 0);
        bytes_clear(&a);
        bytes_clear(&b);
        rig_close(&rig);
    }
}

Test(ecdc, no_memory_is_taken_after_opening)
{
    const char *const roots[] = {MONO, STEREO};

    NEED_SHARED("golden/encodec");
    for (int r = 0; r < 2; r++) {
        const int64_t n = 24000 * 5;
        RsdEncoderOptions options;
        RsdEncoder *encoder;
        RsdDecoder *decoder;
        Bytes bytes = {0};
        Rig rig;
        float *x = noise(2 * n, 3), *y = calloc((size_t)(2 * n), sizeof *y);
        int64_t before;
        size_t got = 1;

        rig_open(&rig, roots[r], 0);
        bytes.capacity = 1 << 20;
        bytes.data = malloc(bytes.capacity);
        rsd_encoder_default_options(&options);
        options.model = rig.model;
        options.threads = rig.threads;
        options.write = bytes_write;
        options.write_ctx = &bytes;
        options.n_samples = n;
        options.container = RSD_CONTAINER_ECDC;
        ASSERT_OK(rsd_encoder_open(&encoder, &options, &rig.err), rig.err);
        before = mem_allocation_count();
        for (int64_t at = 0; at < n; at += 320)
            ASSERT_OK(rsd_encoder_write(encoder, x + at, (size_t)n, 320, &rig.err), rig.err);
        ASSERT_OK(rsd_encoder_finish(encoder, &rig.err), rig.err);
        cr_assert_eq(mem_allocation_count(), before, "%s: encoding took memory %d times", roots[r],
                     (int)(mem_allocation_count() - before));
        rsd_encoder_close(&encoder);
        ASSERT_OK(open_decoder(&rig, &decoder, &bytes, NULL), rig.err);
        before = mem_allocation_count();
        while (got > 0)
            ASSERT_OK(rsd_decoder_read(decoder, y, (size_t)n, 320, &got, &rig.err), rig.err);
        cr_assert_eq(mem_allocation_count(), before, "%s: decoding took memory %d times", roots[r],
                     (int)(mem_allocation_count() - before));
        rsd_decoder_close(&decoder);
        bytes_clear(&bytes);
        free(x);
        free(y);
        rig_close(&rig);
    }
}

/* ---- with the language model ---- */

static CodeLm *load_lm(Rig *rig)
{
    SharedPath path;
    CodeLm *lm;

    ASSERT_OK(code_lm_load(&lm, golden(&path, rig, "lm_orig.th"), &rig->err), rig->err);
    return lm;
}

Test(ecdc, files_with_the_language_model_come_back_and_are_refused_without_it)
{
    const char *const roots[] = {MONO, STEREO};

    NEED_SHARED("golden/encodec");
    for (int r = 0; r < 2; r++) {
        Bytes plain = {0}, coded = {0};
        Rig rig;
        CodeLm *lm;
        float *x, *y;
        int64_t n_done;

        rig_open(&rig, roots[r], 0);
        lm = load_lm(&rig);
        x = calloc((size_t)rig.input.count, sizeof *x);
        y = calloc((size_t)rig.input.count, sizeof *y);
        encode(&rig, &plain, rig.input.f32, rig.input.shape[1], 0, 4000, rig.input.shape[1], NULL);
        encode(&rig, &coded, rig.input.f32, rig.input.shape[1], 0, 777, rig.input.shape[1], lm);
        ASSERT_OK(decode(&rig, &plain, x, rig.input.shape[1], 4000, &n_done, NULL), rig.err);
        ASSERT_OK(decode(&rig, &coded, y, rig.input.shape[1], 333, &n_done, lm), rig.err);
        cr_assert_eq(n_done, rig.input.shape[1]);
        ASSERT_SAME_BITS("samples", y, x, rig.input.count);
        coded.at = 0;
        ASSERT_FAILS(decode(&rig, &coded, y, rig.input.shape[1], 333, &n_done, NULL), RSD_ERR_MODEL, rig.err, "--lm");
        bytes_clear(&plain);
        bytes_clear(&coded);
        code_lm_destroy(&lm);
        free(x);
        free(y);
        rig_close(&rig);
    }
}

/* ---- hostile files ---- */

Test(ecdc, every_field_of_the_header_is_checked)
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
    Rig rig;

    NEED_SHARED(MONO);
    rig_open(&rig, MONO, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t prefix[ECDC_PREFIX_SIZE] = "ECDC";
        RsdDecoder *decoder = NULL;
        Bytes bytes = {0};
        RsdStatus status;

        put_u32be(prefix + 5, (uint32_t)strlen(cases[i].json));
        bytes_write(&bytes, prefix, sizeof prefix, NULL);
        bytes_write(&bytes, cases[i].json, strlen(cases[i].json), NULL);
        bytes.at = 0;
        status = open_decoder(&rig, &decoder, &bytes, NULL);
        cr_assert_eq(status, cases[i].status, "case %zu: %d: %s", i, status, rig.err.text);
        cr_assert(strstr(rig.err.text, cases[i].part), "case %zu: '%s' does not contain '%s'", i, rig.err.text,
                  cases[i].part);
        cr_assert(strstr(rig.err.text, "x.ecdc"), "case %zu: '%s'", i, rig.err.text);
        bytes_clear(&bytes);
    }
    rig_close(&rig);
}

Test(ecdc, version_and_length_of_the_header_are_checked)
{
    const struct {
        size_t at;
        uint8_t value;
        RsdStatus status;
        const char *part;
    } cases[] = {{4, 1, RSD_ERR_UNSUPPORTED, "version 1"},
                 {5, 1, RSD_ERR_CORRUPT, "bytes of JSON"},
                 {8, 0, RSD_ERR_CORRUPT, "0 bytes"}};
    Rig rig;

    NEED_SHARED(MONO);
    rig_open(&rig, MONO, 0);
    for (size_t i = 0; i < 3; i++) {
        SharedPath path;
        Bytes bytes = {0};
        RsdDecoder *decoder = NULL;

        load_bytes(&bytes, golden(&path, &rig, "bw0.9/plain.ecdc"));
        bytes.data[cases[i].at] = cases[i].value;
        ASSERT_FAILS(open_decoder(&rig, &decoder, &bytes, NULL), cases[i].status, rig.err, cases[i].part);
        bytes_clear(&bytes);
    }
    rig_close(&rig);
}

Test(ecdc, cut_anywhere_it_ends_with_a_sentence_and_gives_what_came_before)
{
    const char *const roots[] = {MONO, STEREO}, *const files[] = {"bw0.9/plain.ecdc", "bw0.6/plain.ecdc"};

    NEED_SHARED("golden/encodec");
    for (int r = 0; r < 2; r++) {
        Rig rig;
        SharedPath path;
        Bytes bytes = {0};
        float *y;
        size_t size;

        rig_open(&rig, roots[r], 0);
        load_bytes(&bytes, golden(&path, &rig, files[r]));
        y = calloc((size_t)rig.input.count, sizeof *y);
        size = bytes.size;
        for (bytes.size = 0; bytes.size < size; bytes.size++) {
            int64_t n_done;
            RsdStatus status;

            bytes.at = 0;
            status = decode(&rig, &bytes, y, rig.input.shape[1], 4000, &n_done, NULL);
            cr_assert_eq(status, RSD_ERR_CORRUPT, "%zu bytes: %d", bytes.size, status);
            cr_assert(n_done < rig.input.shape[1] && rig.err.text[0]);
        }
        bytes_clear(&bytes);
        free(y);
        rig_close(&rig);
    }
}

Test(ecdc, scales_that_are_no_numbers_are_refused)
{
    const uint32_t bad[] = {0x7fc00000, 0x7f800000, 0xbf800000, 0x7f000000};
    Rig rig;

    NEED_SHARED(STEREO);
    rig_open(&rig, STEREO, 0);
    for (size_t i = 0; i < 4; i++) {
        SharedPath path;
        Bytes bytes = {0};
        float *y = calloc((size_t)rig.input.count, sizeof *y);
        int64_t n_done;

        load_bytes(&bytes, golden(&path, &rig, "bw0.6/plain.ecdc"));
        put_u32be(bytes.data + ECDC_PREFIX_SIZE + get_u32be(bytes.data + 5), bad[i]);
        ASSERT_FAILS(decode(&rig, &bytes, y, rig.input.shape[1], 4000, &n_done, NULL), RSD_ERR_CORRUPT, rig.err,
                     "scale");
        bytes_clear(&bytes);
        free(y);
    }
    rig_close(&rig);
}

Test(ecdc, a_model_of_segments_says_that_it_codes_no_rsd_stream)
{
    RsdEncoderOptions options;
    RsdEncoder *encoder = NULL;
    Bytes bytes = {0};
    Rig rig;

    NEED_SHARED(STEREO);
    rig_open(&rig, STEREO, 0);
    cr_assert_not(rsd_model_info(rig.model)->can_stream);
    cr_assert_eq(rsd_model_info(rig.model)->delay_samples, 3840);
    rsd_encoder_default_options(&options);
    options.model = rig.model;
    options.write = bytes_write;
    options.write_ctx = &bytes;
    ASSERT_FAILS(rsd_encoder_open(&encoder, &options, &rig.err), RSD_ERR_UNSUPPORTED, rig.err, ".ecdc");
    rig_close(&rig);
}
