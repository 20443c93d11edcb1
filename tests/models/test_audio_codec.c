/* test_audio_codec.c - model files: round trips, and files that are damaged or lie.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/base/checksum.h"
#include "engine/base/mem.h"
#include "models/audio_codec_file.h"
#include "models/builtin.h"
#include "tests/shared.h"

static AudioCodecConfig tiny_config(void)
{
    AudioCodecConfig cfg;

    audio_codec_default_config(&cfg);
    strcpy(cfg.name, "tiny");
    cfg.seanet.base_channels = 4;
    cfg.seanet.n_ratios = 2;
    cfg.seanet.ratios[0] = 3;
    cfg.seanet.ratios[1] = 2;
    cfg.seanet.latent_dim = cfg.rvq.dim = 6;
    cfg.rvq.n_q = 3;
    cfg.rvq.codebook_size = 8;
    return cfg;
}

/* A file name of this process, removed by the test. */
static const char *temporary_path(void)
{
    static char path[64];

    snprintf(path, sizeof path, "/tmp/residua-test-%d.safetensors", (int)getpid());
    return path;
}

static AudioCodec *create_tiny(RsdError *err)
{
    AudioCodecConfig cfg = tiny_config();
    AudioCodec *codec;

    ASSERT_OK(audio_codec_create(&codec, &cfg, 5, err), *err);
    for (int q = 0; q < cfg.rvq.n_q; q++) {
        Rng rng = rng_at(6, RNG_TEST, 0, (uint32_t)q);
        char name[32];

        snprintf(name, sizeof name, "rvq.%d.embed", q);
        params_fill_uniform(params_find(codec->params, name), &rng, 1.0f);
    }
    rvq_refresh(codec->rvq);
    return codec;
}

/* codes and decoded samples of 40 frames of noise */
enum { N_FRAMES = 40, N_CODES = 3 * N_FRAMES, N_SAMPLES = 6 * N_FRAMES };

static void run_codec(const AudioCodec *codec, uint16_t codes[N_CODES], float samples[N_SAMPLES], RsdError *err)
{
    const int64_t shape[3] = {1, 1, N_SAMPLES};
    Rng rng = rng_at(1, RNG_TEST, 0, 0);
    RsdThreads *threads;
    Tape *tape;
    Tensor *x, *z, *y;

    ASSERT_OK(rsd_threads_create(&threads, 1, err), *err);
    ASSERT_OK(tape_create(&tape, threads, 0, err), *err);
    ASSERT_OK(tape_tensor(tape, &x, 3, shape, err), *err);
    params_fill_uniform(x, &rng, 1.0f);
    ASSERT_OK(seanet_encode(tape, codec->net, x, &z, err), *err);
    ASSERT_OK(rvq_encode(tape, codec->rvq, z, 3, codes, err), *err);
    ASSERT_OK(rvq_decode(tape, codec->rvq, codes, 1, 3, N_FRAMES, &z, err), *err);
    ASSERT_OK(seanet_decode(tape, codec->net, z, &y, err), *err);
    memcpy(samples, y->data, N_SAMPLES * sizeof(float));
    tape_destroy(&tape);
    rsd_threads_destroy(&threads);
}

/* ---- rates ---- */

Test(audio_codec, rates_of_speech16_are_half_a_kilobit_per_stage)
{
    AudioCodecConfig cfg;
    RsdError err;

    audio_codec_default_config(&cfg);
    ASSERT_OK(audio_codec_check_config(&cfg, &err), err);
    cr_assert_eq(audio_codec_bitrate_bps(&cfg, 1), 500.0);
    cr_assert_eq(audio_codec_bitrate_bps(&cfg, 12), 6000.0);
    cr_assert_eq(audio_codec_stages_for(&cfg, 6000.0), 12);
    cr_assert_eq(audio_codec_stages_for(&cfg, 5999.0), 11);
    cr_assert_eq(audio_codec_stages_for(&cfg, 1e9), 12);
    cr_assert_eq(audio_codec_stages_for(&cfg, 1.0), 1);
}

/* ---- round trips ---- */

