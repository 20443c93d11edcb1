/* butteraugli_eye.c - blurs, receptors, bands, and their slopes in reverse.
 *
 * The curves that bend the bands are monotone, so their slopes are known from what came out of them; only X and Y before HF is
 * split from UHF are kept aside.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/butteraugli_eye.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "engine/kernels/picture.h"
#include "engine/kernels/point.h"

#define WHITE_NITS 80.0f
#define SIGMA_ADAPTED 1.2f
#define SIGMA_LF 7.15593339443f
#define SIGMA_MF 3.22489901262f
#define SIGMA_HF 1.56416327805f

/* ---- blurs ---- */

#define MOST_TAPS 33
typedef struct Blur {
    int radius;
    float weights[MOST_TAPS];
    bool whole; /* the weights inside count as 1 together */
} Blur;

static Blur blur_of(float sigma, bool whole)
{
    Blur b = {.radius = (int)(2.25f * sigma), .whole = whole};

    for (int i = -b.radius; i <= b.radius; i++)
        b.weights[i + b.radius] = (float)exp(-0.5 / ((double)sigma * sigma) * i * i);
    return b;
}

/* Sum of the weights whose taps are inside, for a pixel at `at` of n. */
static float weight_inside(const Blur *b, int64_t at, int64_t n)
{
    float sum = 0.0f;

    for (int i = -b->radius; i <= b->radius; i++)
        if (b->radius == 2 || (at + i >= 0 && at + i < n))
            sum += b->weights[i + b->radius];
    return sum;
}

/* The sample to take for one at `at`, -1 for none. */
static int64_t tap(const Blur *b, int64_t at, int64_t n)
{
    if (at >= 0 && at < n)
        return at;
    return b->radius != 2 ? -1 : at < 0 ? -at - 1 : 2 * n - 1 - at;
}

/* Pixels from .. to, whose taps may be outside. */
static void blur_edge(const Blur *b, const float *in, float *out, int64_t w, int64_t from, int64_t to)
{
    for (int64_t x = from; x < to; x++) {
        float sum = 0.0f;

        for (int i = -b->radius; i <= b->radius; i++) {
            const int64_t at = tap(b, x + i, w);

            sum += at < 0 ? 0.0f : b->weights[i + b->radius] * in[at];
        }
        out[x] = b->whole ? sum / weight_inside(b, x, w) : sum;
    }
}

static void blur_row(const Blur *b, const float *in, float *out, int64_t w)
{
    const int64_t left = b->radius < w ? b->radius : w, right = w - left > left ? w - left : left;
    float taps[MOST_TAPS];

    for (int i = 0; i <= 2 * b->radius; i++)
        taps[i] = b->whole ? b->weights[i] / weight_inside(b, b->radius, 2 * b->radius + 1) : b->weights[i];
    blur_edge(b, in, out, w, 0, left);
    blur_edge(b, in, out, w, right, w);
    if (right > left)
        kernels_pick()->picture->filter_row(in + left - b->radius, taps, 2 * b->radius + 1, 1, out + left, right - left, false);
}

static void blur_with(const Field *f, const Blur *b, const float *in, float *out)
{
    for (int64_t y = 0; y < f->h; y++)
        blur_row(b, in + y * f->w, f->temp + y * f->w, f->w);
    for (int64_t y = 0; y < f->h; y++) {
        const float inside = b->whole ? weight_inside(b, y, f->h) : 1.0f;
        const float *rows[MOST_TAPS];
        float taps[MOST_TAPS];
        int n = 0;

        for (int i = -b->radius; i <= b->radius; i++) {
            const int64_t from = tap(b, y + i, f->h);

            if (from < 0)
                continue;
            rows[n] = f->temp + from * f->w;
            taps[n++] = b->weights[i + b->radius] / inside;
        }
        kernels_pick()->picture->blend_rows(rows, taps, n, 0.0f, out + y * f->w, f->w, false);
    }
}

