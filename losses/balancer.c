/* balancer.c - the kinds of balancing, as scales of the losses' gradients.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/balancer.h"

#include <math.h>

#include "engine/kernels/point.h"

const char *const BALANCE_NAMES[] = {"fixed", "encodec", "adaptive", "uncertainty", "gap", "config"};

#define EPSILON 1e-12         /* audio.md 1.9 */
#define ADAPTIVE_EPSILON 1e-4 /* image.md 2.1 */
#define ADAPTIVE_MAX 1e4
#define UNCERTAINTY_RATE 0.01 /* of the descent on s */
#define UNCERTAINTY_STEP 0.5  /* its largest step */
#define GAP_FIRST_COUNT 0.9   /* share of a full average after which the first value is taken */
#define RIDGE 1e-9            /* for gradients that point the same way */

RsdStatus balancer_init(Balancer *balancer, const BalancerConfig *config, RsdError *err)
{
    RsdStatus status = RSD_OK;

    CHECK(config->n_losses >= 1 && config->n_losses <= BALANCER_MAX_LOSSES, err, RSD_ERR_ARG,
          "a balancer of %d losses; 1 to %d are possible", config->n_losses, BALANCER_MAX_LOSSES);
    CHECK(config->n_adversarial >= 0 && config->n_adversarial < config->n_losses, err, RSD_ERR_ARG,
          "a balancer of %d losses, %d of them the adversary's", config->n_losses, config->n_adversarial);
    CHECK(config->ema_decay >= 0.0f && config->ema_decay < 1.0f, err, RSD_ERR_ARG,
          "the balancer's decay is %g; it must be at least 0 and below 1", (double)config->ema_decay);
    CHECK(config->total_norm > 0.0f && isfinite(config->total_norm), err, RSD_ERR_ARG,
          "the balancer's total norm is %g; it must be positive", (double)config->total_norm);
    for (int i = 0; i < config->n_losses; i++)
        CHECK(config->weights[i] >= 0.0f && isfinite(config->weights[i]), err, RSD_ERR_ARG,
              "the balancer's weight %d is %g; it must be at least 0", i, (double)config->weights[i]);
    *balancer = (Balancer){.config = *config};
fail:
    return status;
}

/* ---- sums over gradients ---- */

static double dot_of(const float *a, const float *b, int64_t n)
{
    const PointKernels *kernels = kernels_pick()->point;
    double sum = 0.0;

    for (int64_t i = 0; i < n; i += POINT_BLOCK)
        sum += kernels->dot(a + i, b + i, n - i < POINT_BLOCK ? n - i : POINT_BLOCK);
    return sum;
}

/* The same over the batch of all members. */
static double whole_dot_of(Group *group, const float *a, const float *b, int64_t n)
{
    double dot = dot_of(a, b, n);

    group_sum_f64(group, &dot, 1);
    return dot;
}

static double batch_norm_of(const float *g, int64_t batch, int64_t item_count, bool per_item)
{
    double sum = 0.0;

    if (!per_item)
        return sqrt(dot_of(g, g, batch * item_count));
    for (int64_t b = 0; b < batch; b++)
        sum += sqrt(dot_of(g + b * item_count, g + b * item_count, item_count));
    return sum / (double)batch;
}

/* One call of balancer_apply. */
typedef struct Work {
    Balancer *balancer;
    const BalancerInput *input;
    int n;
    int64_t count;
    double weights[BALANCER_MAX_LOSSES]; /* lambda, 0 when absent */
    double averages[BALANCER_MAX_LOSSES];
    double scales[BALANCER_MAX_LOSSES];
} Work;

static bool is_adversarial(const Work *work, int i)
{
    return i >= work->n - work->balancer->config.n_adversarial;
}

/* out = sum over losses `from` to `to` - 1 of scales_i g_i */
static void add_up(const Work *work, int from, int to, float *out)
{
    const PointKernels *kernels = kernels_pick()->point;
    bool add = false;

    for (int i = from; i < to; i++)
        if (work->input->grads[i]) {
            kernels->scale(work->input->grads[i], (float)work->scales[i], out, work->count, add);
            add = true;
        }
    if (!add)
        kernels->fill(out, 0.0f, work->count, false);
}

/* ---- kinds ---- */

static void scale_encodec(Work *work)
{
    double total_weight = 0.0;

    for (int i = 0; i < work->n; i++)
        total_weight += work->weights[i];
    for (int i = 0; i < work->n; i++)
        work->scales[i] = (double)work->balancer->config.total_norm * work->weights[i] / total_weight /
                          (work->averages[i] + EPSILON);
}

RsdStatus last_layer_norm(void *ctx, const float *grad, double *norm, RsdError *err)
{
    const LastLayer *last = ctx;

    return tape_weight_grad_norm(last->tape, last->y, grad, last->group, norm, err);
}

