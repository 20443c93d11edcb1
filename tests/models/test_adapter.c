/* test_adapter.c - additions to a decoder: what they add up to, and files that do not fit.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "models/adapter.h"
#include "tests/shared.h"

#define N_FRAMES 12

static char dir[] = "/tmp/residua-adapter-XXXXXX";

static const char *path(const char *name)
{
    static char paths[4][sizeof dir + 64];
    static int i;
    char *text = paths[i++ % 4];

    snprintf(text, sizeof paths[0], "%s/%s", dir, name);
    return text;
}

static void set_up(void)
{
    cr_assert_not_null(mkdtemp(dir));
}

static void tear_down(void)
{
    for (const char *const *name = (const char *const[]){"base", "other", "adapter", "bad", "merged", NULL}; *name; name++)
        unlink(path(*name));
    rmdir(dir);
}

TestSuite(adapter, .init = set_up, .fini = tear_down);

static AudioCodecConfig tiny(SeanetNorm norm)
{
    AudioCodecConfig cfg;

    audio_codec_default_config(&cfg);
    cfg.seanet.base_channels = 4;
    cfg.seanet.n_ratios = 2;
    cfg.seanet.ratios[0] = 4;
    cfg.seanet.ratios[1] = 2;
    cfg.seanet.norm = norm;
    cfg.seanet.latent_dim = cfg.rvq.dim = 6;
    cfg.rvq.n_q = 2;
    cfg.rvq.codebook_size = 8;
    return cfg;
}

/* Writes a base model; the codec of `seed` ready for training. */
static AudioCodec *base(const char *name, SeanetNorm norm, uint64_t seed, RsdError *err)
{
    AudioCodecConfig cfg = tiny(norm);
    AudioCodec *codec, *loaded;

    ASSERT_OK(audio_codec_create(&codec, &cfg, seed, err), *err);
    ASSERT_OK(audio_codec_save(codec, path(name), DTYPE_F32, false, NULL, err), *err);
    ASSERT_OK(audio_codec_load(&loaded, path(name), err), *err);
    memcpy(codec->hash, loaded->hash, sizeof codec->hash);
    audio_codec_destroy(&loaded);
    return codec;
}

static void decode(AudioCodec *codec, float *y, RsdError *err)
{
    const int64_t shape[3] = {1, 6, N_FRAMES};
    Rng rng = rng_at(4, RNG_TEST, 0, 0);
    RsdThreads *threads;
    Tape *tape;
    Tensor *z, *out;

    ASSERT_OK(rsd_threads_create(&threads, 1, err), *err);
    ASSERT_OK(tape_create(&tape, threads, 0, err), *err);
    ASSERT_OK(tape_tensor(tape, &z, 3, shape, err), *err);
    for (int64_t i = 0; i < tensor_count(z); i++)
        z->data[i] = rng_normal(&rng);
    ASSERT_OK(audio_codec_decode(tape, codec, z, &out, err), *err);
    memcpy(y, out->data, (size_t)tensor_count(out) * sizeof *y);
    tape_destroy(&tape);
    rsd_threads_destroy(&threads);
}

static void disturb(AudioCodec *codec)
{
    Rng rng = rng_at(5, RNG_TEST, 0, 0);

    for (size_t i = 0; i < codec->params->n_items; i++)
        if (strstr(codec->params->items[i].name, ".up") && !strncmp(codec->params->items[i].name, "adapter.", 8))
            for (int64_t k = 0; k < tensor_count(codec->params->items[i].tensor); k++)
                codec->params->items[i].tensor->data[k] = 0.1f * rng_normal(&rng);
}

