/* code_lm.c - one step of the transformer on plain arrays, by matrix times vector.
 *
 * The original keeps each layer's past inputs and computes their keys and values again at every step; here keys and values
 * are kept instead, which is the same. They live in rings of past_frames + 1 places; the order of summation follows the
 * places, and so depends on the number of the frame alone.
 *
 * SPDX-License-Identifier: MIT
 */
#include "models/code_lm.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/kernels/gemm.h"
#include "engine/kernels/kernels.h"
#include "models/import.h"

#define KIND "code-lm"
#define NORM_EPS 1e-5f
#define MAX_PERIOD 10000.0f
#define DEFAULT_HEADS 8
#define PAST_SECONDS 3.5
#define MAX_DIM 4096
#define MAX_LAYERS 64
#define MAX_PAST 65536
#define MAX_CODES 65536
#define CODE_LM_MAX_PARAMETERS (1 << 28) /* arrays of a torch file may share what they take up there */
#define ROWS_PER_TASK 64

typedef struct Layer {
    Tensor *in_w, *in_b, *out_w, *out_b, *ff1_w, *ff1_b, *ff2_w, *ff2_b, *norm1_w, *norm1_b, *norm2_w, *norm2_b;
} Layer;

struct CodeLm {
    CodeLmConfig config;
    ParamSet *params;
    Tensor *norm_w, *norm_b;
    Layer *layers;
    Tensor *emb[CODE_LM_MAX_STAGES];    /* [n_codes + 1, dim]; row 0 is "no frame" */
    Tensor *head_w[CODE_LM_MAX_STAGES]; /* [n_codes, dim] */
    Tensor *head_b[CODE_LM_MAX_STAGES];
};

struct CodeLmState {
    const CodeLm *lm;
    const GemmKernels *gemm;
    RsdThreads *threads;
    int n_places;                  /* past_frames + 1 */
    int64_t n_frames;              /* done */
    float *keys, *values;          /* [n_layers, n_places, dim] */
    float *x, *h, *qkv, *scores;   /* [dim], [hidden], [3 dim], [n_places] */
    float *mixed, *inverse_period; /* [dim], [dim / 2] */
};

/* ---- weights ---- */

static RsdStatus add(CodeLm *lm, Tensor **out, const char *name, int64_t rows, int64_t cols, RsdError *err)
{
    int64_t shape[2] = {rows, cols};

    return params_add(lm->params, name, cols ? 2 : 1, shape, true, out, err);
}

static RsdStatus add_layer(CodeLm *lm, int i, RsdError *err)
{
    const CodeLmConfig *c = &lm->config;
    Layer *layer = &lm->layers[i];
    const struct {
        const char *suffix;
        Tensor **tensor;
        int rows, cols;
    } arrays[] = {{"self_attn.in_proj_weight", &layer->in_w, 3 * c->dim, c->dim},
                  {"self_attn.in_proj_bias", &layer->in_b, 3 * c->dim, 0},
                  {"self_attn.out_proj.weight", &layer->out_w, c->dim, c->dim},
                  {"self_attn.out_proj.bias", &layer->out_b, c->dim, 0},
                  {"linear1.weight", &layer->ff1_w, c->hidden, c->dim},
                  {"linear1.bias", &layer->ff1_b, c->hidden, 0},
                  {"linear2.weight", &layer->ff2_w, c->dim, c->hidden},
                  {"linear2.bias", &layer->ff2_b, c->dim, 0},
                  {"norm1.weight", &layer->norm1_w, c->dim, 0},
                  {"norm1.bias", &layer->norm1_b, c->dim, 0},
                  {"norm2.weight", &layer->norm2_w, c->dim, 0},
                  {"norm2.bias", &layer->norm2_b, c->dim, 0}};
    RsdStatus status = RSD_OK;

    for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++) {
        char name[IMPORT_NAME_SIZE];

        snprintf(name, sizeof name, "transformer.layers.%d.%s", i, arrays[k].suffix);
        TRY(add(lm, arrays[k].tensor, name, arrays[k].rows, arrays[k].cols, err));
    }
fail:
    return status;
}

