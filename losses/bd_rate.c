/* bd_rate.c - slopes, pieces and their integrals.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/bd_rate.h"

#include <math.h>
#include <stdlib.h>

#include "engine/base/mem.h"

/* ---- monotone cubics ---- */

/* Three-point formula for the slope at an end, kept monotone. h0, delta0 belong to the piece at the end. */
static double end_slope(double h0, double h1, double delta0, double delta1)
{
    double d = ((2 * h0 + h1) * delta0 - h0 * delta1) / (h0 + h1);

    if (d * delta0 <= 0)
        return 0;
    if (delta0 * delta1 <= 0 && fabs(d) > 3 * fabs(delta0))
        return 3 * delta0;
    return d;
}

static double secant(const double *x, const double *y, size_t i)
{
    return (y[i + 1] - y[i]) / (x[i + 1] - x[i]);
}

void pchip_slopes(double *d, const double *x, const double *y, size_t n)
{
    if (n == 2) {
        d[0] = d[1] = secant(x, y, 0);
        return;
    }
    for (size_t i = 1; i + 1 < n; i++) {
        double before = secant(x, y, i - 1), after = secant(x, y, i);
        double h_before = x[i] - x[i - 1], h_after = x[i + 1] - x[i];
        double w1 = 2 * h_after + h_before, w2 = h_after + 2 * h_before;

        d[i] = before * after > 0 ? (w1 + w2) / (w1 / before + w2 / after) : 0;
    }
    d[0] = end_slope(x[1] - x[0], x[2] - x[1], secant(x, y, 0), secant(x, y, 1));
    d[n - 1] = end_slope(x[n - 1] - x[n - 2], x[n - 2] - x[n - 3], secant(x, y, n - 2), secant(x, y, n - 3));
}

typedef struct Piece {
    double from, start, slope, square, cube; /* start + slope s + square s^2 + cube s^3, s = x - from */
} Piece;

static Piece piece_at(const double *x, const double *y, const double *d, size_t i)
{
    double h = x[i + 1] - x[i], delta = secant(x, y, i);

    return (Piece){x[i], y[i], d[i], (3 * delta - 2 * d[i] - d[i + 1]) / h, (d[i] + d[i + 1] - 2 * delta) / (h * h)};
}

static size_t piece_of(const double *x, size_t n, double at)
{
    size_t i = 0;

    while (i + 2 < n && at >= x[i + 1])
        i++;
    return i;
}

double pchip_value(const double *x, const double *y, const double *d, size_t n, double at)
{
    Piece p = piece_at(x, y, d, piece_of(x, n, at));
    double s = at - p.from;

    return p.start + s * (p.slope + s * (p.square + s * p.cube));
}

static double integrate_piece(Piece p, double to)
{
    double s = to - p.from;

    return s * (p.start + s * (p.slope / 2 + s * (p.square / 3 + s * p.cube / 4)));
}

double pchip_integral(const double *x, const double *y, const double *d, size_t n, double at)
{
    size_t last = piece_of(x, n, at);
    double sum = 0;

    for (size_t i = 0; i < last; i++)
        sum += integrate_piece(piece_at(x, y, d, i), x[i + 1]);
    return sum + integrate_piece(piece_at(x, y, d, last), at);
}

/* ---- curves ---- */

typedef struct Curve {
    double *quality, *log_rate, *slopes; /* [n] */
    size_t n;
} Curve;

static int compare_points(const void *a, const void *b)
{
    const BdPoint *x = a, *y = b;

    if (x->rate != y->rate)
        return x->rate < y->rate ? -1 : 1;
    return x->quality > y->quality ? -1 : x->quality < y->quality;
}

static void clear_curve(Curve *c)
{
    mem_free(&c->quality);
    mem_free(&c->log_rate);
    mem_free(&c->slopes);
}