Test(audio_codec, saved_as_f32_and_loaded_again_it_computes_the_same_bits)
{
    const char *const notes[] = {"licence", "MIT", "origin", "a test", NULL};
    uint16_t codes[2][N_CODES];
    float samples[2][N_SAMPLES];
    uint8_t digest[SHA256_SIZE], zeros[MODEL_HASH_SIZE] = {0};
    AudioCodec *codec, *loaded;
    Safetensors *st;
    RsdError err;

    codec = create_tiny(&err);
    cr_assert_arr_eq(codec->hash, zeros, MODEL_HASH_SIZE);
    ASSERT_OK(audio_codec_save(codec, temporary_path(), DTYPE_F32, false, notes, &err), err);
    ASSERT_OK(audio_codec_load(&loaded, temporary_path(), &err), err);
    cr_assert_eq(memcmp(&loaded->config.seanet.channels, &codec->config.seanet.channels, sizeof(int)), 0);
    cr_assert_str_eq(loaded->config.name, "tiny");
    cr_assert_eq(loaded->config.rvq.ema_decay, 0.99f);
    cr_assert_eq(loaded->config.rvq.dead_below, 0.1f);
    cr_assert_eq(loaded->config.seanet.ratios[0], 3);
    cr_assert_eq(loaded->config.seanet.ratios[1], 2);
    for (size_t i = 0; i < loaded->params->n_items; i++) {
        const Param *param = &loaded->params->items[i];

        ASSERT_SAME_BITS(param->name, param->tensor->data, params_find(codec->params, param->name)->data,
                         tensor_count(param->tensor));
        cr_assert_null(param->tensor->grad);
        cr_assert_not(param->training_only);
    }
    run_codec(codec, codes[0], samples[0], &err);
    run_codec(loaded, codes[1], samples[1], &err);
    cr_assert_arr_eq(codes[0], codes[1], sizeof codes[0]);
    ASSERT_SAME_BITS("samples", samples[1], samples[0], N_SAMPLES);
    ASSERT_OK(safetensors_open(&st, temporary_path(), &err), err);
    cr_assert_str_eq(safetensors_metadata(st, "licence"), "MIT");
    safetensors_hash(st, digest);
    cr_assert_arr_eq(loaded->hash, digest, MODEL_HASH_SIZE);
    safetensors_close(&st);
    audio_codec_destroy(&loaded);
    audio_codec_destroy(&codec);
    unlink(temporary_path());
}

Test(audio_codec, saved_as_f16_every_weight_is_within_half_a_unit)
{
    AudioCodec *codec, *loaded;
    RsdError err;

    codec = create_tiny(&err);
    ASSERT_OK(audio_codec_save(codec, temporary_path(), DTYPE_F16, false, NULL, &err), err);
    ASSERT_OK(audio_codec_load(&loaded, temporary_path(), &err), err);
    for (size_t i = 0; i < loaded->params->n_items; i++) {
        const Param *param = &loaded->params->items[i];

        ASSERT_CLOSE_F32(param->name, param->tensor->data, params_find(codec->params, param->name)->data,
                         tensor_count(param->tensor), ((Tolerance){.abs = 0x1p-25, .rel = 0x1p-11}));
    }
    audio_codec_destroy(&loaded);
    audio_codec_destroy(&codec);
    unlink(temporary_path());
}

Test(audio_codec, training_state_is_kept_when_asked_for_and_exact_also_beside_f16)
{
    AudioCodecConfig cfg = tiny_config();
    AudioCodec *codec, *other, *loaded;
    Safetensors *st;
    Tensor *count;
    RsdError err;

    codec = create_tiny(&err);
    count = params_find(codec->params, "rvq.1.count");
    count->data[0] = 1.0f / 3.0f;
    ASSERT_OK(audio_codec_save(codec, temporary_path(), DTYPE_F16, true, NULL, &err), err);
    ASSERT_OK(audio_codec_create(&other, &cfg, 99, &err), err);
    ASSERT_OK(safetensors_open(&st, temporary_path(), &err), err);
    ASSERT_OK(params_load(other->params, st, "", &err), err);
    cr_assert_eq(params_find(other->params, "rvq.1.count")->data[0], 1.0f / 3.0f);
    safetensors_close(&st);
    ASSERT_OK(audio_codec_load(&loaded, temporary_path(), &err), err); /* the state is no obstacle */
    cr_assert_null(params_find(loaded->params, "rvq.1.count"));
    ASSERT_FAILS(audio_codec_save(loaded, temporary_path(), DTYPE_F16, true, NULL, &err), RSD_ERR_ARG, err, "no training state");
    audio_codec_destroy(&loaded);
    audio_codec_destroy(&other);
    audio_codec_destroy(&codec);
    unlink(temporary_path());
}