static RsdStatus add_arrays(CodeLm *lm, RsdError *err)
{
    const CodeLmConfig *c = &lm->config;
    char name[IMPORT_NAME_SIZE];
    RsdStatus status = RSD_OK;

    TRY(add(lm, &lm->norm_w, "transformer.norm_in.weight", c->dim, 0, err));
    TRY(add(lm, &lm->norm_b, "transformer.norm_in.bias", c->dim, 0, err));
    for (int i = 0; i < c->n_layers; i++)
        TRY(add_layer(lm, i, err));
    for (int k = 0; k < c->n_q; k++) {
        snprintf(name, sizeof name, "emb.%d.weight", k);
        TRY(add(lm, &lm->emb[k], name, c->n_codes + 1, c->dim, err));
        snprintf(name, sizeof name, "linears.%d.weight", k);
        TRY(add(lm, &lm->head_w[k], name, c->n_codes, c->dim, err));
        snprintf(name, sizeof name, "linears.%d.bias", k);
        TRY(add(lm, &lm->head_b[k], name, c->n_codes, 0, err));
    }
fail:
    return status;
}

static int64_t count_numbers(const CodeLmConfig *c)
{
    int64_t dim = c->dim, layer = dim * (4 * dim + 2 * (int64_t)c->hidden) + 9 * dim + c->hidden;

    return 2 * dim + c->n_layers * layer + (int64_t)c->n_q * (dim * (2 * (int64_t)c->n_codes + 1) + c->n_codes);
}

/* ---- files ---- */

static const CheckpointArray *find(const Checkpoint *file, const char *format, int i)
{
    char name[IMPORT_NAME_SIZE];
    const CheckpointArray *array;

    snprintf(name, sizeof name, format, i);
    array = checkpoint_find(file, name);
    return array && array->n_dims == 2 && array->shape[0] <= 1 << 20 && array->shape[1] <= 1 << 20 ? array : NULL;
}

bool code_lm_is_model(const Checkpoint *file)
{
    return find(file, "emb.%d.weight", 0) && find(file, "transformer.layers.%d.linear1.weight", 0);
}

static int number_of(const Checkpoint *file, const char *key, const char *other_key, int otherwise)
{
    const char *text = checkpoint_metadata(file, key);
    char *end;
    long value;

    if (!text)
        text = checkpoint_metadata(file, other_key);
    if (!text)
        return otherwise;
    value = strtol(text, &end, 10);
    return end != text && !*end && value >= 0 && value <= INT32_MAX ? (int)value : -1;
}

static RsdStatus read_config(CodeLmConfig *c, const Checkpoint *file, RsdError *err)
{
    const CheckpointArray *emb = find(file, "emb.%d.weight", 0),
                          *ff = find(file, "transformer.layers.%d.linear1.weight", 0);
    RsdStatus status = RSD_OK;

    CHECK(emb && ff, err, RSD_ERR_UNSUPPORTED,
          "holds no language model of codes: emb.0.weight or transformer.layers.0 is missing");
    *c = (CodeLmConfig){.n_codes = (int)emb->shape[0] - 1,
                        .dim = (int)emb->shape[1],
                        .hidden = (int)ff->shape[0],
                        .n_heads = number_of(file, "residua.n_heads", "config.num_heads", DEFAULT_HEADS),
                        .past_frames = number_of(file, "residua.past_frames", "config.past_context", 0)};
    while (c->n_q < CODE_LM_MAX_STAGES && find(file, "emb.%d.weight", c->n_q))
        c->n_q++;
    while (c->n_layers <= MAX_LAYERS && find(file, "transformer.layers.%d.linear1.weight", c->n_layers))
        c->n_layers++;
    CHECK(c->n_codes >= 2 && c->n_codes <= MAX_CODES && c->dim >= 4 && c->dim <= MAX_DIM && c->hidden >= 1 &&
              c->hidden <= 4 * MAX_DIM && c->n_layers <= MAX_LAYERS,
          err, RSD_ERR_CORRUPT, "impossible sizes: %d codes, width %d, hidden %d, %d layers", c->n_codes, c->dim,
          c->hidden, c->n_layers);
    CHECK(c->n_heads >= 1 && c->dim % c->n_heads == 0 && c->dim % 2 == 0, err, RSD_ERR_CORRUPT,
          "%d heads do not divide a width of %d", c->n_heads, c->dim);
    CHECK(count_numbers(c) <= CODE_LM_MAX_PARAMETERS, err, RSD_ERR_UNSUPPORTED, "%lld parameters; %d are possible",
          (long long)count_numbers(c), CODE_LM_MAX_PARAMETERS);
    CHECK(c->past_frames >= 0 && c->past_frames <= MAX_PAST, err, RSD_ERR_CORRUPT,
          "looks back %d frames; %d are possible", c->past_frames, MAX_PAST);
fail:
    return status;
}