void field_blur(const Field *f, float sigma, const float *in, float *out)
{
    const Blur b = blur_of(sigma, true);

    blur_with(f, &b, in, out);
}

/* Each pixel gave its neighbours' weights over their sum; the weights are symmetric, also those of mirrored taps. */
void field_blur_slope(const Field *f, float sigma, const float *dout, float *din)
{
    const Blur b = blur_of(sigma, false);
    float *share = f->temp;

    for (int64_t x = 0; x < f->w; x++)
        share[x] = 1.0f / weight_inside(&b, x, f->w);
    for (int64_t y = 0; y < f->h; y++) {
        const float of_row = 1.0f / weight_inside(&b, y, f->h);

        for (int64_t x = 0; x < f->w; x++)
            din[y * f->w + x] = dout[y * f->w + x] * share[x] * of_row;
    }
    blur_with(f, &b, din, din);
}

/* ---- receptors ---- */

static const float absorbance[3][4] = {{0.29956550340058319f, 0.63373087833825936f, 0.077705617820981968f, 1.7557483643287353f},
                                       {0.22158691104574774f, 0.69391388044116142f, 0.0987313588422f, 1.7557483643287353f},
                                       {0.02f, 0.02f, 0.20480129041026129f, 12.226454707163354f}};
static float larger(float a, float b)
{
    return a > b ? a : b;
}

#define FLOOR(c) absorbance[c][3] /* what a receptor answers at least */

/* The response over the light, how sensitive a receptor is: (GAIN ln(light + SHIFT) - OFFSET) / light. */
#define GAIN 19.245013259874995f
#define SHIFT 9.9710635769299145f
#define OFFSET 23.16046239805755f
#define LEAST_SENSITIVITY 1e-4f

static float absorb(int receptor, const float *const light[3], int64_t i)
{
    const float *a = absorbance[receptor];

    return a[0] * (WHITE_NITS * light[0][i]) + (a[1] * (WHITE_NITS * light[1][i]) + (a[2] * (WHITE_NITS * light[2][i]) + a[3]));
}

/* adapted [w]: what the eye has adapted to; logs [w]: ln(adapted + SHIFT), adapted being at least FLOOR. */
static void adapt(int receptor, const float *const blurred[3], int64_t first, int64_t w, float *adapted, float *logs)
{
    for (int64_t x = 0; x < w; x++) {
        adapted[x] = absorb(receptor, blurred, first + x);
        logs[x] = larger(adapted[x], FLOOR(receptor)) + SHIFT;
    }
    kernels_pick()->point->map(POINT_LOG, FLT_MIN, 1.0f, logs, logs, w);
}

/* light, in e->mf, becomes X, Y and B; e->lf: the blurred light. */
static void see(const Field *f, const Eye *e)
{
    const float *const light[3] = {e->mf[0], e->mf[1], e->mf[2]}, *const blurred[3] = {e->lf[0], e->lf[1], e->lf[2]};
    float *adapted = f->temp, *logs = f->temp + f->w, *seen[3] = {logs + f->w, logs + 2 * f->w, logs + 3 * f->w};

    for (int64_t first = 0; first < f->h * f->w; first += f->w) {
        for (int c = 0; c < 3; c++) {
            adapt(c, blurred, first, f->w, adapted, logs);
            for (int64_t x = 0; x < f->w; x++) {
                const float sensitivity = larger((GAIN * logs[x] - OFFSET) / larger(adapted[x], FLOOR(c)), LEAST_SENSITIVITY);

                seen[c][x] = larger(absorb(c, light, first + x) * sensitivity, FLOOR(c));
            }
        }
        for (int64_t x = 0; x < f->w; x++) {
            e->mf[0][first + x] = seen[0][x] - seen[1][x];
            e->mf[1][first + x] = seen[0][x] + seen[1][x];
            e->mf[2][first + x] = seen[2][x];
        }
    }
}