static RsdStatus scale_adaptive(Work *work, float *out, RsdError *err)
{
    const BalancerInput *input = work->input;
    int n_plain = work->n - work->balancer->config.n_adversarial;
    double of_reconstruction, norm;
    RsdStatus status = RSD_OK;

    if (!work->balancer->config.n_adversarial)
        return RSD_OK;
    CHECK(input->last_layer_norm, err, RSD_ERR_ARG, "adaptive balancing without a last layer");
    add_up(work, 0, n_plain, out);
    TRY(input->last_layer_norm(input->ctx, out, &of_reconstruction, err));
    for (int i = n_plain; i < work->n; i++) {
        if (!input->grads[i])
            continue;
        TRY(input->last_layer_norm(input->ctx, input->grads[i], &norm, err));
        work->scales[i] *= fmin(of_reconstruction / (norm + ADAPTIVE_EPSILON), ADAPTIVE_MAX);
    }
fail:
    return status;
}

static void scale_uncertainty(Work *work)
{
    double *s = work->balancer->log_variance;

    for (int i = 0; i < work->n; i++) {
        if (!work->input->grads[i] || is_adversarial(work, i))
            continue;
        work->scales[i] *= exp(-s[i]);
        s[i] -= fmin(fmax(UNCERTAINTY_RATE * (1.0 - exp(-s[i]) * work->input->values[i]), -UNCERTAINTY_STEP),
                     UNCERTAINTY_STEP);
    }
}

/* Moving average of the values; the first full one is what progress is measured against. */
static double follow_value(Balancer *balancer, int i, double value)
{
    double decay = (double)balancer->config.ema_decay, average;

    balancer->value_total[i] = decay * balancer->value_total[i] + value;
    balancer->value_count[i] = decay * balancer->value_count[i] + 1.0;
    average = balancer->value_total[i] / balancer->value_count[i];
    if (balancer->first_value[i] == 0.0 && balancer->value_count[i] * (1.0 - decay) >= GAP_FIRST_COUNT)
        balancer->first_value[i] = average;
    return average;
}

static void scale_gap(Work *work)
{
    Balancer *balancer = work->balancer;
    double averages[BALANCER_MAX_LOSSES], gaps[BALANCER_MAX_LOSSES], total = 0.0;
    int n_balanced = 0;

    for (int i = 0; i < work->n; i++) {
        if (!work->input->grads[i] || is_adversarial(work, i))
            continue;
        averages[i] = follow_value(balancer, i, work->input->values[i]);
        gaps[i] = balancer->first_value[i] != 0.0 ? exp(averages[i] / balancer->first_value[i]) : exp(1.0);
        total += gaps[i];
        n_balanced++;
    }
    for (int i = 0; i < work->n; i++)
        if (work->input->grads[i] && !is_adversarial(work, i))
            work->scales[i] *= n_balanced * gaps[i] / total / fmax(fabs(averages[i]), EPSILON);
}

/* Solves m c = b [n] in place by elimination with row exchange; m is symmetric, positive once the ridge is on. */
static void solve(int n, double m[BALANCER_MAX_LOSSES][BALANCER_MAX_LOSSES], double b[BALANCER_MAX_LOSSES])
{
    for (int i = 0; i < n; i++) {
        for (int r = i + 1; r < n; r++) {
            double factor = m[r][i] / m[i][i];

            for (int c = i; c < n; c++)
                m[r][c] -= factor * m[i][c];
            b[r] -= factor * b[i];
        }
    }
    for (int i = n - 1; i >= 0; i--) {
        for (int c = i + 1; c < n; c++)
            b[i] -= m[i][c] * b[c];
        b[i] /= m[i][i];
    }
}

/* With unit gradients u_i: v = sum_i c_i u_i, u_i . v = lambda_i, G = (sum_i g_i . v) v / |v|^2. */
static void scale_conflict_free(Work *work)
{
    const float *const *grads = work->input->grads;
    double m[BALANCER_MAX_LOSSES][BALANCER_MAX_LOSSES], c[BALANCER_MAX_LOSSES], norms[BALANCER_MAX_LOSSES];
    double sum = 0.0, length_sq = 0.0;
    int index[BALANCER_MAX_LOSSES], n = 0;

    for (int i = 0; i < work->n; i++) {
        double norm = grads[i] && work->weights[i] > 0.0 ? sqrt(whole_dot_of(work->input->group, grads[i], grads[i], work->count)) : 0.0;

        work->scales[i] = 0.0;
        if (norm > EPSILON) {
            norms[n] = norm;
            index[n++] = i;
        }
    }
    for (int i = 0; i < n; i++) {
        for (int j = 0; j <= i; j++)
            m[i][j] = m[j][i] = whole_dot_of(work->input->group, grads[index[i]], grads[index[j]], work->count) /
                                (norms[i] * norms[j]);
        m[i][i] = 1.0 + RIDGE;
        c[i] = work->weights[index[i]];
    }
    solve(n, m, c);
    for (int i = 0; i < n; i++) {
        length_sq += c[i] * work->weights[index[i]]; /* v . v = sum c_i u_i . v */
        sum += norms[i] * work->weights[index[i]];
    }
    /* Exact conflict: the ridge alone holds c, and v is nothing. */
    if (!(length_sq > 0.0) || length_sq > 0.01 / RIDGE)
        return;
    for (int i = 0; i < n; i++)
        work->scales[index[i]] = sum / length_sq * c[i] / norms[i];
}