Test(audio_codec, the_same_seed_gives_the_same_weights_and_another_seed_others)
{
    AudioCodecConfig cfg = tiny_config();
    AudioCodec *a, *b, *c;
    Tensor *x, *y, *z;
    RsdError err;

    ASSERT_OK(audio_codec_create(&a, &cfg, 1, &err), err);
    ASSERT_OK(audio_codec_create(&b, &cfg, 1, &err), err);
    ASSERT_OK(audio_codec_create(&c, &cfg, 2, &err), err);
    x = params_find(a->params, "encoder.stages.0.down.weight_v");
    y = params_find(b->params, "encoder.stages.0.down.weight_v");
    z = params_find(c->params, "encoder.stages.0.down.weight_v");
    ASSERT_SAME_BITS("weights", x->data, y->data, tensor_count(x));
    cr_assert_neq(x->data[0], z->data[0]);
    audio_codec_destroy(&a);
    audio_codec_destroy(&b);
    audio_codec_destroy(&c);
}

/* ---- files that lie ---- */

/* Metadata of the tiny model with key set to value (NULL: left out), around the real arrays. */
static void save_with(const AudioCodec *codec, const char *key, const char *value, RsdError *err)
{
    Safetensors *st;
    SafetensorsWriter *writer;
    bool replaced = false;

    ASSERT_OK(audio_codec_save(codec, temporary_path(), DTYPE_F32, false, NULL, err), *err);
    ASSERT_OK(safetensors_open(&st, temporary_path(), err), *err);
    ASSERT_OK(safetensors_writer_create(&writer, err), *err);
    for (size_t i = 0; i < safetensors_metadata_count(st); i++) {
        const char *old_key, *old_value;

        safetensors_metadata_at(st, i, &old_key, &old_value);
        if (strcmp(old_key, key) == 0) {
            replaced = true;
            if (value)
                ASSERT_OK(safetensors_writer_metadata(writer, key, value, err), *err);
        } else {
            ASSERT_OK(safetensors_writer_metadata(writer, old_key, old_value, err), *err);
        }
    }
    if (!replaced)
        ASSERT_OK(safetensors_writer_metadata(writer, key, value, err), *err);
    ASSERT_OK(params_save_for_inference(codec->params, writer, "", DTYPE_F32, err), *err);
    ASSERT_OK(safetensors_writer_finish(writer, temporary_path(), err), *err);
    safetensors_writer_destroy(&writer);
    safetensors_close(&st);
}

