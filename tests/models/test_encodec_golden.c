/* test_encodec_golden.c - SEANet and the quantiser against the published EnCodec code, on small seeded models in both of its
 * configurations: causal with weight norm, and non-causal with group norm, each with LSTM, conv shortcuts and reflection.
 *
 * The weights come from golden/encodec, whose index.json holds versions and tolerances; a small map of names is all that
 * is needed to fill our network with them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "models/rvq.h"
#include "models/seanet.h"
#include "tests/shared.h"

#define NAME_SIZE 96

typedef struct Golden {
    const char *root;
    json_t *index;
    SeanetConfig config;
    RvqConfig rvq_config;
    RsdThreads *threads;
    Tape *tape;
    ParamSet *params;
    Seanet *net;
    Rvq *rvq;
    RsdError err;
} Golden;

/* ---- names ---- */

/* "layers" number of a layer of ours (audio.md 1.14): encoder 0, then 3 per stage, LSTM, ELU, out; decoder 0, LSTM, 3 per stage,
 * ELU, out. */
static void theirs_for(char out[NAME_SIZE], const char *ours, int n_ratios)
{
    const char *suffix;
    char direction[8], layer[NAME_SIZE];
    int stage, unit, used, layer_number, last = 3 * n_ratios + 3;
    bool encoder;

    cr_assert_eq(sscanf(ours, "%7[a-z].", direction), 1);
    encoder = strcmp(direction, "encoder") == 0;
    suffix = strrchr(ours, '.') + 1;
    if (strstr(ours, ".lstm.")) {
        snprintf(out, NAME_SIZE, "%s.layers.%d.lstm.%s", direction, encoder ? last - 2 : 1, suffix);
        return;
    }
    if (sscanf(ours + 8, "stages.%d.%n", &stage, &used) == 1) {
        const char *rest = ours + 8 + used;

        layer_number = (encoder ? 3 * stage + 1 : 3 * stage + 2);
        if (sscanf(rest, "units.%d.%n", &unit, &used) == 1) {
            const char *part = strncmp(rest + used, "conv.", 5) == 0 ? "block.1" : strncmp(rest + used, "point", 5) == 0 ? "block.3"
                                                                                                                  : "shortcut";

            snprintf(layer, sizeof layer, "%d.%s", encoder ? layer_number : layer_number + 2, part);
        } else {
            snprintf(layer, sizeof layer, "%d", encoder ? layer_number + 2 : layer_number + 1);
        }
    } else {
        snprintf(layer, sizeof layer, "%d", strncmp(ours + 8, "in.", 3) == 0 ? 0 : last);
    }
    if (strncmp(suffix, "norm_", 5) == 0)
        snprintf(out, NAME_SIZE, "%.7s.layers.%.40s.norm.%.20s", direction, layer, suffix + 5);
    else
        snprintf(out, NAME_SIZE, "%.7s.layers.%.40s.conv.%.20s", direction, layer, suffix);
}

static void fill_weights(Golden *g)
{
    SharedPath path;
    char relative[NAME_SIZE * 2], name[NAME_SIZE];
    Safetensors *st;

    snprintf(relative, sizeof relative, "%s/model_hf.safetensors", g->root);
    ASSERT_OK(safetensors_open(&st, shared_path(&path, relative), &g->err), g->err);
    for (size_t i = 0; i < g->params->n_items; i++) {
        const Param *param = &g->params->items[i];
        const SafetensorsEntry *entry;
        int stage;

        if (param->training_only)
            continue;
        if (sscanf(param->name, "rvq.%d.embed", &stage) == 1)
            snprintf(name, sizeof name, "quantizer.layers.%d.codebook.embed", stage);
        else
            theirs_for(name, param->name, g->config.n_ratios);
        entry = safetensors_find(st, name);
        cr_assert(entry != NULL, "%s -> %s is not in the file", param->name, name);
        ASSERT_OK(safetensors_read_f32(st, entry, param->tensor->data, tensor_count(param->tensor), &g->err), g->err);
    }
    safetensors_close(&st);
    rvq_refresh(g->rvq);
}