static RsdStatus check_size(const CodeLmConfig *c, const Checkpoint *file, RsdError *err)
{
    int64_t n_held = 0, count;
    RsdStatus status = RSD_OK;

    for (size_t i = 0; i < checkpoint_count(file); i++) {
        const CheckpointArray *array = checkpoint_array(file, i);

        TRY(shape_count(&count, array->n_dims, array->shape, err));
        n_held += count;
    }
    CHECK(n_held >= count_numbers(c), err, RSD_ERR_CORRUPT, "the arrays hold %lld numbers, their shapes ask for %lld",
          (long long)n_held, (long long)count_numbers(c));
fail:
    return status;
}

static bool same_name(char out[IMPORT_NAME_SIZE], const char *param, int i, const void *ctx)
{
    (void)ctx;
    snprintf(out, IMPORT_NAME_SIZE, "%s", param);
    return i == 0;
}

RsdStatus code_lm_import(CodeLm **out, Checkpoint *file, RsdError *err)
{
    const ImportRules rules = {.name = same_name};
    CodeLm *lm = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&lm, 1, sizeof *lm, err));
    status = read_config(&lm->config, file, err);
    if (status == RSD_OK)
        status = check_size(&lm->config, file, err);
    if (status != RSD_OK) {
        error_prefix(err, status, "%s", checkpoint_place(file));
        goto fail;
    }
    TRY(params_create_for_inference(&lm->params, count_numbers(&lm->config), err));
    TRY(mem_calloc(&lm->layers, (size_t)lm->config.n_layers, sizeof *lm->layers, err));
    TRY(add_arrays(lm, err));
    TRY(import_params(lm->params, file, &rules, err));
    *out = lm;
    return RSD_OK;
fail:
    code_lm_destroy(&lm);
    return status;
}

RsdStatus code_lm_load(CodeLm **out, const char *path, RsdError *err)
{
    Checkpoint *file = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(checkpoint_open(&file, path, err));
    TRY(code_lm_import(out, file, err));
fail:
    checkpoint_close(&file);
    return status;
}

void code_lm_destroy(CodeLm **lm)
{
    if (!*lm)
        return;
    params_destroy(&(*lm)->params);
    mem_free(&(*lm)->layers);
    mem_free(lm);
}

const CodeLmConfig *code_lm_config(const CodeLm *lm)
{
    return &lm->config;
}

int64_t code_lm_count_parameters(const CodeLm *lm)
{
    return count_numbers(&lm->config);
}

RsdStatus code_lm_save(const CodeLm *lm, const char *path, const char *const *notes, RsdError *err)
{
    SafetensorsWriter *writer = NULL;
    char text[16];
    RsdStatus status = RSD_OK;

    TRY(safetensors_writer_create(&writer, err));
    TRY(safetensors_writer_metadata(writer, "residua.kind", KIND, err));
    TRY(safetensors_writer_metadata(writer, "residua.version", "1", err));
    snprintf(text, sizeof text, "%d", lm->config.n_heads);
    TRY(safetensors_writer_metadata(writer, "residua.n_heads", text, err));
    snprintf(text, sizeof text, "%d", lm->config.past_frames);
    TRY(safetensors_writer_metadata(writer, "residua.past_frames", text, err));
    for (size_t i = 0; notes && notes[i]; i += 2)
        TRY(safetensors_writer_metadata(writer, notes[i], notes[i + 1], err));
    TRY(params_save_for_inference(lm->params, writer, "", DTYPE_F32, err));
    TRY(safetensors_writer_finish(writer, path, err));
fail:
    safetensors_writer_destroy(&writer);
    return status;
}

/* ---- one step ---- */

