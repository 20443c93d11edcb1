/* tape.c - the list of nodes, their arena, and backward.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/tape.h"

#include <math.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/kernels/point.h"

RsdStatus tape_create(Tape **out, RsdThreads *threads, size_t memory_limit, RsdError *err)
{
    Tape *tape = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&tape, 1, sizeof *tape, err));
    TRY(arena_create(&tape->arena, memory_limit, err));
    tape->threads = threads;
    tape->kernels = kernels_pick();
    *out = tape;
    return RSD_OK;
fail:
    tape_destroy(&tape);
    return status;
}

void tape_destroy(Tape **tape)
{
    if (!*tape)
        return;
    arena_destroy(&(*tape)->arena);
    mem_free(tape);
}

void tape_reset(Tape *tape)
{
    arena_reset(tape->arena);
    tape->last = NULL;
}

RsdStatus tape_tensor(Tape *tape, Tensor **out, int n_dims, const int64_t *shape, RsdError *err)
{
    Tensor *tensor;
    int64_t count;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(shape_count(&count, n_dims, shape, err));
    TRY(arena_calloc(tape->arena, &tensor, 1, sizeof *tensor, err));
    TRY(arena_alloc(tape->arena, &tensor->data, (size_t)count, sizeof(float), err));
    tensor->n_dims = n_dims;
    if (n_dims > 0) /* no axes: shape may be NULL */
        memcpy(tensor->shape, shape, (size_t)n_dims * sizeof *shape);
    *out = tensor;
fail:
    return status;
}

RsdStatus tape_input(Tape *tape, Tensor **out, int n_dims, const int64_t *shape, const float *data, RsdError *err)
{
    RsdStatus status = tape_tensor(tape, out, n_dims, shape, err);

    if (status == RSD_OK)
        memcpy((*out)->data, data, (size_t)tensor_count(*out) * sizeof(float));
    return status;
}

bool tape_will_record(const Tape *tape, int n_inputs, Tensor *const *inputs)
{
    if (!tape->recording)
        return false;
    for (int i = 0; i < n_inputs; i++)
        if (inputs[i] && inputs[i]->needs_grad)
            return true;
    return false;
}

RsdStatus tape_record(Tape *tape, NodeBackward backward, Tensor *out, int n_inputs, Tensor *const *inputs, void *saved,
                      RsdError *err)
{
    Node *node;
    RsdStatus status = RSD_OK;

    if (!tape_will_record(tape, n_inputs, inputs))
        return RSD_OK;
    TRY(arena_calloc(tape->arena, &node, 1, sizeof *node + (size_t)n_inputs * sizeof *inputs, err));
    node->backward = backward;
    node->n_inputs = n_inputs;
    memcpy(node->in, inputs, (size_t)n_inputs * sizeof *inputs);
    node->out = out;
    node->saved = saved;
    node->previous = tape->last;
    tape->last = node;
    out->needs_grad = true;
fail:
    return status;
}

RsdStatus tape_grad(Tape *tape, Tensor *x, float **dx, bool *add, RsdError *err)
{
    *dx = NULL;
    *add = true;
    if (!x || !x->needs_grad)
        return RSD_OK;
    if (!x->grad) {
        RsdStatus status;

        /* Such a tensor outlives the arena; a gradient there would dangle after the next reset. */
        if (x->buffer)
            return error_set(err, RSD_ERR_ARG, "a tensor of its own needs a gradient but was not made by "
                                               "tensor_create_param");
        status = arena_alloc(tape->arena, &x->grad, (size_t)tensor_count(x), sizeof(float), err);

        if (status != RSD_OK)
            return status;
        *add = false;
    }
    *dx = x->grad;
    return RSD_OK;
}

RsdStatus tape_seed(Tape *tape, Tensor *scalar, float weight, RsdError *err)
{
    float *grad;
    bool add;
    RsdStatus status = tape_grad(tape, scalar, &grad, &add, err);

    if (status == RSD_OK && grad)
        *grad = weight;
    return status;
}

typedef struct AddJob {
    const PointKernels *point;
    const float *src;
    float *dst;
    int64_t count;
    bool add;
} AddJob;

static void add_block(void *ctx, int64_t i, int worker)
{
    const AddJob *job = ctx;
    const int64_t first = i * POINT_BLOCK, left = job->count - first;

    (void)worker;
    job->point->scale(job->src + first, 1.0f, job->dst + first, left < POINT_BLOCK ? left : POINT_BLOCK, job->add);
}

static void add_array(Tape *tape, const float *src, float *dst, int64_t count, bool add)
{
    AddJob job = {tape->kernels->point, src, dst, count, add};

    threads_for(tape->threads, (count + POINT_BLOCK - 1) / POINT_BLOCK, add_block, &job);
}

RsdStatus tape_grad_pass(Tape *tape, Node *node, Tensor *x, RsdError *err)
{
    float *dx;
    bool add;
    RsdStatus status;

    if (x && x->needs_grad && !x->grad && !x->buffer) {
        x->grad = node->out->grad;
        return RSD_OK;
    }
    status = tape_grad(tape, x, &dx, &add, err);
    if (status == RSD_OK && dx)
        add_array(tape, node->out->grad, dx, tensor_count(x), add);
    return status;
}

RsdStatus tape_replay(Tape *tape, RsdError *err)
{
    for (Node *node = tape->last; node; node = node->previous) {
        if (node->out->grad) {
            RsdStatus status = node->backward(tape, node, err);

            if (status != RSD_OK)
                return status;
            /* Replaying twice from different outputs must not count this gradient again. */
            node->out->grad = NULL;
        }
    }
    return RSD_OK;
}

