/* test_encodec.c - published EnCodec checkpoints of every layout become the same model, and what does not fit is named.
 *
 * Networks against golden numbers: test_encodec_golden.c; files: tests/codec/test_ecdc.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "models/encodec.h"

#include <math.h>
#include <unistd.h>

#include "tests/shared.h"

#define MONO "golden/encodec/mono24/"
#define STEREO "golden/encodec/stereo48style/"

static AudioCodec *load(const char *file, const char *config)
{
    SharedPath path, config_path;
    AudioCodec *codec;
    RsdError err;

    ASSERT_OK(audio_codec_load_with_config(&codec, shared_path(&path, file),
                                           config ? shared_path(&config_path, config) : NULL, &err),
              err);
    return codec;
}

static void assert_same_model(const AudioCodec *a, const AudioCodec *b, const char *what)
{
    cr_assert(memcmp(&a->config.seanet, &b->config.seanet, sizeof a->config.seanet) == 0, "%s", what);
    cr_assert(a->config.rate_hz == b->config.rate_hz && a->config.normalize == b->config.normalize &&
                  a->config.segment_seconds == b->config.segment_seconds &&
                  a->config.segment_overlap == b->config.segment_overlap && strcmp(a->config.name, b->config.name) == 0,
              "%s", what);
    cr_assert_eq(a->params->n_items, b->params->n_items);
    for (size_t i = 0; i < a->params->n_items; i++)
        ASSERT_SAME_BITS(a->params->items[i].name, a->params->items[i].tensor->data, b->params->items[i].tensor->data,
                         tensor_count(a->params->items[i].tensor));
}

Test(encodec, every_layout_of_the_same_weights_is_the_same_model)
{
    const char *const mono[] = {MONO "model_hf.safetensors", MONO "model_hf_parametrized.safetensors"};
    AudioCodec *a, *b;

    NEED_SHARED("golden/encodec");
    a = load(MONO "model_orig.th", NULL);
    cr_assert_str_eq(a->config.name, "encodec_24khz");
    cr_assert(a->config.rate_hz == 24000 && a->config.seanet.causal && a->config.seanet.n_ratios == 4 &&
              a->config.rvq.n_q == 8);
    for (int i = 0; i < 2; i++) {
        b = load(mono[i], i ? MONO "config_hf.json" : NULL);
        assert_same_model(a, b, mono[i]);
        audio_codec_destroy(&b);
    }
    audio_codec_destroy(&a);
    a = load(STEREO "model_orig.th", STEREO "config_hf.json");
    b = load(STEREO "model_hf.safetensors", STEREO "config_hf.json");
    cr_assert(a->config.rate_hz == 16000 && !a->config.seanet.causal && a->config.normalize);
    cr_assert_eq(audio_codec_segment_samples(&a->config), 3840);
    cr_assert_eq(audio_codec_segment_stride(&a->config), 3801);
    assert_same_model(a, b, "stereo");
    audio_codec_destroy(&a);
    audio_codec_destroy(&b);
}

Test(encodec, published_48_khz_model_has_segments_of_48000_samples_every_47520)
{
    const AudioCodecConfig cfg = {.rate_hz = 48000, .segment_seconds = 1.0, .segment_overlap = 0.01};

    cr_assert_eq(audio_codec_segment_samples(&cfg), 48000);
    cr_assert_eq(audio_codec_segment_stride(&cfg), 47520);
}

Test(encodec, converted_it_is_the_same_model_with_its_notes)
{
    char path[64];
    AudioCodec *a, *b;
    Checkpoint *file;
    RsdError err;

    NEED_SHARED("golden/encodec");
    snprintf(path, sizeof path, "/tmp/residua-encodec-%d.safetensors", (int)getpid());
    a = load(STEREO "model_orig.th", STEREO "config_hf.json");
    ASSERT_OK(audio_codec_save(a, path, DTYPE_F32, false, (const char *const[]){"licence", "CC0", NULL}, &err), err);
    ASSERT_OK(audio_codec_load(&b, path, &err), err);
    assert_same_model(a, b, "converted");
    ASSERT_OK(checkpoint_open(&file, path, &err), err);
    cr_assert_str_eq(checkpoint_metadata(file, "licence"), "CC0");
    checkpoint_close(&file);
    audio_codec_destroy(&a);
    audio_codec_destroy(&b);
    unlink(path);
}

/* The golden file with one thing changed; the writer borrows from st. */
typedef enum Change { DROP_BIAS, RESHAPE_BIAS, ADD_ARRAY, POISON_BIAS } Change;

