/* test_code_lm.c - the language model of codes against the published one, step by step.
 *
 * SPDX-License-Identifier: MIT
 */
#include "models/code_lm.h"

#include <unistd.h>

#include "tests/shared.h"

typedef struct Case {
    const char *root, *codes;
    int past_frames;
} Case;

static const Case cases[] = {{"golden/encodec/mono24", "bw3.6/codes_seg0.npy", 12},
                             {"golden/encodec/stereo48style", "bw1.2/codes_seg0.npy", 9}};

/* The published file says neither heads nor reach; a configuration does. */
static CodeLm *load(const Case *c, const char *file)
{
    SharedPath path;
    char relative[128], config[64] = "/tmp/residua-lm-XXXXXX", text[64];
    int fd = mkstemp(config),
        len = snprintf(text, sizeof text, "{\"past_context\": %d, \"num_heads\": 8}", c->past_frames);
    Checkpoint *checkpoint;
    CodeLm *lm;
    RsdError err;

    cr_assert(fd >= 0 && write(fd, text, (size_t)len) == len);
    close(fd);
    snprintf(relative, sizeof relative, "%s/%s", c->root, file);
    ASSERT_OK(checkpoint_open(&checkpoint, shared_path(&path, relative), &err), err);
    cr_assert(code_lm_is_model(checkpoint));
    ASSERT_OK(checkpoint_add_config(checkpoint, config, &err), err);
    ASSERT_OK(code_lm_import(&lm, checkpoint, &err), err);
    checkpoint_close(&checkpoint);
    unlink(config);
    return lm;
}

static void assert_published_numbers(const Case *c, const char *file, int n_threads)
{
    SharedPath path;
    char relative[128];
    CodeLm *lm = load(c, file);
    CodeLmState *state;
    RsdThreads *threads;
    Npy expected, codes;
    json_t *index;
    float *p;
    RsdError err;
    int n_q, n_codes;

    snprintf(relative, sizeof relative, "%s/index.json", c->root);
    index = json_file_load(shared_path(&path, relative));
    snprintf(relative, sizeof relative, "%s/lm/probs_seg0.npy", c->root);
    npy_load(&expected, shared_path(&path, relative));
    snprintf(relative, sizeof relative, "%s/%s", c->root, c->codes);
    npy_load(&codes, shared_path(&path, relative));
    n_q = code_lm_config(lm)->n_q;
    n_codes = code_lm_config(lm)->n_codes;
    cr_assert(n_q == expected.shape[1] && n_codes == expected.shape[2] && codes.shape[1] == expected.shape[0]);
    ASSERT_OK(rsd_threads_create(&threads, n_threads, &err), err);
    ASSERT_OK(code_lm_state_create(&state, lm, threads, 75, &err), err);
    p = calloc((size_t)(n_q * n_codes), sizeof *p);
    for (int again = 0; again < 2; again++) { /* a stream that begins again has forgotten everything */
        for (int64_t t = 0; t < expected.shape[0]; t++) {
            uint16_t previous[64] = {0};

            for (int k = 0; k < n_q && t > 0; k++)
                previous[k] = (uint16_t)codes.i64[k * codes.shape[1] + t - 1];
            code_lm_next(state, previous, n_q, p);
            ASSERT_CLOSE_F32("probabilities", p, expected.f32 + t * n_q * n_codes, n_q * n_codes,
                             tolerance_of(index, "lm/probs_seg0.npy"));
        }
        code_lm_restart(state);
    }
    free(p);
    code_lm_state_destroy(&state);
    code_lm_destroy(&lm);
    rsd_threads_destroy(&threads);
    npy_free(&expected);
    npy_free(&codes);
    json_decref(index);
}

Test(code_lm, probabilities_are_the_published_ones_from_the_zero_state_on_and_past_the_window)
{
    NEED_SHARED("golden/encodec");
    for (int i = 0; i < 2; i++) {
        assert_published_numbers(&cases[i], "lm_orig.th", 1);
        assert_published_numbers(&cases[i], "lm.safetensors", 3);
    }
}

Test(code_lm, numbers_are_the_same_for_any_number_of_threads)
{
    CodeLm *lm;
    float p[2][8 * 64];
    RsdError err;

    NEED_SHARED("golden/encodec");
    lm = load(&cases[0], "lm_orig.th");
    for (int i = 0; i < 2; i++) {
        CodeLmState *state;
        RsdThreads *threads;
        const uint16_t codes[8] = {1, 2, 3, 4, 5, 6, 7, 8};

        ASSERT_OK(rsd_threads_create(&threads, 1 + 2 * i, &err), err);
        ASSERT_OK(code_lm_state_create(&state, lm, threads, 75, &err), err);
        for (int t = 0; t < 30; t++)
            code_lm_next(state, codes, 8, p[i]);
        code_lm_state_destroy(&state);
        rsd_threads_destroy(&threads);
    }
    ASSERT_SAME_BITS("probabilities", p[0], p[1], 8 * 64);
    code_lm_destroy(&lm);
}

Test(code_lm, saved_and_loaded_it_is_the_same_model)
{
    char path[64];
    CodeLm *lm, *again;
    RsdError err;

    NEED_SHARED("golden/encodec");
    snprintf(path, sizeof path, "/tmp/residua-lm-%d.safetensors", (int)getpid());
    lm = load(&cases[0], "lm_orig.th");
    ASSERT_OK(code_lm_save(lm, path, (const char *const[]){"licence", "none", NULL}, &err), err);
    ASSERT_OK(code_lm_load(&again, path, &err), err);
    cr_assert(memcmp(code_lm_config(lm), code_lm_config(again), sizeof(CodeLmConfig)) == 0);
    code_lm_destroy(&lm);
    code_lm_destroy(&again);
    unlink(path);
}

/* Shapes of a few small arrays ask for a network of gigabytes. */
Test(code_lm, a_network_beyond_every_model_is_refused)
{
    enum { DIM = 4096, LAYERS = 64 };
    static float zeros[4 * DIM];
    char path[] = "/tmp/residua-lm-XXXXXX", name[64];
    SafetensorsWriter *writer;
    Checkpoint *file;
    CodeLm *lm;
    RsdError err;

    close(mkstemp(path));
    ASSERT_OK(safetensors_writer_create(&writer, &err), err);
    ASSERT_OK(safetensors_writer_f32(writer, "emb.0.weight", 2, (const int64_t[]){3, DIM}, zeros, DTYPE_F32, &err), err);
    for (int i = 0; i < LAYERS; i++) {
        snprintf(name, sizeof name, "transformer.layers.%d.linear1.weight", i);
        ASSERT_OK(safetensors_writer_f32(writer, name, 2, (const int64_t[]){4 * DIM, 1}, zeros, DTYPE_F32, &err), err);
    }
    ASSERT_OK(safetensors_writer_finish(writer, path, &err), err);
    safetensors_writer_destroy(&writer);
    ASSERT_OK(checkpoint_open(&file, path, &err), err);
    ASSERT_FAILS(code_lm_import(&lm, file, &err), RSD_ERR_UNSUPPORTED, err, "are possible");
    checkpoint_close(&file);
    unlink(path);
}