RsdStatus tape_backward_from(Tape *tape, Tensor *y, const float *dy, RsdError *err)
{
    float *grad;
    bool add;
    RsdStatus status = RSD_OK;

    TRY(tape_grad(tape, y, &grad, &add, err));
    CHECK(grad, err, RSD_ERR_ARG, "backward was asked for a tensor that depends on nothing that needs a gradient");
    add_array(tape, dy, grad, tensor_count(y), add);
    TRY(tape_replay(tape, err));
fail:
    return status;
}

RsdStatus tape_backward(Tape *tape, Tensor *loss, RsdError *err)
{
    const float one = 1.0f;

    if (tensor_count(loss) != 1)
        return error_set(err, RSD_ERR_ARG, "backward needs a loss of one element, not %lld",
                         (long long)tensor_count(loss));
    return tape_backward_from(tape, loss, &one, err);
}

static Node *find_node(const Tape *tape, const Tensor *y)
{
    Node *node = tape->last;

    while (node && node->out != y)
        node = node->previous;
    return node;
}

/* A node of one input, such as a shift or another order of the same numbers: the layer stands behind it. */
static RsdStatus norm_behind(Tape *tape, Node *node, const float *dy, Group *group, double *norm, RsdError *err)
{
    const ArenaMark mark = arena_mark(tape->arena);
    Tensor *x = node->in[0], *y = node->out;
    float *kept_x = x->grad, *kept_y = y->grad, *dx;
    RsdStatus status = RSD_OK;

    x->grad = NULL;
    y->grad = (float *)dy; /* rules only read it */
    status = node->backward(tape, node, err);
    dx = x->grad;
    x->grad = kept_x;
    y->grad = kept_y;
    TRY(status);
    CHECK(dx, err, RSD_ERR_ARG, "there is no layer with a weight behind this tensor");
    TRY(tape_weight_grad_norm(tape, x, dx, group, norm, err));
fail:
    arena_rewind(tape->arena, mark);
    return status;
}

RsdStatus tape_weight_grad_norm(Tape *tape, Tensor *y, const float *dy, Group *group, double *norm, RsdError *err)
{
    const ArenaMark mark = arena_mark(tape->arena);
    Node *node = find_node(tape, y);
    Tensor *w = NULL;
    float *kept_y = y->grad, *kept_w = NULL, *own_dy;
    TensorBuffer *buffer = NULL;
    bool needed[16];
    RsdStatus status = RSD_OK;

    if (node && node->n_inputs == 1)
        return norm_behind(tape, node, dy, group, norm, err);
    CHECK(node && node->n_inputs >= 2 && node->n_inputs <= 16 && node->in[1] && node->in[1]->needs_grad, err,
          RSD_ERR_ARG, "there is no layer with a weight behind this tensor");
    TRY(arena_alloc(tape->arena, &own_dy, (size_t)tensor_count(y), sizeof *own_dy, err)); /* a rule may write to it */
    memcpy(own_dy, dy, (size_t)tensor_count(y) * sizeof *own_dy);
    w = node->in[1];
    kept_w = w->grad;
    buffer = w->buffer; /* a parameter's gradient goes to the arena like that of a weight of this step */
    w->grad = NULL;
    w->buffer = NULL;
    for (int i = 0; i < node->n_inputs; i++)
        if (node->in[i] && node->in[i] != w) {
            needed[i] = node->in[i]->needs_grad;
            node->in[i]->needs_grad = false;
        }
    y->grad = own_dy;
    status = node->backward(tape, node, err);
    for (int i = 0; i < node->n_inputs; i++)
        if (node->in[i] && node->in[i] != w)
            node->in[i]->needs_grad = needed[i];
    TRY(status);
    if (w->grad)
        group_sum_f32(group, w->grad, (size_t)tensor_count(w));
    *norm = sqrt(w->grad ? tape->kernels->point->dot(w->grad, w->grad, tensor_count(w)) : 0.0);
fail:
    if (w) {
        w->grad = kept_w;
        w->buffer = buffer;
    }
    y->grad = kept_y;
    arena_rewind(tape->arena, mark);
    return status;
}

RsdStatus tape_keep(Tape *tape, ArenaMark mark, Tensor **y, RsdError *err)
{
    Tensor kept = **y;
    size_t count = (size_t)tensor_count(*y);
    float *data;
    RsdStatus status = RSD_OK;

    if (tape->recording)
        return RSD_OK;
    arena_rewind(tape->arena, mark);
    TRY(arena_alloc(tape->arena, &data, count, sizeof *data, err));
    memmove(data, kept.data, count * sizeof *data); /* towards the mark: what has been taken since lies behind it */
    kept.data = data;
    TRY(arena_alloc(tape->arena, y, 1, sizeof **y, err));
    **y = kept;
fail:
    return status;
}

RsdStatus tape_leaf(Tape *tape, const Tensor *x, bool needs_grad, Tensor **out, RsdError *err)
{
    Tensor *leaf;
    RsdStatus status = arena_alloc(tape->arena, &leaf, 1, sizeof *leaf, err);

    *out = NULL;
    if (status != RSD_OK)
        return status;
    *leaf = *x;
    leaf->grad = NULL;
    leaf->buffer = NULL;
    leaf->needs_grad = needs_grad;
    *out = leaf;
    return RSD_OK;
}