/* ---- a step ---- */

static RsdStatus weigh(Work *work, RsdError *err)
{
    const BalancerConfig *config = &work->balancer->config;
    const BalancerInput *input = work->input;
    bool needs_values = config->kind == BALANCE_UNCERTAINTY || config->kind == BALANCE_GAP;
    double norms[BALANCER_MAX_LOSSES] = {0}, total_weight = 0.0;
    RsdStatus status = RSD_OK;

    CHECK(input->batch >= 1 && input->item_count >= 1, err, RSD_ERR_ARG,
          "the balancer got gradients of %lld items of %lld samples", (long long)input->batch,
          (long long)input->item_count);
    CHECK(input->values || !needs_values, err, RSD_ERR_ARG, "the balancer needs the values of the losses");
    for (int i = 0; i < work->n; i++) {
        if (!input->grads[i])
            continue;
        norms[i] = batch_norm_of(input->grads[i], input->batch, input->item_count, config->per_batch_item);
        if (!config->per_batch_item)
            norms[i] *= norms[i];
    }
    group_sum_f64(input->group, norms, (size_t)work->n);
    for (int i = 0; i < work->n; i++) {
        if (!input->grads[i])
            continue;
        norms[i] = config->per_batch_item ? norms[i] / group_size(input->group) : sqrt(norms[i]);
        CHECK(isfinite(norms[i]) && (!needs_values || isfinite(input->values[i])), err, RSD_ERR_NUMERIC,
              "the gradient of loss %d of the balancer is not finite", i);
        work->weights[i] = work->scales[i] = (double)config->weights[i];
        total_weight += work->weights[i];
    }
    CHECK(total_weight > 0.0, err, RSD_ERR_ARG, "the balancer got no gradient with a weight above 0");
    for (int i = 0; i < work->n; i++) {
        Balancer *b = work->balancer;

        if (!input->grads[i])
            continue;
        b->total[i] = (double)config->ema_decay * b->total[i] + norms[i];
        b->count[i] = (double)config->ema_decay * b->count[i] + 1.0;
        work->averages[i] = b->total[i] / b->count[i];
    }
fail:
    return status;
}

static void fill_report(const Work *work, const float *out, BalancerReport *report)
{
    double total_average = 0.0, length_sq = whole_dot_of(work->input->group, out, out, work->count);

    for (int i = 0; i < work->n; i++)
        total_average += work->averages[i];
    *report = (BalancerReport){{0}, {0}};
    for (int i = 0; i < work->n; i++) {
        if (total_average > 0.0)
            report->ratios[i] = (float)(work->averages[i] / total_average);
        if (work->input->grads[i] && length_sq > 0.0)
            report->shares[i] =
                (float)(work->scales[i] * whole_dot_of(work->input->group, work->input->grads[i], out, work->count) / length_sq);
    }
}

RsdStatus balancer_apply(Balancer *balancer, const BalancerInput *input, float *out, BalancerReport *report,
                         RsdError *err)
{
    Work work = {.balancer = balancer, .input = input, .n = balancer->config.n_losses,
                 .count = input->batch * input->item_count};
    RsdStatus status = RSD_OK;

    TRY(weigh(&work, err));
    switch ((BalanceKind)balancer->config.kind) {
    case BALANCE_FIXED:
        break;
    case BALANCE_ENCODEC:
        scale_encodec(&work);
        break;
    case BALANCE_ADAPTIVE:
        TRY(scale_adaptive(&work, out, err));
        break;
    case BALANCE_UNCERTAINTY:
        scale_uncertainty(&work);
        break;
    case BALANCE_GAP:
        scale_gap(&work);
        break;
    case BALANCE_CONFIG:
        scale_conflict_free(&work);
        break;
    }
    add_up(&work, 0, work.n, out);
    if (report)
        fill_report(&work, out, report);
fail:
    return status;
}