Test(adapter, adds_nothing_at_first_and_as_a_file_what_it_added_in_training)
{
    enum { N = N_FRAMES * 8 };
    static const SeanetNorm norms[] = {SEANET_NORM_WEIGHT, SEANET_NORM_NONE, SEANET_NORM_GROUP};

    for (size_t i = 0; i < sizeof norms / sizeof *norms; i++) {
        float plain[N], first[N], trained[N], applied[N], merged[N];
        AudioCodec *codec, *loaded;
        int64_t n_base, n_trainable;
        RsdError err = {0};

        codec = base("base", norms[i], 3, &err);
        n_base = params_count_elements(codec->params, true);
        decode(codec, plain, &err);
        ASSERT_OK(adapter_add(codec, 2, 9, &err), err);
        n_trainable = params_count_elements(codec->params, true);
        cr_expect(n_trainable > 0 && n_trainable < n_base / 2, "%lld of %lld", (long long)n_trainable, (long long)n_base);
        decode(codec, first, &err);
        ASSERT_SAME_BITS("before training", first, plain, N);
        disturb(codec);
        decode(codec, trained, &err);
        cr_expect(fabsf(trained[N - 1] - plain[N - 1]) > 1e-4f);
        ASSERT_OK(adapter_save(codec, path("adapter"), DTYPE_F32, NULL, &err), err);

        ASSERT_OK(audio_codec_load(&loaded, path("base"), &err), err);
        ASSERT_OK(adapter_apply(loaded, path("adapter"), &err), err);
        decode(loaded, applied, &err);
        ASSERT_CLOSE_F32("applied", applied, trained, N, ((Tolerance){.abs = 1e-5, .rel = 1e-4}));
        cr_expect_eq(memcmp(loaded->hash, codec->hash, sizeof codec->hash), 0, "the hash is that of the base");
        audio_codec_destroy(&loaded);
        ASSERT_OK(audio_codec_load(&loaded, path("base"), &err), err);
        ASSERT_OK(adapter_merge(loaded, path("adapter"), &err), err);
        ASSERT_OK(audio_codec_save(loaded, path("merged"), DTYPE_F32, false, NULL, &err), err);
        audio_codec_destroy(&loaded);
        ASSERT_OK(audio_codec_load(&loaded, path("merged"), &err), err);
        decode(loaded, merged, &err);
        ASSERT_SAME_BITS("merged", merged, applied, N);
        cr_expect(memcmp(loaded->hash, codec->hash, sizeof codec->hash), "another decoder is another model");
        cr_expect(audio_codec_knows_hash(loaded, codec->hash), "the codes are those of the base");
        ASSERT_FAILS(adapter_apply(loaded, path("adapter"), &err), RSD_ERR_MODEL, err, "with an adapter in it already");
        ASSERT_FAILS(adapter_merge(loaded, path("adapter"), &err), RSD_ERR_MODEL, err, "with an adapter in it already");
        audio_codec_destroy(&loaded);
        audio_codec_destroy(&codec);
    }
}

/* An addition to the model `name`, which is merged into the file `merged`. */
static void merge_again(const char *name, const char *merged, Dtype stored_as, RsdError *err)
{
    AudioCodec *codec, *loaded;
    const AudioCodecConfig cfg = tiny(SEANET_NORM_WEIGHT);

    ASSERT_OK(audio_codec_create(&codec, &cfg, 3, err), *err);
    ASSERT_OK(audio_codec_load(&loaded, path(name), err), *err);
    memcpy(codec->hash, loaded->hash, sizeof codec->hash);
    ASSERT_OK(adapter_add(codec, 1, 9, err), *err);
    disturb(codec);
    ASSERT_OK(adapter_save(codec, path("adapter"), DTYPE_F32, NULL, err), *err);
    ASSERT_OK(adapter_merge(loaded, path("adapter"), err), *err);
    ASSERT_OK(audio_codec_save(loaded, path(merged), stored_as, false, NULL, err), *err);
    audio_codec_destroy(&loaded);
    audio_codec_destroy(&codec);
}

Test(adapter, a_merged_model_keeps_all_its_bases_as_long_as_its_codes_are_theirs)
{
    RsdError err = {0};
    AudioCodec *codec = base("base", SEANET_NORM_WEIGHT, 3, &err), *once, *twice, *half;

    merge_again("base", "merged", DTYPE_F32, &err);
    ASSERT_OK(audio_codec_load(&once, path("merged"), &err), err);
    merge_again("merged", "other", DTYPE_F32, &err);
    ASSERT_OK(audio_codec_load(&twice, path("other"), &err), err);
    merge_again("merged", "bad", DTYPE_F16, &err);
    ASSERT_OK(audio_codec_load(&half, path("bad"), &err), err);
    cr_expect_eq(once->bases.n, 1);
    cr_expect(audio_codec_knows_hash(once, codec->hash) && !audio_codec_knows_hash(once, twice->hash));
    cr_expect_eq(twice->bases.n, 2);
    cr_expect(audio_codec_knows_hash(twice, codec->hash) && audio_codec_knows_hash(twice, once->hash));
    cr_expect_not(audio_codec_knows_hash(codec, once->hash), "the base refuses what was made with another decoder in mind");
    cr_expect_eq(half->bases.n, 0, "rounded codes are other codes");
    audio_codec_destroy(&codec);
    audio_codec_destroy(&once);
    audio_codec_destroy(&twice);
    audio_codec_destroy(&half);
}