static void golden_open(Golden *g, const char *root, SeanetNorm norm, bool causal)
{
    SharedPath path;
    char relative[NAME_SIZE];

    memset(g, 0, sizeof *g);
    g->root = root;
    snprintf(relative, sizeof relative, "%s/index.json", root);
    g->index = json_file_load(shared_path(&path, relative));
    g->config = (SeanetConfig){.channels = (int)json_number_at(g->index, "config/channels"),
                               .base_channels = (int)json_number_at(g->index, "config/n_filters"),
                               .n_ratios = 4,
                               .ratios = {8, 5, 4, 2},
                               .latent_dim = (int)json_number_at(g->index, "config/dimension"),
                               .kernel = 7,
                               .last_kernel = 7,
                               .residual_kernel = 3,
                               .n_residual = 1,
                               .dilation_base = 2,
                               .compress = 2,
                               .n_lstm = 2,
                               .causal = causal,
                               .true_skip = false,
                               .pad = PAD_REFLECT,
                               .norm = norm};
    g->rvq_config = (RvqConfig){.n_q = (int)json_number_at(g->index, "config/n_q"),
                                .codebook_size = (int)json_number_at(g->index, "config/bins"),
                                .dim = g->config.latent_dim,
                                .ema_decay = 0.99f};
    ASSERT_OK(rsd_threads_create(&g->threads, 2, &g->err), g->err);
    ASSERT_OK(tape_create(&g->tape, g->threads, 0, &g->err), g->err);
    ASSERT_OK(params_create(&g->params, &g->err), g->err);
    ASSERT_OK(seanet_create(&g->net, &g->config, g->params, 1, &g->err), g->err);
    ASSERT_OK(rvq_create(&g->rvq, &g->rvq_config, g->params, &g->err), g->err);
    fill_weights(g);
}

static void golden_close(Golden *g)
{
    rvq_destroy(&g->rvq);
    seanet_destroy(&g->net);
    params_destroy(&g->params);
    tape_destroy(&g->tape);
    rsd_threads_destroy(&g->threads);
    json_decref(g->index);
}

/* ---- comparing ---- */

static void load(Golden *g, const char *file, Npy *npy)
{
    SharedPath path;
    char relative[NAME_SIZE * 2];

    snprintf(relative, sizeof relative, "%s/%s", g->root, file);
    npy_load(npy, shared_path(&path, relative));
    cr_assert_eq(npy->n_dims, 2, "%s", file);
}

static Tensor *load_tensor(Golden *g, const char *file)
{
    Tensor *tensor;
    Npy npy;

    load(g, file, &npy);
    ASSERT_OK(tape_input(g->tape, &tensor, 3, (int64_t[3]){1, npy.shape[0], npy.shape[1]}, npy.f32, &g->err), g->err);
    npy_free(&npy);
    return tensor;
}

static void assert_equals_file(Golden *g, const Tensor *y, const char *file)
{
    Npy npy;

    load(g, file, &npy);
    cr_assert(y->shape[1] == npy.shape[0] && y->shape[2] == npy.shape[1], "%s: shape [%d, %d], expected [%d, %d]", file,
              (int)y->shape[1], (int)y->shape[2], (int)npy.shape[0], (int)npy.shape[1]);
    ASSERT_CLOSE_F32(file, y->data, npy.f32, npy.count, tolerance_of(g->index, file));
    npy_free(&npy);
}

/* Encodes z and compares the codes; returns what they decode to. */
static Tensor *quantise(Golden *g, const Tensor *z, const char *codes_file)
{
    Tensor *zq;
    uint16_t *codes;
    Npy npy;

    load(g, codes_file, &npy);
    codes = calloc((size_t)npy.count, sizeof *codes);
    cr_assert_eq(npy.shape[1], z->shape[2]);
    ASSERT_OK(rvq_encode(g->tape, g->rvq, z, (int)npy.shape[0], codes, &g->err), g->err);
    for (int64_t i = 0; i < npy.count; i++)
        cr_assert_eq(codes[i], npy.i64[i], "%s: code [%d, %d] is %d, expected %d", codes_file, (int)(i / npy.shape[1]),
                     (int)(i % npy.shape[1]), codes[i], (int)npy.i64[i]);
    ASSERT_OK(rvq_decode(g->tape, g->rvq, codes, 1, (int)npy.shape[0], npy.shape[1], &zq, &g->err), g->err);
    free(codes);
    npy_free(&npy);
    return zq;
}