static void see_slope(const Field *f, const Eye *e, const Eye *d)
{
    const float *const light[3] = {e->mf[0], e->mf[1], e->mf[2]}, *const blurred[3] = {e->lf[0], e->lf[1], e->lf[2]};
    float *adapted = f->temp, *logs = f->temp + f->w, *dsum = f->temp + 2 * f->w; /* [6, w]: by light and by blurred light */

    for (int64_t first = 0; first < f->h * f->w; first += f->w) {
        memset(dsum, 0, 6 * (size_t)f->w * sizeof *dsum);
        for (int c = 0; c < 3; c++) {
            adapt(c, blurred, first, f->w, adapted, logs);
            for (int64_t x = 0; x < f->w; x++) {
                const float dx = d->mf[0][first + x], dy = d->mf[1][first + x], db = d->mf[2][first + x];
                const float now = absorb(c, light, first + x), base = larger(adapted[x], FLOOR(c));
                const float response = (GAIN * logs[x] - OFFSET) / base, sensitivity = larger(response, LEAST_SENSITIVITY);
                const float dseen = now * sensitivity > FLOOR(c) ? (c == 0 ? dy + dx : c == 1 ? dy - dx : db) : 0.0f;
                const float dnow = dseen * sensitivity;
                const float dadapted = response > LEAST_SENSITIVITY && adapted[x] > FLOOR(c)
                                           ? dseen * now * (GAIN / (base + SHIFT) - response) / base
                                           : 0.0f;

                for (int j = 0; j < 3; j++) {
                    dsum[j * f->w + x] += WHITE_NITS * absorbance[c][j] * dnow;
                    dsum[(3 + j) * f->w + x] += WHITE_NITS * absorbance[c][j] * dadapted;
                }
            }
        }
        for (int j = 0; j < 3; j++) {
            memcpy(d->mf[j] + first, dsum + j * f->w, (size_t)f->w * sizeof *dsum);
            memcpy(d->lf[j] + first, dsum + (3 + j) * f->w, (size_t)f->w * sizeof *dsum);
        }
    }
}

void eye_receptors_slope(const Field *f, const Eye *e, const Eye *d)
{
    for (int c = 0; c < 3; c++)
        field_blur(f, SIGMA_ADAPTED, e->mf[c], e->lf[c]);
    see_slope(f, e, d);
    for (int c = 0; c < 3; c++) {
        field_blur_slope(f, SIGMA_ADAPTED, d->lf[c], d->lf[c]);
        for (int64_t i = 0; i < f->h * f->w; i++)
            d->mf[c][i] += d->lf[c][i];
    }
}

/* ---- bands ---- */

static float shrink(float x, float range)
{
    return x > range ? x - range : x < -range ? x + range : 0.0f;
}

static float amplify(float x, float range)
{
    return x > range ? x + range : x < -range ? x - range : x + x;
}

#define SOFT_SLOPE 0.724216145665f

/* Beyond the limit only a part counts. */
static float soften(float x, float limit)
{
    return x >= limit ? (x - limit) * SOFT_SLOPE + limit : x < -limit ? (x + limit) * SOFT_SLOPE - limit : x;
}

/* Their slopes, by what came out. */
static float shrink_slope(float y)
{
    return y == 0.0f ? 0.0f : 1.0f;
}

static float amplify_slope(float y, float range)
{
    return fabsf(y) > 2.0f * range ? 1.0f : 2.0f;
}

static float soften_slope(float y, float limit)
{
    return y >= limit || y < -limit ? SOFT_SLOPE : 1.0f;
}

/* Red against green is seen less where brightness changes: X times calm(Y). */
#define CALM 46.0f
#define CALM_LEAST 0.653020556257f

static float calm(float y)
{
    return CALM / (y * y + CALM) * (1.0f - CALM_LEAST) + CALM_LEAST;
}

static float calm_slope(float y)
{
    const float sum = y * y + CALM;

    return -2.0f * y * CALM * (1.0f - CALM_LEAST) / (sum * sum);
}