Test(adapter, bases_that_are_no_hashes_are_refused)
{
    static const char *const texts[] = {"", "0123", "0123456789abcde", "0123456789abcdeg", "0123456789abcdef,",
                                        "0123456789abcdef 0123456789abcdef", "0123456789abcdef,0123456789ABCDEF"};
    AudioCodecConfig cfg = tiny(SEANET_NORM_WEIGHT);
    AudioCodec *codec, *loaded;
    RsdError err = {0};

    ASSERT_OK(audio_codec_create(&codec, &cfg, 3, &err), err);
    for (size_t i = 0; i <= sizeof texts / sizeof *texts; i++) {
        const char *text = i < sizeof texts / sizeof *texts ? texts[i]
            : "0000000000000000,0000000000000000,0000000000000000,0000000000000000,0000000000000000,0000000000000000,"
              "0000000000000000,0000000000000000,0000000000000000";
        SafetensorsWriter *writer;

        ASSERT_OK(safetensors_writer_create(&writer, &err), err);
        ASSERT_OK(audio_codec_write_config(&codec->config, writer, &err), err);
        ASSERT_OK(safetensors_writer_metadata(writer, "residua.bases", text, &err), err);
        ASSERT_OK(params_save_for_inference(codec->params, writer, "", DTYPE_F32, &err), err);
        ASSERT_OK(safetensors_writer_finish(writer, path("bad"), &err), err);
        safetensors_writer_destroy(&writer);
        ASSERT_FAILS(audio_codec_load(&loaded, path("bad"), &err), RSD_ERR_CORRUPT, err, "residua.bases");
    }
    audio_codec_destroy(&codec);
}

/* A file with one array. */
static void write_file(const char *kind, const char *version, const AudioCodec *codec, const char *array, int64_t rows, int64_t columns)
{
    SafetensorsWriter *writer;
    char hash[MODEL_HASH_TEXT_SIZE];
    const int64_t shape[2] = {rows, columns};
    float *data = calloc((size_t)(rows * columns), sizeof *data);
    RsdError err = {0};

    model_hash_print(hash, codec->hash);
    ASSERT_OK(safetensors_writer_create(&writer, &err), err);
    ASSERT_OK(safetensors_writer_metadata(writer, "residua.kind", kind, &err), err);
    ASSERT_OK(safetensors_writer_metadata(writer, "residua.version", version, &err), err);
    ASSERT_OK(safetensors_writer_metadata(writer, "residua.base", hash, &err), err);
    ASSERT_OK(safetensors_writer_f32(writer, array, 2, shape, data, DTYPE_F32, &err), err);
    ASSERT_OK(safetensors_writer_finish(writer, path("bad"), &err), err);
    safetensors_writer_destroy(&writer);
    free(data);
}

Test(adapter, files_that_do_not_fit_are_refused_and_change_nothing)
{
    enum { N = N_FRAMES * 8 };
    static const struct {
        const char *kind, *version, *array;
        int64_t rows, columns;
        RsdStatus status;
        const char *text;
    } cases[] = {
        {"audio-codec", "1", "decoder.out.up", 1, 1, RSD_ERR_UNSUPPORTED, "not an adapter"},
        {"audio-codec-adapter", "2", "decoder.out.up", 1, 1, RSD_ERR_UNSUPPORTED, "version 2"},
        {"audio-codec-adapter", "1", "encoder.out.up", 1, 1, RSD_ERR_UNSUPPORTED, "adds to the encoder"},
        {"audio-codec-adapter", "1", "decoder.nowhere.up", 1, 1, RSD_ERR_CORRUPT, "belong to no layer"},
        {"audio-codec-adapter", "1", "decoder.out.up", 1, 1, RSD_ERR_CORRUPT, "decoder.out: up is [1, 1] and down [0, 0]"},
        {"audio-codec-adapter", "1", "decoder.in.down", 300, 2, RSD_ERR_CORRUPT, "decoder.in: up is [0, 0] and down [300, 2]"},
    };
    float before[N], after[N];
    RsdError err = {0};
    AudioCodec *codec = base("base", SEANET_NORM_WEIGHT, 3, &err), *other = base("other", SEANET_NORM_WEIGHT, 4, &err), *loaded;

    ASSERT_OK(audio_codec_load(&loaded, path("base"), &err), err);
    decode(loaded, before, &err);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_file(cases[i].kind, cases[i].version, codec, cases[i].array, cases[i].rows, cases[i].columns);
        ASSERT_FAILS(adapter_apply(loaded, path("bad"), &err), cases[i].status, err, cases[i].text);
    }
    ASSERT_OK(adapter_add(other, 1, 1, &err), err);
    ASSERT_OK(adapter_save(other, path("adapter"), DTYPE_F16, NULL, &err), err);
    ASSERT_FAILS(adapter_apply(loaded, path("adapter"), &err), RSD_ERR_MODEL, err, "made for model speech16");
    ASSERT_FAILS(adapter_add(other, 0, 1, &err), RSD_ERR_ARG, err, "rank 0");
    decode(loaded, after, &err);
    ASSERT_SAME_BITS("decoded", after, before, N);
    audio_codec_destroy(&loaded);
    audio_codec_destroy(&other);
    audio_codec_destroy(&codec);
}