static RsdStatus import_changed(Change change, AudioCodecUse use, RsdError *err)
{
    static const char victim[] = "decoder.layers.7.block.1.conv.bias";
    SharedPath shared;
    char path[64];
    Safetensors *st;
    SafetensorsWriter *writer;
    AudioCodec *codec = NULL;
    float poison[64] = {0}, extra = 1.0f;
    RsdStatus status;

    snprintf(path, sizeof path, "/tmp/residua-changed-%d.safetensors", (int)getpid());
    ASSERT_OK(safetensors_open(&st, shared_path(&shared, MONO "model_hf.safetensors"), err), *err);
    ASSERT_OK(safetensors_writer_create(&writer, err), *err);
    for (size_t i = 0; i < safetensors_count(st); i++) {
        const SafetensorsEntry *e = safetensors_entry(st, i);
        bool is_victim = strcmp(e->name, victim) == 0;
        int64_t shape[2] = {e->shape[0] / 2, 2};
        const void *data = e->data;

        if (is_victim && change == DROP_BIAS)
            continue;
        poison[3] = NAN;
        if (is_victim && change == POISON_BIAS)
            data = poison;
        ASSERT_OK(safetensors_writer_raw(writer, e->name, e->dtype, is_victim && change == RESHAPE_BIAS ? 2 : e->n_dims,
                                         is_victim && change == RESHAPE_BIAS ? shape : e->shape, data, err),
                  *err);
    }
    if (change == ADD_ARRAY)
        ASSERT_OK(safetensors_writer_f32(writer, "decoder.layers.99.conv.bias", 1, (const int64_t[]){1}, &extra,
                                         DTYPE_F32, err),
                  *err);
    ASSERT_OK(safetensors_writer_finish(writer, path, err), *err);
    safetensors_writer_destroy(&writer);
    safetensors_close(&st);
    status = audio_codec_load_for(&codec, path, use, err);
    audio_codec_destroy(&codec);
    unlink(path);
    return status;
}

/* The arrays of the original code's file but one. */
Test(encodec, what_is_missing_has_the_name_that_the_file_would_give_it)
{
    static const char victim[] = "decoder.model.7.block.1.conv.conv.bias";
    SharedPath shared;
    Checkpoint *file;
    SafetensorsWriter *writer;
    AudioCodec *codec = NULL;
    float *numbers[512];
    size_t count;
    char path[64];
    RsdError err;

    NEED_SHARED("golden/encodec");
    snprintf(path, sizeof path, "/tmp/residua-missing-%d.safetensors", (int)getpid());
    ASSERT_OK(checkpoint_open(&file, shared_path(&shared, MONO "model_orig.th"), &err), err);
    ASSERT_OK(safetensors_writer_create(&writer, &err), err);
    count = checkpoint_count(file);
    cr_assert_lt(count, sizeof numbers / sizeof *numbers);
    for (size_t i = 0; i < count; i++) {
        const CheckpointArray *array = checkpoint_array(file, i);
        int64_t n = 1;

        for (int d = 0; d < array->n_dims; d++)
            n *= array->shape[d];
        numbers[i] = calloc((size_t)n, sizeof(float));
        ASSERT_OK(checkpoint_read_f32(file, array, numbers[i], n, &err), err);
        if (strcmp(array->name, victim) != 0)
            ASSERT_OK(safetensors_writer_f32(writer, array->name, array->n_dims, array->shape, numbers[i], DTYPE_F32, &err), err);
    }
    ASSERT_OK(safetensors_writer_finish(writer, path, &err), err);
    safetensors_writer_destroy(&writer);
    checkpoint_close(&file);
    for (size_t i = 0; i < count; i++)
        free(numbers[i]);
    ASSERT_FAILS(audio_codec_load(&codec, path, &err), RSD_ERR_CORRUPT, err, "decoder.model.7.block.1.conv.conv.bias is missing");
    unlink(path);
}

Test(encodec, missing_unexpected_misshapen_and_poisoned_arrays_are_named)
{
    RsdError err;

    NEED_SHARED("golden/encodec");
    ASSERT_FAILS(import_changed(DROP_BIAS, AUDIO_USE_ALL, &err), RSD_ERR_CORRUPT, err,
                 "decoder.layers.7.block.1.conv.bias is missing");
    ASSERT_FAILS(import_changed(RESHAPE_BIAS, AUDIO_USE_ALL, &err), RSD_ERR_CORRUPT, err,
                 "decoder.layers.7.block.1.conv.bias is [6, 2], expected [12]");
    ASSERT_FAILS(import_changed(ADD_ARRAY, AUDIO_USE_ALL, &err), RSD_ERR_CORRUPT, err, "decoder.layers.99.conv.bias is unexpected");
    for (AudioCodecUse use = AUDIO_USE_ALL; use <= AUDIO_USE_DECODE; use++) /* an encoder keeps no decoder and refuses it all the same */
        ASSERT_FAILS(import_changed(POISON_BIAS, use, &err), RSD_ERR_NUMERIC, err,
                     "'decoder.layers.7.block.1.conv.bias': value 3 is nan");
}

