/* signal_ratio.c - SI-SNR and SI-SDR from the sums of a segment.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/ops/signal_ratio.h"

#include <math.h>
#include <string.h>

#include "engine/kernels/point.h"

#define TO_DB (10.0 / 2.302585092994045684) /* 10 log10(v) = TO_DB ln(v) */
#define SISDR_EPSILON 1e-8                  /* audio.md 8.1, DAC's form */
#define LEAST_NOISE 1e-30 /* keeps the quotient of two silent or two equal signals finite */

/* Means and centred inner products of x and y over len positions. */
typedef struct Sums {
    double mean_x, mean_y, xx, yy, xy;
} Sums;

/* Gradient p x + q y + r. */
typedef struct Blend {
    double p, q, r;
} Blend;

static double blocked(const PointKernels *k, const float *a, const float *b, int64_t n)
{
    double sum = 0.0;

    for (int64_t i = 0; i < n; i += POINT_BLOCK) {
        const int64_t left = n - i < POINT_BLOCK ? n - i : POINT_BLOCK;

        sum += b ? k->dot(a + i, b + i, left) : k->sum(a + i, left);
    }
    return sum;
}

/* n samples, followed by zeros up to len. */
static Sums sums_of(const PointKernels *k, const float *x, const float *y, int64_t n, double len, bool centred)
{
    Sums s = {.xx = blocked(k, x, x, n), .yy = blocked(k, y, y, n), .xy = blocked(k, x, y, n)};

    if (centred) {
        s.mean_x = blocked(k, x, NULL, n) / len;
        s.mean_y = blocked(k, y, NULL, n) / len;
        s.xx = fmax(s.xx - len * s.mean_x * s.mean_x, s.xx * 0.0); /* not below 0, NaN stays */
        s.yy = fmax(s.yy - len * s.mean_y * s.mean_y, s.yy * 0.0);
        s.xy -= len * s.mean_x * s.mean_y;
    }
    return s;
}

/* x is the estimate e, y the target g. */
static double sisnr_of(const Sums *s, double floor, Blend *grad)
{
    const double share = 1.0 / (floor + s->yy), a = s->xy * share;
    const double signal = a * a * s->yy, noise = fmax(s->xx - 2.0 * a * s->xy + a * a * s->yy, s->xx * 0.0);
    const double dsignal = -TO_DB / (floor + signal), dnoise = TO_DB / (floor + noise);

    /* da = share g; d signal = 2 a |g|^2 da; d noise = 2 e - 2 a g - 2 <g, e> da + 2 a |g|^2 da */
    grad->p = dnoise * 2.0;
    grad->q = dsignal * 2.0 * a * s->yy * share + dnoise * (-2.0 * a + 2.0 * share * (a * s->yy - s->xy));
    grad->r = -grad->p * s->mean_x - grad->q * s->mean_y;
    return -10.0 * log10(floor + signal) + 10.0 * log10(floor + noise);
}

static double sisdr_of(const Sums *s, const SisdrParams *p, Blend *grad)
{
    const bool swapped = p->estimate_is_reference;
    const double rr = swapped ? s->xx : s->yy, ee = swapped ? s->yy : s->xx, er = s->xy;
    const double a = p->scales ? (er + SISDR_EPSILON) / (rr + SISDR_EPSILON) : 1.0;
    const double share = p->scales ? 1.0 / (rr + SISDR_EPSILON) : 0.0;
    const double signal = a * a * rr, noise = fmax(ee - 2.0 * a * er + a * a * rr, ee * 0.0) + LEAST_NOISE;
    const double value = -10.0 * log10(signal / noise + SISDR_EPSILON);
    /* value = -TO_DB ln(S / N + eps): dvalue = -TO_DB (dS - S / N dN) / (S + eps N) */
    const double dsignal = -TO_DB / (signal + SISDR_EPSILON * noise + LEAST_NOISE), dnoise = -dsignal * signal / noise;
    const double da = dsignal * 2.0 * a * rr + dnoise * 2.0 * (a * rr - er); /* through a alone */
    double along_e, along_r;

    if (swapped) { /* a changes by share (e - 2 a r) dr */
        along_e = da * share - dnoise * 2.0 * a;
        along_r = -da * share * 2.0 * a + (dsignal + dnoise) * 2.0 * a * a;
    } else { /* a changes by share r de */
        along_e = dnoise * 2.0;
        along_r = da * share - dnoise * 2.0 * a;
    }
    *grad = swapped ? (Blend){along_r, along_e, 0.0} : (Blend){along_e, along_r, 0.0};
    if (p->removes_mean)
        grad->r = -grad->p * s->mean_x - grad->q * s->mean_y;
    if (p->clips && value < p->clip_db) {
        *grad = (Blend){0};
        return p->clip_db;
    }
    return value;
}

typedef struct Job {
    const PointKernels *kernels;
    const float *x, *y;
    float *dx; /* NULL: not wanted */
    int64_t n_rows, n, segment_len, step, n_segments;
    const SisnrParams *sisnr; /* one of the two */
    const SisdrParams *sisdr;
    double *values; /* one per row */
} Job;

