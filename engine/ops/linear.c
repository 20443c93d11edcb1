/* linear.c - pointwise matrix products: over the channels of a signal, and plain.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/ops/linear.h"

#include <string.h>

#include "engine/kernels/gemm.h"
#include "engine/ops/conv_run.h"

#define ROWS_PER_TASK 64 /* of a plain product: fixed, so that the result does not depend on the number of threads */

/* The layout for w [c_out, c_in] or [c_out, c_in, 1] and a batch of signals of n samples. */
static ConvShape pointwise_shape(const Tensor *w, int64_t batch, int64_t n)
{
    return (ConvShape){.batch = batch,
                       .c_fine = w->shape[1],
                       .c_coarse = w->shape[0],
                       .groups = 1,
                       .x = {.n_fine = n, .n_coarse = n, .k = 1, .stride = 1, .dilation = 1},
                       .y = CONV_ONE_LINE};
}

RsdStatus op_linear(Tape *tape, Tensor *x, Tensor *w, Tensor *b, Tensor **y, RsdError *err)
{
    char x_text[SHAPE_TEXT_SIZE], w_text[SHAPE_TEXT_SIZE];
    bool is_matrix = w->n_dims == 2 || (w->n_dims == 3 && w->shape[2] == 1);
    RsdStatus status = RSD_OK;

    *y = NULL;
    CHECK(is_matrix && x->n_dims == 3 && x->shape[1] == w->shape[1] && w->shape[0] > 0 && w->shape[1] > 0, err, RSD_ERR_ARG,
          "linear: input %s does not fit weight %s", shape_text(x_text, x->n_dims, x->shape),
          shape_text(w_text, w->n_dims, w->shape));
    CHECK(!b || (b->n_dims == 1 && b->shape[0] == w->shape[0]), err, RSD_ERR_ARG, "linear: bias %s for %lld outputs",
          shape_text(x_text, b->n_dims, b->shape), (long long)w->shape[0]);
    TRY(conv_call(tape,
                  &(ConvCall){.kind = CONV_GATHER,
                              .shape = pointwise_shape(w, x->shape[0], x->shape[2]),
                              .n_axes = 1,
                              .axes = {x->shape[2]},
                              .x = x,
                              .w = w,
                              .b = b},
                  y, err));
fail:
    return status;
}

RsdStatus linear_prepare(Tape *tape, Tensor *w, RsdError *err)
{
    const ConvShape shape = pointwise_shape(w, 1, 1);

    return conv_prepare(tape, CONV_GATHER, &shape, w, err);
}

/* --- plain product ------------------------------------------------------------------------------------------------------ */

typedef struct Product {
    const GemmKernels *kernels;
    GemmJob job;
} Product;

/* A block of rows of the result. */
static void product_task(void *ctx, int64_t i, int worker)
{
    const Product *product = ctx;
    GemmJob job = product->job;
    int64_t first = i * ROWS_PER_TASK;

    (void)worker;
    job.m = job.m - first < ROWS_PER_TASK ? job.m - first : ROWS_PER_TASK;
    job.a += job.transpose_a ? first : first * job.lda;
    job.c += first * job.ldc;
    product->kernels->product(&job);
}

static void run_product(Tape *tape, const GemmJob *job)
{
    Product product = {tape->kernels->gemm, *job};

    threads_for(tape->threads, (job->m + ROWS_PER_TASK - 1) / ROWS_PER_TASK, product_task, &product);
}

static RsdStatus matmul_backward(Tape *tape, Node *node, RsdError *err)
{
    Tensor *a = node->in[0], *b = node->in[1];
    int64_t k = b->shape[0], n = b->shape[1], rows = k > 0 ? tensor_count(a) / k : 0;
    const float *dy = node->out->grad;
    float *da, *db;
    bool add;
    RsdStatus status = RSD_OK;

    TRY(tape_grad(tape, a, &da, &add, err));
    if (da)
        run_product(tape, &(GemmJob){.transpose_b = true, .add = add, .m = rows, .n = k, .k = n, .a = dy, .lda = n,
                                     .b = b->data, .ldb = n, .c = da, .ldc = k});
    TRY(tape_grad(tape, b, &db, &add, err));
    if (db)
        run_product(tape, &(GemmJob){.transpose_a = true, .add = add, .m = k, .n = n, .k = rows, .a = a->data, .lda = k,
                                     .b = dy, .ldb = n, .c = db, .ldc = n});
fail:
    return status;
}

RsdStatus op_matmul(Tape *tape, Tensor *a, Tensor *b, Tensor **y, RsdError *err)
{
    Tensor *const inputs[] = {a, b};
    char a_text[SHAPE_TEXT_SIZE], b_text[SHAPE_TEXT_SIZE];
    int64_t shape[TENSOR_MAX_DIMS], k, n;
    Tensor *out;
    RsdStatus status = RSD_OK;

    *y = NULL;
    CHECK(a->n_dims >= 2 && b->n_dims == 2 && a->shape[a->n_dims - 1] == b->shape[0], err, RSD_ERR_ARG,
          "matmul: %s times %s", shape_text(a_text, a->n_dims, a->shape), shape_text(b_text, b->n_dims, b->shape));
    k = b->shape[0];
    n = b->shape[1];
    CHECK(k > 0, err, RSD_ERR_ARG, "matmul: %s times %s has empty sums", shape_text(a_text, a->n_dims, a->shape),
          shape_text(b_text, b->n_dims, b->shape));
    memcpy(shape, a->shape, sizeof shape);
    shape[a->n_dims - 1] = n;
    TRY(tape_tensor(tape, &out, a->n_dims, shape, err));
    run_product(tape, &(GemmJob){.m = tensor_count(a) / k, .n = n, .k = k, .a = a->data, .lda = k, .b = b->data, .ldb = n,
                                 .c = out->data, .ldc = n});
    TRY(tape_record(tape, matmul_backward, out, 2, inputs, NULL, err));
    *y = out;
fail:
    return status;
}