#define MF_X_RANGE 0.29f
#define MF_Y_RANGE 0.1f
#define HF_X_RANGE 1.5f
#define HF_Y_RANGE 0.132f
#define HF_Y_GAIN 2.155f
#define HF_Y_LIMIT 28.4691806922f
#define UHF_X_RANGE 0.04f
#define UHF_Y_GAIN 2.69313763794f
#define UHF_Y_LIMIT 5.19175294647f
static const float lf_gains[3] = {32.2217497012f, 13.7697791434f, 47.504615728f};
#define LF_Y_IN_B -0.362267051518f

/* X, Y and B lie in mf. */
static void split_low(const Field *f, const Eye *e, float *const before[2])
{
    const int64_t n = f->h * f->w;

    for (int c = 0; c < 3; c++) {
        field_blur(f, SIGMA_LF, e->mf[c], e->lf[c]);
        for (int64_t i = 0; i < n; i++)
            e->mf[c][i] -= e->lf[c][i];
        if (c < 2)
            memcpy(e->hf[c], e->mf[c], (size_t)n * sizeof(float));
        field_blur(f, SIGMA_MF, e->mf[c], e->mf[c]);
        for (int64_t i = 0; c < 2 && i < n; i++) {
            e->hf[c][i] -= e->mf[c][i];
            e->mf[c][i] = c == 0 ? shrink(e->mf[c][i], MF_X_RANGE) : amplify(e->mf[c][i], MF_Y_RANGE);
        }
        if (c < 2 && before)
            memcpy(before[c], e->hf[c], (size_t)n * sizeof(float));
    }
    for (int64_t i = 0; i < n; i++)
        e->hf[0][i] *= calm(e->hf[1][i]);
}

static void split_high(const Field *f, const Eye *e)
{
    const int64_t n = f->h * f->w;

    for (int c = 0; c < 2; c++) {
        memcpy(e->uhf[c], e->hf[c], (size_t)n * sizeof(float));
        field_blur(f, SIGMA_HF, e->hf[c], e->hf[c]);
    }
    for (int64_t i = 0; i < n; i++) {
        e->uhf[0][i] = shrink(e->uhf[0][i] - e->hf[0][i], UHF_X_RANGE);
        e->hf[0][i] = shrink(e->hf[0][i], HF_X_RANGE);
        e->hf[1][i] = soften(e->hf[1][i], HF_Y_LIMIT);
        e->uhf[1][i] = UHF_Y_GAIN * soften(e->uhf[1][i] - e->hf[1][i], UHF_Y_LIMIT);
        e->hf[1][i] = amplify(HF_Y_GAIN * e->hf[1][i], HF_Y_RANGE);
    }
    for (int64_t i = 0; i < n; i++) {
        e->lf[2][i] = lf_gains[2] * (LF_Y_IN_B * e->lf[1][i] + e->lf[2][i]);
        e->lf[0][i] *= lf_gains[0];
        e->lf[1][i] *= lf_gains[1];
    }
}

void eye_look(const Field *f, const Eye *e, float *const before[2])
{
    for (int c = 0; c < 3; c++)
        field_blur(f, SIGMA_ADAPTED, e->mf[c], e->lf[c]);
    see(f, e);
    split_low(f, e, before);
    split_high(f, e);
}