static Tensor *encode(Golden *g, Tensor *x)
{
    Tensor *z;

    ASSERT_OK(seanet_encode(g->tape, g->net, x, &z, &g->err), g->err);
    return z;
}

static Tensor *decode(Golden *g, Tensor *z)
{
    Tensor *y;

    ASSERT_OK(seanet_decode(g->tape, g->net, z, &y, &g->err), g->err);
    return y;
}

/* ---- the tests ---- */

Test(encodec_golden, causal_mono_model_gives_the_published_latents_codes_and_samples)
{
    const char *const rates[] = {"bw0.9", "bw1.8", "bw3.6"};
    char file[NAME_SIZE];
    Golden g;
    Tensor *z;

    NEED_SHARED("golden/encodec/mono24");
    golden_open(&g, "golden/encodec/mono24", SEANET_NORM_WEIGHT, true);
    z = encode(&g, load_tensor(&g, "input.npy"));
    assert_equals_file(&g, z, "encoder_out.npy");
    for (int i = 0; i < 3; i++) {
        Tensor *zq;

        snprintf(file, sizeof file, "%s/codes_seg0.npy", rates[i]);
        zq = quantise(&g, z, file);
        if (zq && i == 2)
            assert_equals_file(&g, zq, "quantized.npy");
        snprintf(file, sizeof file, "%s/decoded_full.npy", rates[i]);
        assert_equals_file(&g, decode(&g, zq), file);
    }
    golden_close(&g);
}

Test(encodec_golden, frozen_weights_give_the_published_samples_too)
{
    Golden g;

    NEED_SHARED("golden/encodec/mono24");
    golden_open(&g, "golden/encodec/mono24", SEANET_NORM_WEIGHT, true);
    ASSERT_OK(seanet_freeze(g.net, &g.err), g.err);
    assert_equals_file(&g, encode(&g, load_tensor(&g, "input.npy")), "encoder_out.npy");
    assert_equals_file(&g, decode(&g, load_tensor(&g, "quantized.npy")), "act_dec/layer_15.npy");
    golden_close(&g);
}

Test(encodec_golden, signals_around_one_hop_give_the_published_codes_and_samples)
{
    const int lengths[] = {1, 7, 320, 321, 963};
    char file[NAME_SIZE];
    Golden g;

    NEED_SHARED("golden/encodec/mono24");
    golden_open(&g, "golden/encodec/mono24", SEANET_NORM_WEIGHT, true);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        Tensor *zq;

        snprintf(file, sizeof file, "edge/len%d_input.npy", lengths[i]);
        zq = encode(&g, load_tensor(&g, file));
        snprintf(file, sizeof file, "edge/len%d_codes.npy", lengths[i]);
        zq = quantise(&g, zq, file);
        snprintf(file, sizeof file, "edge/len%d_decoded.npy", lengths[i]);
        assert_equals_file(&g, decode(&g, zq), file);
        tape_reset(g.tape);
    }
    golden_close(&g);
}

Test(encodec_golden, non_causal_stereo_model_with_group_norm_gives_the_published_latents_codes_and_samples)
{
    Golden g;
    Tensor *z, *zq;

    NEED_SHARED("golden/encodec/stereo48style");
    golden_open(&g, "golden/encodec/stereo48style", SEANET_NORM_GROUP, false);
    z = encode(&g, load_tensor(&g, "frame0_input.npy"));
    assert_equals_file(&g, z, "encoder_out.npy");
    zq = quantise(&g, z, "bw1.2/codes_seg0.npy");
    assert_equals_file(&g, zq, "quantized.npy");
    assert_equals_file(&g, decode(&g, zq), "act_dec/layer_15.npy");
    golden_close(&g);
}