Test(audio_codec, wrong_metadata_are_named)
{
    const struct {
        const char *key, *value;
        RsdStatus status;
        const char *part;
    } cases[] = {
        {"residua.kind", NULL, RSD_ERR_UNSUPPORTED, "not a residua model"},
        {"residua.kind", "image-codec", RSD_ERR_UNSUPPORTED, "residua.kind is image-codec, expected audio-codec"},
        {"residua.version", "2", RSD_ERR_UNSUPPORTED, "residua.version is 2"},
        {"residua.version", NULL, RSD_ERR_CORRUPT, "residua.version is missing"},
        {"residua.seanet.depth", "3", RSD_ERR_UNSUPPORTED, "unknown key residua.seanet.depth"},
        {"residua.name", "", RSD_ERR_CORRUPT, "name must have"},
        {"residua.name", "../../etc/passwd", RSD_ERR_CORRUPT, "name must have"},
        {"residua.name", "a-name-of-more-than-thirty-one-bytes", RSD_ERR_CORRUPT, "a shorter name"},
        {"residua.rate_hz", NULL, RSD_ERR_CORRUPT, "residua.rate_hz is missing"},
        {"residua.rate_hz", "16000 ", RSD_ERR_CORRUPT, "\"16000 \", expected a whole number"},
        {"residua.rate_hz", "-1", RSD_ERR_CORRUPT, "rate_hz is -1"},
        {"residua.rate_hz", "99999999999999999999", RSD_ERR_CORRUPT, "expected a whole number"},
        {"residua.seanet.base_channels", "512", RSD_ERR_CORRUPT, "the arrays hold"},
        {"residua.seanet.base_channels", "2147483647", RSD_ERR_CORRUPT, "base_channels is 2147483647"},
        {"residua.seanet.ratios", "3,2,", RSD_ERR_CORRUPT, "expected whole numbers"},
        {"residua.seanet.ratios", "", RSD_ERR_CORRUPT, "expected whole numbers"},
        {"residua.seanet.ratios", "2,2,2,2,2,2,2,2,2", RSD_ERR_CORRUPT, "at most 8"},
        {"residua.seanet.ratios", "0,2", RSD_ERR_CORRUPT, "ratio 1 is 0"},
        {"residua.seanet.ratios", "2,3", RSD_ERR_CORRUPT, "is [8, 4, 4], expected [8, 4, 6]"},
        {"residua.seanet.causal", "yes", RSD_ERR_CORRUPT, "expected true or false"},
        {"residua.seanet.pad", "replicate", RSD_ERR_CORRUPT, "zero or reflect"},
        {"residua.seanet.norm", "none", RSD_ERR_CORRUPT, "encoder.in.weight is missing"},
        {"residua.seanet.n_lstm", "1", RSD_ERR_CORRUPT, "the arrays hold"},
        {"residua.rvq.n_q", "64", RSD_ERR_CORRUPT, "the arrays hold"},
        {"residua.rvq.codebook_size", "65536", RSD_ERR_CORRUPT, "the arrays hold"},
        {"residua.rvq.codebook_size", "4", RSD_ERR_CORRUPT, "rvq.0.embed is [8, 6], expected [4, 6]"},
        {"residua.rvq.dim", "7", RSD_ERR_CORRUPT, "dim is 7, the network's latent_dim 6"},
        {"residua.rvq.ema_decay", "nan", RSD_ERR_CORRUPT, "expected a number"},
        {"residua.rvq.ema_decay", "1e99", RSD_ERR_CORRUPT, "expected a number"},
        {"residua.rvq.dead_below", "2", RSD_ERR_CORRUPT, "dead_below is 2"},
    };
    AudioCodec *codec, *loaded;
    RsdError err;

    codec = create_tiny(&err);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        save_with(codec, cases[i].key, cases[i].value, &err);
        ASSERT_FAILS(audio_codec_load(&loaded, temporary_path(), &err), cases[i].status, err, cases[i].part);
        cr_assert(strstr(err.text, temporary_path()) != NULL, "the file is not named: %s", err.text);
        cr_assert_null(loaded);
    }
    audio_codec_destroy(&codec);
    unlink(temporary_path());
}

Test(audio_codec, weights_that_are_not_numbers_are_refused)
{
    AudioCodec *codec, *loaded;
    FILE *file;
    float nan_value = NAN;
    RsdError err;

    codec = create_tiny(&err);
    ASSERT_OK(audio_codec_save(codec, temporary_path(), DTYPE_F32, false, NULL, &err), err);
    file = fopen(temporary_path(), "r+b");
    cr_assert(file && fseek(file, -8, SEEK_END) == 0 && fwrite(&nan_value, 4, 1, file) == 1);
    fclose(file);
    ASSERT_FAILS(audio_codec_load(&loaded, temporary_path(), &err), RSD_ERR_NUMERIC, err, "rvq.2.embed");
    audio_codec_destroy(&codec);
    unlink(temporary_path());
}