/* d->hf becomes the slopes by what lies in `before`. */
static void split_high_slope(const Field *f, const Eye *e, float *const before[2], const Eye *d)
{
    const int64_t n = f->h * f->w;

    for (int64_t i = 0; i < n; i++) {
        const float soft = d->hf[1][i] * amplify_slope(e->hf[1][i], HF_Y_RANGE) * HF_Y_GAIN;

        d->lf[0][i] *= lf_gains[0];
        d->lf[1][i] = lf_gains[1] * d->lf[1][i] + lf_gains[2] * LF_Y_IN_B * d->lf[2][i];
        d->lf[2][i] *= lf_gains[2];
        d->uhf[0][i] *= shrink_slope(e->uhf[0][i]);
        d->hf[0][i] = d->hf[0][i] * shrink_slope(e->hf[0][i]) - d->uhf[0][i];
        d->uhf[1][i] *= UHF_Y_GAIN * soften_slope(e->uhf[1][i] / UHF_Y_GAIN, UHF_Y_LIMIT);
        d->hf[1][i] = (soft - d->uhf[1][i]) * (fabsf(e->hf[1][i]) >= HF_Y_GAIN * HF_Y_LIMIT + HF_Y_RANGE ? SOFT_SLOPE : 1.0f);
    }
    for (int c = 0; c < 2; c++) {
        field_blur_slope(f, SIGMA_HF, d->hf[c], d->hf[c]);
        for (int64_t i = 0; i < n; i++)
            d->hf[c][i] += d->uhf[c][i];
    }
    for (int64_t i = 0; i < n; i++) {
        d->hf[1][i] += d->hf[0][i] * before[0][i] * calm_slope(before[1][i]);
        d->hf[0][i] *= calm(before[1][i]);
    }
}

void eye_bands_slope(const Field *f, const Eye *e, float *const before[2], const Eye *d)
{
    const int64_t n = f->h * f->w;

    split_high_slope(f, e, before, d);
    for (int c = 0; c < 3; c++) {
        for (int64_t i = 0; c < 2 && i < n; i++)
            d->mf[c][i] = d->mf[c][i] * (c == 0 ? shrink_slope(e->mf[0][i]) : amplify_slope(e->mf[1][i], MF_Y_RANGE)) - d->hf[c][i];
        field_blur_slope(f, SIGMA_MF, d->mf[c], d->mf[c]);
        for (int64_t i = 0; i < n; i++) {
            d->mf[c][i] += c < 2 ? d->hf[c][i] : 0.0f;
            d->lf[c][i] -= d->mf[c][i];
        }
        field_blur_slope(f, SIGMA_LF, d->lf[c], d->lf[c]);
        for (int64_t i = 0; i < n; i++)
            d->mf[c][i] += d->lf[c][i];
    }
}

/* ---- activity ---- */

#define SIGMA_ACTIVITY 2.7f
#define ACTIVITY_GAIN 6.19424080439f
#define ACTIVITY_BIAS (12.61050594197f * ACTIVITY_GAIN)
#define ACTIVITY_X 2.5f
#define ACTIVITY_Y 0.4f

void eye_activity(const Field *f, const Eye *e, float *out)
{
    for (int64_t i = 0; i < f->h * f->w; i++) {
        const float x = ACTIVITY_X * (e->uhf[0][i] + e->hf[0][i]), y = ACTIVITY_Y * (e->uhf[1][i] + e->hf[1][i]);

        out[i] = sqrtf(ACTIVITY_GAIN * sqrtf(x * x + y * y) + ACTIVITY_BIAS) - sqrtf(ACTIVITY_BIAS);
    }
    field_blur(f, SIGMA_ACTIVITY, out, out);
}

void eye_activity_slope(const Field *f, const Eye *e, float *dout, const Eye *d)
{
    field_blur_slope(f, SIGMA_ACTIVITY, dout, dout);
    for (int64_t i = 0; i < f->h * f->w; i++) {
        const float x = ACTIVITY_X * (e->uhf[0][i] + e->hf[0][i]), y = ACTIVITY_Y * (e->uhf[1][i] + e->hf[1][i]);
        const float length = sqrtf(x * x + y * y);
        const float slope = length > 0.0f ? dout[i] * 0.5f * ACTIVITY_GAIN / sqrtf(ACTIVITY_GAIN * length + ACTIVITY_BIAS) / length : 0.0f;

        d->uhf[0][i] += ACTIVITY_X * x * slope;
        d->hf[0][i] += ACTIVITY_X * x * slope;
        d->uhf[1][i] += ACTIVITY_Y * y * slope;
        d->hf[1][i] += ACTIVITY_Y * y * slope;
    }
}