/* By rising rate; a point no better than a cheaper one is dropped, so quality rises too. */
static RsdStatus make_curve(Curve *c, const BdPoint *points, size_t n, RsdError *err)
{
    BdPoint *sorted = NULL;
    RsdStatus status = RSD_OK;

    TRY(mem_alloc(&sorted, n, sizeof *sorted, err));
    TRY(mem_alloc(&c->quality, n, sizeof *c->quality, err));
    TRY(mem_alloc(&c->log_rate, n, sizeof *c->log_rate, err));
    TRY(mem_alloc(&c->slopes, n, sizeof *c->slopes, err));
    for (size_t i = 0; i < n; i++) {
        CHECK(points[i].rate > 0 && isfinite(points[i].rate) && isfinite(points[i].quality), err, RSD_ERR_ARG,
              "point %zu of a rate-distortion curve: rate %g, quality %g", i + 1, points[i].rate, points[i].quality);
        sorted[i] = points[i];
    }
    if (n)
        qsort(sorted, n, sizeof *sorted, compare_points);
    for (size_t i = 0; i < n; i++)
        if (c->n == 0 || (sorted[i].quality > c->quality[c->n - 1] && log10(sorted[i].rate) > c->log_rate[c->n - 1])) {
            c->quality[c->n] = sorted[i].quality;
            c->log_rate[c->n++] = log10(sorted[i].rate);
        }
    if (c->n >= 2)
        pchip_slopes(c->slopes, c->quality, c->log_rate, c->n);
fail:
    mem_free(&sorted);
    return status;
}

static double integral_between(const Curve *c, double from, double to)
{
    return pchip_integral(c->quality, c->log_rate, c->slopes, c->n, to) -
           pchip_integral(c->quality, c->log_rate, c->slopes, c->n, from);
}

static void compare_curves(BdRate *out, const Curve *test, const Curve *anchor)
{
    double shorter;

    out->n_test = test->n;
    out->n_anchor = anchor->n;
    if (test->n < BD_MIN_POINTS || anchor->n < BD_MIN_POINTS) {
        out->why = test->n < BD_MIN_POINTS ? "fewer than 4 points that rise in quality"
                                           : "fewer than 4 points of the anchor that rise in quality";
        return;
    }
    out->from = fmax(test->quality[0], anchor->quality[0]);
    out->to = fmin(test->quality[test->n - 1], anchor->quality[anchor->n - 1]);
    shorter = fmin(test->quality[test->n - 1] - test->quality[0], anchor->quality[anchor->n - 1] - anchor->quality[0]);
    out->overlap = out->to > out->from ? (out->to - out->from) / shorter : 0;
    if (out->overlap < BD_MIN_OVERLAP) {
        out->why = "the qualities overlap by less than 60 %";
        return;
    }
    out->known = true;
    out->percent =
        100 * (pow(10, (integral_between(test, out->from, out->to) - integral_between(anchor, out->from, out->to)) /
                           (out->to - out->from)) -
               1);
}

RsdStatus bd_rate(BdRate *out, const BdPoint *test, size_t n_test, const BdPoint *anchor, size_t n_anchor,
                  RsdError *err)
{
    Curve test_curve = {0}, anchor_curve = {0};
    RsdStatus status = RSD_OK;

    *out = (BdRate){0};
    TRY(make_curve(&test_curve, test, n_test, err));
    TRY(make_curve(&anchor_curve, anchor, n_anchor, err));
    compare_curves(out, &test_curve, &anchor_curve);
fail:
    clear_curve(&test_curve);
    clear_curve(&anchor_curve);
    return status;
}

RsdStatus bd_quality_at(double *quality, const BdPoint *points, size_t n, double rate, RsdError *err)
{
    const double at = log10(rate);
    Curve curve = {0};
    RsdStatus status = RSD_OK;

    *quality = NAN;
    TRY(make_curve(&curve, points, n, err));
    if (curve.n >= 2 && at >= curve.log_rate[0] && at <= curve.log_rate[curve.n - 1]) {
        pchip_slopes(curve.slopes, curve.log_rate, curve.quality, curve.n);
        *quality = pchip_value(curve.log_rate, curve.quality, curve.slopes, curve.n, at);
    }
fail:
    clear_curve(&curve);
    return status;
}