/* The file at temporary_path; free it. */
static uint8_t *read_file(size_t *size)
{
    FILE *file = fopen(temporary_path(), "rb");
    uint8_t *bytes;

    cr_assert(file && fseek(file, 0, SEEK_END) == 0);
    *size = (size_t)ftell(file);
    rewind(file);
    bytes = malloc(*size);
    cr_assert_eq(fread(bytes, 1, *size, file), *size);
    fclose(file);
    return bytes;
}

/* Makes the first number of an array of the file at temporary_path infinite. */
static void poison(const char *name)
{
    size_t size;
    uint8_t *bytes = read_file(&size);
    const SafetensorsEntry *entry;
    Safetensors *st;
    FILE *file;
    RsdError err;

    ASSERT_OK(safetensors_open_memory(&st, bytes, size, "bytes", &err), err);
    entry = safetensors_find(st, name);
    cr_assert_not_null(entry, "%s", name);
    memcpy(bytes + ((const uint8_t *)entry->data - bytes), entry->dtype == DTYPE_F16 ? "\0\x7c" : "\0\0\x80\x7f", dtype_size(entry->dtype));
    safetensors_close(&st);
    file = fopen(temporary_path(), "wb");
    cr_assert(file && fwrite(bytes, 1, size, file) == size);
    fclose(file);
    free(bytes);
}

/* An encoder keeps no weights of the decoder, nor the other way round. */
Test(audio_codec, weights_that_are_not_kept_and_no_numbers_are_refused)
{
    static const Dtype stored[] = {DTYPE_F32, DTYPE_F16};
    static const char *const names[] = {"encoder.in.bias", "decoder.in.bias"};

    for (int i = 0; i < 4; i++) {
        const char *name = names[i % 2];
        AudioCodec *codec, *loaded;
        RsdError err;

        codec = create_tiny(&err);
        ASSERT_OK(audio_codec_save(codec, temporary_path(), stored[i / 2], false, NULL, &err), err);
        audio_codec_destroy(&codec);
        poison(name);
        for (AudioCodecUse use = AUDIO_USE_ALL; use <= AUDIO_USE_DECODE; use++) {
            ASSERT_FAILS(audio_codec_load_for(&loaded, temporary_path(), use, &err), RSD_ERR_NUMERIC, err, name);
            cr_assert(strstr(err.text, temporary_path()), "%s", err.text);
        }
    }
    unlink(temporary_path());
}

static RsdStatus load_bytes(const uint8_t *bytes, size_t size, AudioCodec **loaded, RsdError *err)
{
    const uint8_t hash[MODEL_HASH_SIZE] = {0};
    Safetensors *st;
    RsdStatus status = safetensors_open_memory(&st, bytes, size, "bytes", err);

    *loaded = NULL;
    if (status != RSD_OK)
        return status;
    status = audio_codec_from_safetensors(loaded, st, hash, AUDIO_USE_ALL, err);
    safetensors_close(&st);
    return status;
}

Test(audio_codec, a_file_cut_anywhere_is_refused)
{
    AudioCodec *codec, *loaded;
    uint8_t *bytes;
    size_t size;
    RsdError err;

    codec = create_tiny(&err);
    ASSERT_OK(audio_codec_save(codec, temporary_path(), DTYPE_F16, false, NULL, &err), err);
    bytes = read_file(&size);
    for (size_t cut = 0; cut < size; cut++) {
        RsdStatus status = load_bytes(bytes, cut, &loaded, &err);

        cr_assert(status == RSD_ERR_CORRUPT || status == RSD_ERR_UNSUPPORTED, "cut at %zu of %zu: %d %s", cut, size, (int)status,
                  err.text);
    }
    free(bytes);
    audio_codec_destroy(&codec);
    unlink(temporary_path());
    ASSERT_FAILS(audio_codec_load(&loaded, temporary_path(), &err), RSD_ERR_IO, err, temporary_path());
}

