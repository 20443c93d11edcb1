/* conv_oracle.c - the definition of every convolution, without any thought of speed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "conv_oracle.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static int64_t one(int v)
{
    return v ? v : 1;
}

static int64_t span(const ConvCase *c)
{
    return (c->k - 1) * one(c->p.dilation) + 1;
}

/* floor(P / 2) for a total that may be negative */
static int64_t half(int64_t total)
{
    return (int64_t)floor((double)total / 2.0);
}

int64_t oracle_weight_count(const ConvCase *c)
{
    return c->c_in * c->c_out / one(c->p.groups) * c->k;
}

/* Left and right padding of a plain convolution: n = (L - k_e + P)/s + 1, extra = (ceil(n) - 1) s + (k_e - P) - L. */
static void padding(const ConvCase *c, int64_t *left, int64_t *right)
{
    int64_t s = one(c->p.stride), total = span(c) - s, extra;
    double frames = (double)(c->n - span(c) + total) / (double)s + 1.0;

    *left = *right = 0;
    extra = ((int64_t)ceil(frames) - 1) * s + (span(c) - total) - c->n;
    if (c->p.rule == PAD_CAUSAL) {
        *left = total;
        *right = extra;
    } else if (c->p.rule == PAD_SAME) {
        *right = half(total) + extra;
        *left = total - half(total);
    } else if (c->p.rule == PAD_EXPLICIT) {
        *left = c->p.pad_left;
        *right = c->p.pad_right;
    }
}

static void trimming(const ConvCase *c, int64_t *left, int64_t *right)
{
    int64_t total = span(c) - one(c->p.stride);

    *left = *right = 0;
    if (total < 0)
        total = 0;
    if (c->p.rule == PAD_CAUSAL) {
        *right = (int64_t)ceil((double)total * (double)c->p.trim_right_ratio);
        *left = total - *right;
    } else if (c->p.rule == PAD_SAME) {
        *right = half(total);
        *left = total - *right;
    } else if (c->p.rule == PAD_EXPLICIT) {
        *left = c->p.pad_left;
        *right = c->p.pad_right;
    }
}

int64_t oracle_out_len(const ConvCase *c)
{
    int64_t left, right;

    if (c->transposed) {
        trimming(c, &left, &right);
        return (c->n - 1) * one(c->p.stride) + span(c) - left - right + c->p.output_pad;
    }
    padding(c, &left, &right);
    return (c->n + left + right - span(c)) / one(c->p.stride) + 1;
}

static double elu(double v)
{
    return v > 0.0 ? v : exp(v) - 1.0;
}

/* Pads one row as audio.md 1.2 tells: short signals get zeros first when they are reflected. Result [left + n + right]. */
static double *pad_row(const ConvCase *c, const double *x, int64_t left, int64_t right)
{
    int64_t n = c->n, longest = left > right ? left : right, n_out = left + n + right, n_long = n;
    double *longer, *out = calloc((size_t)(n_out > 0 ? n_out : 1), sizeof *out);

    if (c->p.mode == PAD_REFLECT && n <= longest)
        n_long = longest + 1;
    longer = calloc((size_t)n_long, sizeof *longer);
    for (int64_t i = 0; i < n; i++)
        longer[i] = c->p.activation == INPUT_ELU ? elu(x[i]) : x[i];
    for (int64_t i = 0; i < n_out; i++) {
        int64_t at = i - left;

        if (at >= 0 && at < n_long)
            out[i] = longer[at];
        else if (c->p.mode == PAD_REFLECT)
            out[i] = longer[at < 0 ? -at : 2 * (n_long - 1) - at];
        else if (c->p.mode == PAD_REPLICATE)
            out[i] = longer[at < 0 ? 0 : n_long - 1];
    }
    free(longer);
    return out;
}

static void run_plain(const ConvCase *c, const double *x, const double *w, const double *b, double *y)
{
    int64_t left, right, m = oracle_out_len(c), groups = one(c->p.groups), per = c->c_in / groups;

    padding(c, &left, &right);
    for (int64_t i = 0; i < c->batch * c->c_out * m; i++)
        y[i] = b ? b[i / m % c->c_out] : 0.0;
    for (int64_t n = 0; n < c->batch; n++)
        for (int64_t ci = 0; ci < c->c_in; ci++) {
            double *row = pad_row(c, x + (n * c->c_in + ci) * c->n, left, right);

            for (int64_t co = 0; co < c->c_out; co++) {
                if (co / (c->c_out / groups) != ci / per)
                    continue;
                for (int64_t t = 0; t < m; t++)
                    for (int64_t i = 0; i < c->k; i++)
                        y[(n * c->c_out + co) * m + t] +=
                            w[(co * per + ci % per) * c->k + i] * row[t * one(c->p.stride) + i * one(c->p.dilation)];
            }
            free(row);
        }
}