/* A configuration beside sound weights, with one value wrong. */
Test(encodec, every_impossible_value_of_a_configuration_is_named)
{
    static const struct {
        const char *root, *json, *part;
    } cases[] = {
        {MONO, "{\"model_type\": \"encodec\", \"sampling_rate\": 0}", "rate_hz"},
        {MONO, "{\"model_type\": \"encodec\", \"sampling_rate\": -24000}", "rate_hz"},
        {MONO, "{\"model_type\": \"encodec\", \"sampling_rate\": 1e300}", "rate_hz"},
        {MONO, "{\"model_type\": \"encodec\", \"dilation_growth_rate\": 0}", "dilation_base"},
        {MONO, "{\"model_type\": \"encodec\", \"dilation_growth_rate\": 1e18}", "dilation_base"},
        {MONO, "{\"model_type\": \"encodec\", \"pad_mode\": \"circular\"}", "pad_mode is circular"},
        {MONO, "{\"model_type\": \"encodec\", \"trim_right_ratio\": 0.5}", "trim_right_ratio is 0.5"},
        {MONO, "{\"model_type\": \"encodec\", \"num_residual_layers\": 1000000000}", "num_residual_layers is 1e+09"},
        {MONO, "{\"model_type\": \"dac\"}", "expected encodec"},
        {MONO, "{\"model_type\": 7}", "expected encodec"},
        {STEREO, "{\"model_type\": \"encodec\", \"chunk_length_s\": 1e300}", "segment_seconds"},
        {STEREO, "{\"model_type\": \"encodec\", \"chunk_length_s\": -1}", "segment_seconds"},
        {STEREO, "{\"model_type\": \"encodec\", \"chunk_length_s\": 1e-9}", "shorter than a frame"},
        {STEREO, "{\"model_type\": \"encodec\", \"chunk_length_s\": 1, \"overlap\": 1}", "segment_overlap"},
        {STEREO, "{\"model_type\": \"encodec\", \"chunk_length_s\": 1, \"overlap\": -0.5}", "segment_overlap"},
        {STEREO, "[1]", "JSON object"},
        {STEREO, "{\"model_type\": ", "JSON"},
    };
    char config[64];
    RsdError err;

    NEED_SHARED("golden/encodec");
    snprintf(config, sizeof config, "/tmp/residua-config-%d.json", (int)getpid());
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char model[96];
        SharedPath path;
        AudioCodec *codec;
        FILE *file = fopen(config, "w");
        RsdStatus status;

        cr_assert(file && fputs(cases[i].json, file) >= 0 && fclose(file) == 0);
        snprintf(model, sizeof model, "%smodel_orig.th", cases[i].root);
        status = audio_codec_load_with_config(&codec, shared_path(&path, model), config, &err);
        cr_expect(status == RSD_ERR_CORRUPT || status == RSD_ERR_UNSUPPORTED, "%s: %d", cases[i].json, status);
        cr_expect(strstr(err.text, cases[i].part), "%s: '%s' does not contain '%s'", cases[i].json, err.text, cases[i].part);
        cr_expect_null(codec);
    }
    unlink(config);
}

Test(encodec, files_of_other_models_and_other_configurations_are_refused)
{
    SharedPath path, config;
    AudioCodec *codec;
    RsdError err;

    NEED_SHARED("golden/encodec");
    ASSERT_FAILS(audio_codec_load(&codec, shared_path(&path, MONO "lm_orig.th"), &err), RSD_ERR_UNSUPPORTED, err,
                 "neither EnCodec nor DAC");
    ASSERT_FAILS(audio_codec_load(&codec, shared_path(&path, MONO "input.wav"), &err), RSD_ERR_CORRUPT, err,
                 "input.wav");
    NEED_SHARED("golden/dac/dac44");
    ASSERT_FAILS(audio_codec_load_with_config(&codec, shared_path(&path, MONO "model_orig.th"),
                                              shared_path(&config, "golden/dac/dac44/config_hf.json"), &err),
                 RSD_ERR_UNSUPPORTED, err, "expected encodec");
}