RsdStatus code_lm_state_create(CodeLmState **out, const CodeLm *lm, RsdThreads *threads, int frame_rate_hz,
                               RsdError *err)
{
    const CodeLmConfig *c = &lm->config;
    CodeLmState *s = NULL;
    size_t dim = (size_t)c->dim, ring;
    int past = c->past_frames ? c->past_frames : (int)(PAST_SECONDS * frame_rate_hz);
    RsdStatus status = RSD_OK;

    *out = NULL;
    CHECK(past >= 1 && past <= MAX_PAST, err, RSD_ERR_UNSUPPORTED,
          "the language model would look back %d frames; %d are possible", past, MAX_PAST);
    TRY(mem_calloc(&s, 1, sizeof *s, err));
    s->lm = lm;
    s->gemm = kernels_pick()->gemm;
    s->threads = threads;
    s->n_places = past + 1;
    ring = (size_t)c->n_layers * (size_t)s->n_places;
    TRY(mem_alloc(&s->keys, ring, dim * sizeof(float), err));
    TRY(mem_alloc(&s->values, ring, dim * sizeof(float), err));
    TRY(mem_alloc(&s->x, dim, sizeof(float), err));
    TRY(mem_alloc(&s->h, (size_t)(c->hidden > c->dim ? c->hidden : c->dim), sizeof(float), err));
    TRY(mem_alloc(&s->qkv, 3 * dim, sizeof(float), err));
    TRY(mem_alloc(&s->scores, (size_t)s->n_places, sizeof(float), err));
    TRY(mem_alloc(&s->mixed, dim, sizeof(float), err));
    TRY(mem_alloc(&s->inverse_period, dim / 2, sizeof(float), err));
    for (size_t i = 0; i < dim / 2; i++)
        s->inverse_period[i] = powf(MAX_PERIOD, (float)i / (float)(dim / 2 - 1));
    code_lm_restart(s);
    *out = s;
    return RSD_OK;
fail:
    code_lm_state_destroy(&s);
    return status;
}

void code_lm_state_destroy(CodeLmState **state)
{
    CodeLmState *s = *state;

    if (!s)
        return;
    mem_free(&s->keys);
    mem_free(&s->values);
    mem_free(&s->x);
    mem_free(&s->h);
    mem_free(&s->qkv);
    mem_free(&s->scores);
    mem_free(&s->mixed);
    mem_free(&s->inverse_period);
    mem_free(state);
}

/* A layer's vector of zeros before the first frame: its keys and values are the biases. It has the ring's last place, where
 * the frame that pushes it out of reach will come. */
void code_lm_restart(CodeLmState *s)
{
    const size_t dim = (size_t)s->lm->config.dim, size = dim * sizeof(float);

    s->n_frames = 0;
    for (int i = 0; i < s->lm->config.n_layers; i++) {
        size_t place = ((size_t)i * (size_t)s->n_places + (size_t)s->n_places - 1) * dim;

        memcpy(s->keys + place, s->lm->layers[i].in_b->data + dim, size);
        memcpy(s->values + place, s->lm->layers[i].in_b->data + 2 * dim, size);
    }
}

typedef struct Product {
    const GemmKernels *gemm;
    const float *w, *x;
    float *y;
    int64_t rows, cols;
} Product;

static void multiply_rows(void *ctx, int64_t task, int worker)
{
    const Product *p = ctx;
    const int64_t first = task * ROWS_PER_TASK, left = p->rows - first;

    (void)worker;
    p->gemm->matrix_vector(left < ROWS_PER_TASK ? left : ROWS_PER_TASK, p->cols, p->w + first * p->cols, p->cols, p->x,
                           true, p->y + first);
}

/* y = W x + b; each number is summed in one order, for any number of threads. */
static void multiply(CodeLmState *s, const Tensor *w, const Tensor *b, const float *x, float *y)
{
    Product p = {.gemm = s->gemm, .w = w->data, .x = x, .y = y, .rows = w->shape[0], .cols = w->shape[1]};

    memcpy(y, b->data, (size_t)p.rows * sizeof *y);
    threads_for(s->threads, (p.rows + ROWS_PER_TASK - 1) / ROWS_PER_TASK, multiply_rows, &p);
}

static void normalise(float *x, int dim, const Tensor *weight, const Tensor *bias)
{
    double mean = 0.0, square = 0.0;
    float scale;

    for (int i = 0; i < dim; i++)
        mean += (double)x[i];
    mean /= dim;
    for (int i = 0; i < dim; i++)
        square += ((double)x[i] - mean) * ((double)x[i] - mean);
    scale = (float)(1.0 / sqrt(square / dim + (double)NORM_EPS));
    for (int i = 0; i < dim; i++)
        x[i] = (x[i] - (float)mean) * scale * weight->data[i] + bias->data[i];
}