static void run_transposed(const ConvCase *c, const double *x, const double *w, const double *b, double *y)
{
    int64_t left, right, m = oracle_out_len(c), groups = one(c->p.groups), per = c->c_out / groups;

    trimming(c, &left, &right);
    for (int64_t i = 0; i < c->batch * c->c_out * m; i++)
        y[i] = b ? b[i / m % c->c_out] : 0.0;
    for (int64_t n = 0; n < c->batch; n++)
        for (int64_t ci = 0; ci < c->c_in; ci++)
            for (int64_t o = 0; o < per; o++)
                for (int64_t t = 0; t < c->n; t++)
                    for (int64_t i = 0; i < c->k; i++) {
                        int64_t u = t * one(c->p.stride) + i * one(c->p.dilation) - left;
                        int64_t co = ci / (c->c_in / groups) * per + o;
                        double v = x[(n * c->c_in + ci) * c->n + t];

                        if (u >= 0 && u < m)
                            y[(n * c->c_out + co) * m + u] +=
                                w[(ci * per + o) * c->k + i] * (c->p.activation == INPUT_ELU ? elu(v) : v);
                    }
}

void oracle_run(const ConvCase *c, const double *x, const double *w, const double *b, double *y)
{
    (c->transposed ? run_transposed : run_plain)(c, x, w, b, y);
}

static int between(Rng *rng, int low, int high)
{
    return low + (int)rng_below(rng, (uint32_t)(high - low + 1));
}

ConvCase oracle_random_case(Rng *rng, int size)
{
    ConvCase c = {.transposed = between(rng, 0, 1), .has_bias = between(rng, 0, 3) > 0, .batch = between(rng, 1, 3)};
    int groups = between(rng, 0, 3) ? 1 : between(rng, 2, 4);

    c.c_in = groups * between(rng, 1, between(rng, 0, 3) ? 4 * size : 1);
    c.c_out = groups * between(rng, 1, between(rng, 0, 3) ? 4 * size : 1);
    c.n = between(rng, 1, between(rng, 0, 1) ? 40 * size : 12);
    c.k = between(rng, 1, 8);
    c.p = (Conv1dParams){.stride = between(rng, 0, 1) ? between(rng, 1, 8) : 1,
                         .dilation = between(rng, 0, 3) ? 1 : between(rng, 2, 4),
                         .groups = groups,
                         .rule = (PadRule)between(rng, PAD_NONE, PAD_EXPLICIT),
                         .mode = (PadMode)between(rng, PAD_ZERO, PAD_REPLICATE),
                         .trim_right_ratio = (float)between(rng, 0, 4) * 0.25f,
                         .activation = (InputActivation)between(rng, INPUT_PLAIN, INPUT_ELU)};
    if (between(rng, 0, 2) == 0) /* the shape of codecs */
        c.k = 2 * c.p.stride;
    if (c.p.rule == PAD_EXPLICIT) {
        c.p.pad_left = between(rng, 0, 3);
        c.p.pad_right = between(rng, 0, 3);
    }
    if (c.transposed && between(rng, 0, 2) == 0)
        c.p.output_pad = between(rng, 0, c.p.stride - 1);
    while (oracle_out_len(&c) < 1 || (!c.transposed && c.p.rule != PAD_CAUSAL && c.p.rule != PAD_SAME &&
                                      c.n + c.p.pad_left + c.p.pad_right < span(&c)))
        c.n += 7;
    return c;
}

const char *oracle_text(char text[ORACLE_TEXT_SIZE], const ConvCase *c)
{
    static const char *const rules[] = {"none", "causal", "same", "explicit"}, *const modes[] = {"zero", "reflect", "replicate"};

    snprintf(text, ORACLE_TEXT_SIZE,
             "%s batch %d, %d -> %d channels, n %d, k %d, stride %d, dilation %d, groups %d, %s %s (%d, %d), out pad %d, "
             "ratio %g, %s, %s",
             c->transposed ? "transposed" : "plain", (int)c->batch, (int)c->c_in, (int)c->c_out, (int)c->n, (int)c->k,
             c->p.stride, c->p.dilation, c->p.groups, rules[c->p.rule], modes[c->p.mode], c->p.pad_left, c->p.pad_right,
             c->p.output_pad, (double)c->p.trim_right_ratio, c->p.activation == INPUT_ELU ? "elu" : "no activation",
             c->has_bias ? "bias" : "no bias");
    return text;
}