static void ratio_row(void *ctx, int64_t row, int worker)
{
    const Job *job = ctx;
    const double count = (double)job->n_rows * (double)job->n_segments;
    double sum = 0.0;

    (void)worker;
    for (int64_t i = 0; i < job->n_segments; i++) {
        const int64_t start = i * job->step, left = job->n - start, at = row * job->n + start;
        const int64_t len = left < job->segment_len ? left : job->segment_len;
        const bool centred = job->sisnr || job->sisdr->removes_mean;
        const Sums s = sums_of(job->kernels, job->x + at, job->y + at, len, (double)job->segment_len, centred);
        Blend grad;

        sum += job->sisnr ? sisnr_of(&s, job->sisnr->epsilon * (double)job->segment_len, &grad)
                          : sisdr_of(&s, job->sisdr, &grad);
        if (job->dx)
            job->kernels->blend(job->x + at, (float)(grad.p / count), job->y + at, (float)(grad.q / count),
                                (float)(grad.r / count), job->dx + at, len, true);
    }
    job->values[row] = sum / count;
}

typedef struct Saved {
    float *dx;
} Saved;

static RsdStatus ratio_backward(Tape *tape, Node *node, RsdError *err)
{
    const Saved *saved = node->saved;
    float *dx;
    bool add;
    RsdStatus status = tape_grad(tape, node->in[0], &dx, &add, err);

    if (status == RSD_OK && dx)
        tape->kernels->point->scale(saved->dx, node->out->grad[0], dx, tensor_count(node->in[0]), add);
    return status;
}

/* job: n_rows, n, segments and parameters are set. */
static RsdStatus run(Tape *tape, Job *job, Tensor *x, Tensor *y, Tensor **value, RsdError *err)
{
    Tensor *inputs[] = {x}, *result;
    Saved *saved;
    const int64_t one = 1;
    double total = 0.0;
    RsdStatus status = RSD_OK;

    TRY(tape_tensor(tape, &result, 1, &one, err));
    TRY(arena_calloc(tape->arena, &saved, 1, sizeof *saved, err));
    if (tape_will_record(tape, 1, inputs))
        TRY(arena_calloc(tape->arena, &saved->dx, (size_t)tensor_count(x), sizeof(float), err));
    TRY(arena_alloc(tape->arena, &job->values, (size_t)job->n_rows, sizeof(double), err));
    job->kernels = tape->kernels->point;
    job->x = x->data;
    job->y = y->data;
    job->dx = saved->dx;
    threads_for(tape->threads, job->n_rows, ratio_row, job);
    for (int64_t i = 0; i < job->n_rows; i++)
        total += job->values[i];
    result->data[0] = (float)total;
    TRY(tape_record(tape, ratio_backward, result, 1, inputs, saved, err));
    *value = result;
fail:
    return status;
}

static RsdStatus check_shapes(const Tensor *x, const Tensor *y, RsdError *err)
{
    char text_x[SHAPE_TEXT_SIZE], text_y[SHAPE_TEXT_SIZE];

    if (tensor_same_shape(x, y) && x->n_dims >= 1 && tensor_count(x) > 0)
        return RSD_OK;
    return error_set(err, RSD_ERR_ARG, "a ratio of signal to noise needs two signals of one shape, not %s and %s",
                     shape_text(text_x, x->n_dims, x->shape), shape_text(text_y, y->n_dims, y->shape));
}

RsdStatus op_negative_sisnr(Tape *tape, const SisnrParams *p, Tensor *estimate, Tensor *target, Tensor **value,
                            RsdError *err)
{
    Job job = {.sisnr = p};
    RsdStatus status = RSD_OK;

    *value = NULL;
    TRY(check_shapes(estimate, target, err));
    job.n = estimate->shape[estimate->n_dims - 1];
    job.n_rows = tensor_count(estimate) / job.n;
    job.segment_len = p->segment_len ? p->segment_len : job.n;
    job.step = p->segment_len ? p->step : job.n;
    CHECK(job.segment_len >= 1 && job.step >= 1, err, RSD_ERR_ARG,
          "segments of %lld samples every %lld: both must be positive", (long long)job.segment_len,
          (long long)job.step);
    job.n_segments = (job.n + job.step - 1) / job.step;
    TRY(run(tape, &job, estimate, target, value, err));
fail:
    return status;
}

RsdStatus op_negative_sisdr(Tape *tape, const SisdrParams *p, Tensor *estimate, Tensor *target, Tensor **value,
                            RsdError *err)
{
    Job job = {.sisdr = p};
    RsdStatus status = RSD_OK;

    *value = NULL;
    TRY(check_shapes(estimate, target, err));
    job.n_rows = estimate->n_dims > 1 ? estimate->shape[0] : 1;
    job.n = job.segment_len = job.step = tensor_count(estimate) / job.n_rows;
    job.n_segments = 1;
    TRY(run(tape, &job, estimate, target, value, err));
fail:
    return status;
}