Test(audio_codec, a_file_with_any_byte_changed_loads_or_is_refused_with_a_reason)
{
    const uint8_t changes[] = {0x01, 0x10, 0x80, 0xff};
    int n_loaded = 0, n_refused = 0;
    AudioCodec *codec, *loaded;
    uint8_t *bytes;
    size_t size;
    RsdError err;

    codec = create_tiny(&err);
    ASSERT_OK(audio_codec_save(codec, temporary_path(), DTYPE_F16, false, NULL, &err), err);
    bytes = read_file(&size);
    for (size_t at = 0; at < size; at++) {
        uint8_t change = changes[at % sizeof changes];
        RsdStatus status;

        bytes[at] ^= change;
        err.text[0] = '\0';
        status = load_bytes(bytes, size, &loaded, &err);
        bytes[at] ^= change;
        cr_assert_eq(status == RSD_OK, loaded != NULL);
        if (loaded) {
            n_loaded++;
            audio_codec_destroy(&loaded);
        } else {
            n_refused++;
            cr_assert(status == RSD_ERR_CORRUPT || status == RSD_ERR_UNSUPPORTED || status == RSD_ERR_NUMERIC,
                      "byte %zu ^ %02x: status %d %s", at, change, (int)status, err.text);
            cr_assert_neq(err.text[0], '\0');
        }
    }
    cr_assert(n_loaded > 100 && n_refused > 1000, "%d loaded, %d refused", n_loaded, n_refused);
    free(bytes);
    audio_codec_destroy(&codec);
    unlink(temporary_path());
}

Test(audio_codec, each_allocation_of_a_load_may_fail_once)
{
    AudioCodec *codec, *loaded = NULL;
    int n_failed = 0;
    RsdError err;

    codec = create_tiny(&err);
    ASSERT_OK(audio_codec_save(codec, temporary_path(), DTYPE_F16, false, NULL, &err), err);
    for (int n = 0; !loaded; n++) {
        RsdStatus status;

        mem_fail_after(n);
        status = audio_codec_load(&loaded, temporary_path(), &err);
        mem_fail_after(-1);
        cr_assert(status == (loaded ? RSD_OK : RSD_ERR_MEMORY), "allocation %d: status %d %s", n, (int)status, err.text);
        n_failed += !loaded;
    }
    cr_assert_gt(n_failed, 50);
    audio_codec_destroy(&loaded);
    audio_codec_destroy(&codec);
    unlink(temporary_path());
}

Test(audio_codec, notes_cannot_pose_as_configuration)
{
    const char *const notes[] = {"residua.rate_hz", "8000", NULL};
    AudioCodec *codec;
    RsdError err;

    codec = create_tiny(&err);
    ASSERT_FAILS(audio_codec_save(codec, temporary_path(), DTYPE_F16, false, notes, &err), RSD_ERR_ARG, err, "residua.rate_hz");
    cr_assert_neq(access(temporary_path(), F_OK), 0);
    audio_codec_destroy(&codec);
}

/* ---- built-in models ---- */

Test(audio_codec, every_built_in_model_loads_under_its_name_with_the_hash_of_its_file)
{
    size_t n = 0;
    RsdError err;

    for (; audio_codec_builtin_name(n); n++) {
        uint8_t digest[SHA256_SIZE];
        const BuiltinModel *model;
        AudioCodec *codec;

        ASSERT_OK(builtin_find(&model, BUILTIN_AUDIO, audio_codec_builtin_name(n), &err), err);
        ASSERT_OK(audio_codec_load_builtin(&codec, audio_codec_builtin_name(n), &err), err);
        cr_assert_str_eq(codec->config.name, audio_codec_builtin_name(n));
        sha256(model->data, (size_t)(model->end - model->data), digest);
        cr_assert_arr_eq(codec->hash, digest, MODEL_HASH_SIZE);
        audio_codec_destroy(&codec);
    }
    cr_assert_null(audio_codec_builtin_name(n + 5));
}

Test(audio_codec, an_unknown_built_in_model_is_answered_with_the_names)
{
    AudioCodec *codec;
    RsdError err;

    ASSERT_FAILS(audio_codec_load_builtin(&codec, "no-such-model", &err), RSD_ERR_MODEL, err,
                 audio_codec_builtin_name(0) ? audio_codec_builtin_name(0) : "no built-in model");
}