static void embed(CodeLmState *s, const uint16_t *previous, int n_q)
{
    const CodeLm *lm = s->lm;
    const int dim = lm->config.dim;

    memset(s->x, 0, (size_t)dim * sizeof *s->x);
    for (int k = 0; k < n_q; k++) {
        const float *row = lm->emb[k]->data + (s->n_frames ? (int64_t)previous[k] + 1 : 0) * dim;

        for (int i = 0; i < dim; i++)
            s->x[i] += row[i];
    }
    normalise(s->x, dim, lm->norm_w, lm->norm_b);
    for (int i = 0; i < dim / 2; i++) {
        float phase = (float)s->n_frames / s->inverse_period[i];

        s->x[i] += cosf(phase);
        s->x[dim / 2 + i] += sinf(phase);
    }
}

static void soften(float *x, int n)
{
    float most = x[0], sum = 0.0f;

    for (int i = 1; i < n; i++)
        most = x[i] > most ? x[i] : most;
    for (int i = 0; i < n; i++)
        sum += x[i] = expf(x[i] - most);
    for (int i = 0; i < n; i++)
        x[i] /= sum;
}

/* mixed = what each head's query finds. Places 0 to front - 1 hold frames; before the ring is full the last one holds the
 * vector of zeros. */
static void attend(CodeLmState *s, int layer)
{
    const int dim = s->lm->config.dim, n_heads = s->lm->config.n_heads, width = dim / n_heads;
    const int front = s->n_frames + 1 < s->n_places ? (int)s->n_frames + 1 : s->n_places,
              n = front + (front < s->n_places);
    const float *keys = s->keys + (size_t)layer * (size_t)s->n_places * (size_t)dim;
    const float *values = s->values + (size_t)layer * (size_t)s->n_places * (size_t)dim;
    const float scale = 1.0f / sqrtf((float)width);

    for (int i = 0; i < dim; i++)
        s->qkv[i] *= scale;
    memset(s->mixed, 0, (size_t)dim * sizeof *s->mixed);
    for (int head = 0; head < n_heads; head++) {
        const float *query = s->qkv + head * width;
        float *scores = s->scores, *mixed = s->mixed + head * width;

        s->gemm->matrix_vector(front, width, keys + head * width, dim, query, false, scores);
        if (n > front)
            s->gemm->matrix_vector(1, width, keys + (size_t)(s->n_places - 1) * (size_t)dim + head * width, dim, query,
                                   false, scores + front);
        soften(scores, n);
        for (int k = 0; k < n; k++) {
            const float *value = values + (size_t)(k < front ? k : s->n_places - 1) * (size_t)dim + head * width;

            for (int i = 0; i < width; i++)
                mixed[i] += scores[k] * value[i];
        }
    }
}

static void run_layer(CodeLmState *s, int i)
{
    const CodeLmConfig *c = &s->lm->config;
    const Layer *layer = &s->lm->layers[i];
    const size_t dim = (size_t)c->dim, place = (size_t)(s->n_frames % s->n_places);
    const size_t at = ((size_t)i * (size_t)s->n_places + place) * dim;

    multiply(s, layer->in_w, layer->in_b, s->x, s->qkv);
    memcpy(s->keys + at, s->qkv + dim, dim * sizeof(float));
    memcpy(s->values + at, s->qkv + 2 * dim, dim * sizeof(float));
    attend(s, i);
    multiply(s, layer->out_w, layer->out_b, s->mixed, s->h);
    for (size_t k = 0; k < dim; k++)
        s->x[k] += s->h[k];
    normalise(s->x, c->dim, layer->norm1_w, layer->norm1_b);
    multiply(s, layer->ff1_w, layer->ff1_b, s->x, s->h);
    for (int k = 0; k < c->hidden; k++)
        s->h[k] = 0.5f * s->h[k] * (1.0f + erff(s->h[k] * 0.70710678f));
    multiply(s, layer->ff2_w, layer->ff2_b, s->h, s->mixed);
    for (size_t k = 0; k < dim; k++)
        s->x[k] += s->mixed[k];
    normalise(s->x, c->dim, layer->norm2_w, layer->norm2_b);
}

void code_lm_next(CodeLmState *s, const uint16_t *previous, int n_q, float *p)
{
    const CodeLm *lm = s->lm;

    embed(s, previous, n_q);
    for (int i = 0; i < lm->config.n_layers; i++)
        run_layer(s, i);
    for (int k = 0; k < n_q; k++) {
        float *logits = p + (size_t)k * (size_t)lm->config.n_codes;

        multiply(s, lm->head_w[k], lm->head_b[k], s->x, logits);
        soften(logits, lm->config.n_codes);
    }
    s->n_frames++;
}
