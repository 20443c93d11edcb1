/* butteraugli.c - receptors, bands, differences along lines, masking.
 *
 *   light -> X, Y, B (receptors)              opponents, with the sensitivity of a blurred copy
 *         -> LF | MF | HF | UHF               three blurs; X and Y have all four, B has LF and MF
 *         -> differences of each band         plain squares, and lines through each pixel ("Malta")
 *         -> sqrt(sum / masking)              what is busy in the original hides differences
 *
 * The same at half the size, half as strong, is added. Everything is in float, as in the original program, and on one thread.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/butteraugli.h"

#include <math.h>
#include <string.h>

#include "engine/base/mem.h"

#define WHITE_NITS 80.0f
#define ASYMMETRY 0.8f /* of added against lost detail */
#define PAD 4          /* reach of the lines */

/* A picture as bands; the planes of both pictures and of temporaries lie in one block. */
typedef struct Eye {
    float *lf[3], *mf[3], *hf[2], *uhf[2];
} Eye;

typedef struct Work {
    int64_t h, w, n;
    float *block;
    float *light[2][3]; /* linear, 1 is white */
    Eye eyes[2];
    float *ac[3], *dc[3]; /* squared differences by channel, of details and of levels */
    float *temp;
    float *padded;        /* [h + 2 PAD, w + 2 PAD], zero outside */
} Work;

#define N_PLANES (2 * 3 + 2 * 10 + 6 + 1)

/* ---- blurs ---- */

/* Gaussian cut off at 2.25 sigma; what is outside the picture does not count. The smallest one mirrors the picture instead. */
typedef struct Blur {
    int radius;
    float weights[40];
} Blur;

static Blur blur_of(float sigma)
{
    Blur b = {.radius = (int)(2.25f * sigma)};

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
        out[x] = sum / weight_inside(b, x, w);
    }
}

static void blur_row(const Blur *b, const float *in, float *out, int64_t w)
{
    const float inner = 1.0f / weight_inside(b, b->radius, 2 * b->radius + 1);
    const int64_t left = b->radius < w ? b->radius : w, right = w - left > left ? w - left : left;

    blur_edge(b, in, out, w, 0, left);
    blur_edge(b, in, out, w, right, w);
    for (int64_t x = left; x < right; x++)
        out[x] = 0.0f;
    for (int i = -b->radius; i <= b->radius; i++) {
        const float weight = b->weights[i + b->radius] * inner;

        for (int64_t x = left; x < right; x++)
            out[x] += weight * in[x + i];
    }
}

/* in and out may be the same plane. */
static void blur(Work *k, float sigma, const float *in, float *out)
{
    const Blur b = blur_of(sigma);

    for (int64_t y = 0; y < k->h; y++)
        blur_row(&b, in + y * k->w, k->temp + y * k->w, k->w);
    for (int64_t y = 0; y < k->h; y++) {
        const float inside = 1.0f / weight_inside(&b, y, k->h);
        float *to = out + y * k->w;

        memset(to, 0, (size_t)k->w * sizeof *to);
        for (int i = -b.radius; i <= b.radius; i++) {
            const int64_t from = tap(&b, y + i, k->h);
            const float weight = b.weights[i + b.radius] * inside;

            for (int64_t x = 0; from >= 0 && x < k->w; x++)
                to[x] += weight * k->temp[from * k->w + x];
        }
    }
}

/* ---- receptors ---- */

static const float absorbance[3][4] = {{0.29956550340058319f, 0.63373087833825936f, 0.077705617820981968f, 1.7557483643287353f},
                                       {0.22158691104574774f, 0.69391388044116142f, 0.0987313588422f, 1.7557483643287353f},
                                       {0.02f, 0.02f, 0.20480129041026129f, 12.226454707163354f}};

static float absorb(int receptor, float r, float g, float b)
{
    const float *a = absorbance[receptor];

    return a[0] * r + (a[1] * g + (a[2] * b + a[3]));
}

/* The response over the light: how sensitive a receptor is. */
static float sensitivity(float light)
{
    return fmaxf((19.245013259874995f * logf(light + 9.9710635769299145f) - 23.16046239805755f) / light, 1e-4f);
}

/* light [3] -> X, Y, B; blurred [3]: what the eye has adapted to. */
static void see(Work *k, float *const light[3], float *const blurred[3], float *const xyb[3])
{
    for (int64_t i = 0; i < k->n; i++) {
        float seen[3];

        for (int c = 0; c < 3; c++) {
            const float adapted = absorb(c, WHITE_NITS * blurred[0][i], WHITE_NITS * blurred[1][i], WHITE_NITS * blurred[2][i]);
            const float now = absorb(c, WHITE_NITS * light[0][i], WHITE_NITS * light[1][i], WHITE_NITS * light[2][i]);

            seen[c] = fmaxf(now * sensitivity(fmaxf(adapted, absorbance[c][3])), absorbance[c][3]);
        }
        xyb[0][i] = seen[0] - seen[1];
        xyb[1][i] = seen[0] + seen[1];
        xyb[2][i] = seen[2];
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

/* Beyond the limit only a part counts. */
static float soften(float x, float limit)
{
    const float slope = 0.724216145665f;

    return x >= limit ? (x - limit) * slope + limit : x < -limit ? (x + limit) * slope - limit : x;
}

/* xyb lies in mf. */
static void split_low(Work *k, Eye *e)
{
    for (int c = 0; c < 3; c++) {
        blur(k, 7.15593339443f, e->mf[c], e->lf[c]);
        for (int64_t i = 0; i < k->n; i++)
            e->mf[c][i] -= e->lf[c][i];
        if (c < 2)
            memcpy(e->hf[c], e->mf[c], (size_t)k->n * sizeof(float));
        blur(k, 3.22489901262f, e->mf[c], e->mf[c]);
        for (int64_t i = 0; c < 2 && i < k->n; i++) {
            e->hf[c][i] -= e->mf[c][i];
            e->mf[c][i] = c == 0 ? shrink(e->mf[c][i], 0.29f) : amplify(e->mf[c][i], 0.1f);
        }
    }
    for (int64_t i = 0; i < k->n; i++) { /* red against green is seen less where brightness changes */
        const float y = e->hf[1][i];

        e->hf[0][i] *= 46.0f / (y * y + 46.0f) * (1.0f - 0.653020556257f) + 0.653020556257f;
    }
}

static void split_high(Work *k, Eye *e)
{
    for (int c = 0; c < 2; c++) {
        memcpy(e->uhf[c], e->hf[c], (size_t)k->n * sizeof(float));
        blur(k, 1.56416327805f, e->hf[c], e->hf[c]);
    }
    for (int64_t i = 0; i < k->n; i++) {
        e->uhf[0][i] = shrink(e->uhf[0][i] - e->hf[0][i], 0.04f);
        e->hf[0][i] = shrink(e->hf[0][i], 1.5f);
        e->hf[1][i] = soften(e->hf[1][i], 28.4691806922f);
        e->uhf[1][i] = 2.69313763794f * soften(e->uhf[1][i] - e->hf[1][i], 5.19175294647f);
        e->hf[1][i] = amplify(2.155f * e->hf[1][i], 0.132f);
    }
    for (int64_t i = 0; i < k->n; i++) {
        e->lf[2][i] = 47.504615728f * (-0.362267051518f * e->lf[1][i] + e->lf[2][i]);
        e->lf[0][i] *= 32.2217497012f;
        e->lf[1][i] *= 13.7697791434f;
    }
}

static void look(Work *k, int picture)
{
    Eye *e = &k->eyes[picture];

    for (int c = 0; c < 3; c++)
        blur(k, 1.2f, k->light[picture][c], e->lf[c]);
    see(k, k->light[picture], e->lf, e->mf);
    split_low(k, e);
    split_high(k, e);
}

/* ---- differences ---- */

static void add_squares(Work *k, const float *a, const float *b, float weight, float *sum)
{
    for (int64_t i = 0; i < k->n; i++)
        sum[i] += weight * (a[i] - b[i]) * (a[i] - b[i]);
}

/* Also how far b is outside 0.4 a .. a: detail that was lost or made larger. */
static void add_lopsided_squares(Work *k, const float *a, const float *b, float weight, float *sum)
{
    const float plain = weight * ASYMMETRY * 0.8f, outside = weight / ASYMMETRY * 0.8f;

    for (int64_t i = 0; i < k->n; i++) {
        const float d = a[i] - b[i], size = fabsf(a[i]), along = a[i] < 0.0f ? -b[i] : b[i];
        const float v = along < 0.4f * size ? 0.4f * size - along : along > size ? along - size : 0.0f;

        sum[i] += plain * d * d + outside * v * v;
    }
}

/* Lines through a pixel: half of each, the other half is its mirror image. Two of the sixteen fine lines and two of the steep
 * ones are there twice. */
typedef struct Line {
    int weight, n;
    struct {
        int x, y;
    } at[4];
} Line;

static const Line fine_lines[] = {
    {1, 4, {{1, 0}, {2, 0}, {3, 0}, {4, 0}}},  {1, 4, {{0, 1}, {0, 2}, {0, 3}, {0, 4}}},
    {1, 3, {{1, 1}, {2, 2}, {3, 3}}},          {1, 3, {{-1, 1}, {-2, 2}, {-3, 3}}},
    {2, 4, {{0, 1}, {-1, 2}, {-1, 3}, {-1, 4}}}, {2, 4, {{0, 1}, {1, 2}, {1, 3}, {1, 4}}},
    {2, 4, {{1, 0}, {2, 1}, {3, 1}, {4, 1}}},  {2, 4, {{1, 0}, {2, -1}, {3, -1}, {4, -1}}},
    {1, 3, {{1, 1}, {1, 2}, {2, 3}}},          {1, 3, {{-1, 1}, {-1, 2}, {-2, 3}}},
    {1, 3, {{1, 1}, {2, 1}, {3, 2}}},          {1, 3, {{-1, 1}, {-2, 1}, {-3, 2}}},
};
static const Line coarse_lines[] = {
    {1, 2, {{2, 0}, {4, 0}}},  {1, 2, {{0, 2}, {0, 4}}},   {1, 2, {{2, 2}, {3, 3}}}, {1, 2, {{-2, 2}, {-3, 3}}},
    {1, 2, {{-1, 2}, {-1, 4}}}, {1, 2, {{1, 2}, {1, 4}}},  {1, 2, {{2, 1}, {4, 1}}}, {1, 2, {{2, -1}, {4, -1}}},
    {1, 2, {{1, 2}, {2, 3}}},  {1, 2, {{-1, 2}, {-2, 3}}}, {1, 2, {{2, 1}, {3, 2}}}, {1, 2, {{-2, 1}, {-3, 2}}},
    {1, 2, {{-2, 1}, {-4, 2}}}, {1, 2, {{2, 1}, {4, 2}}},  {1, 2, {{1, 2}, {2, 4}}}, {1, 2, {{-1, 2}, {-2, 4}}},
};

typedef struct LineFilter {
    const Line *lines;
    int n;
    double scale;
} LineFilter;

static const LineFilter fine = {fine_lines, sizeof fine_lines / sizeof *fine_lines, 0.39905817637};
static const LineFilter coarse = {coarse_lines, sizeof coarse_lines / sizeof *coarse_lines, 0.611612573796};

/* The difference of a sample, larger where b is outside 0.55 a .. 1.05 a, smaller where both are large. */
static void weigh_differences(Work *k, const float *a, const float *b, float plain, float outside, float norm)
{
    const int64_t line = k->w + 2 * PAD;

    for (int64_t y = 0; y < k->h; y++)
        for (int64_t x = 0; x < k->w; x++) {
            const float u = a[y * k->w + x], v = b[y * k->w + x];
            const float share = 1.0f / (norm + 0.5f * (fabsf(u) + fabsf(v)));
            const float size = fabsf(u), along = u < 0.0f ? -v : v;
            const float lost = along < 0.55f * size ? 0.55f * size - along : along > 1.05f * size ? 1.05f * size - along : 0.0f;

            k->padded[(y + PAD) * line + x + PAD] = share * (plain * (u - v) + outside * (u < 0.0f ? -lost : lost));
        }
}

/* sum += squares of the sums along all lines. weight: of detail that was in a, and in b. */
static void add_lines(Work *k, const LineFilter *filter, const float *a, const float *b, double weight_a, double weight_b, double norm,
                      float *sum)
{
    const int64_t line = k->w + 2 * PAD;
    const double scale = filter->scale / (3.75 * 2 + 1) * norm;
    float *row = k->temp;

    weigh_differences(k, a, b, (float)(scale * sqrt(0.5 * weight_a)), (float)(scale * sqrt(0.33 * weight_b)), (float)norm);
    for (int64_t y = 0; y < k->h; y++) {
        const float *centre = k->padded + (y + PAD) * line + PAD;
        float *to = sum + y * k->w;

        for (int l = 0; l < filter->n; l++) {
            const Line *one = &filter->lines[l];

            memcpy(row, centre, (size_t)k->w * sizeof *row);
            for (int i = 0; i < one->n; i++) {
                const int64_t step = one->at[i].y * line + one->at[i].x;

                for (int64_t x = 0; x < k->w; x++)
                    row[x] += centre[x + step] + centre[x - step];
            }
            for (int64_t x = 0; x < k->w; x++)
                to[x] += (float)one->weight * row[x] * row[x];
        }
    }
}

static void add_differences(Work *k)
{
    static const float lf[3] = {29.2353797994f, 0.844626970982f, 0.703646627719f};
    static const float mf[3] = {2150.0f, 10.6195433239f, 16.2176043152f};
    static const float hf[2] = {400.0f, 1.50815703118f};
    const double more = ASYMMETRY, root = sqrt((double)ASYMMETRY);
    const Eye *a = &k->eyes[0], *b = &k->eyes[1];

    add_lines(k, &fine, a->uhf[1], b->uhf[1], 1.10039032555 * more, 1.10039032555 / more, 71.7800275169, k->ac[1]);
    add_lines(k, &fine, a->uhf[0], b->uhf[0], 173.5 * more, 173.5 / more, 5.0, k->ac[0]);
    add_lines(k, &coarse, a->hf[1], b->hf[1], 18.7237414387 * root, 18.7237414387 / root, 4498534.45232, k->ac[1]);
    add_lines(k, &coarse, a->hf[0], b->hf[0], 6923.99476109 * root, 6923.99476109 / root, 8051.15833247, k->ac[0]);
    add_lines(k, &coarse, a->mf[1], b->mf[1], 37.0819870399, 37.0819870399, 130262059.556, k->ac[1]);
    add_lines(k, &coarse, a->mf[0], b->mf[0], 8246.75321353, 8246.75321353, 1009002.70582, k->ac[0]);
    for (int c = 0; c < 3; c++) {
        if (c < 2)
            add_lopsided_squares(k, a->hf[c], b->hf[c], hf[c], k->ac[c]);
        add_squares(k, a->mf[c], b->mf[c], mf[c], k->ac[c]);
        add_squares(k, a->lf[c], b->lf[c], lf[c], k->dc[c]);
    }
}

/* ---- masking ---- */

/* How busy a picture is around each pixel. */
static void activity(Work *k, const Eye *e, float *out)
{
    const float gain = 6.19424080439f, bias = 12.61050594197f * gain;

    for (int64_t i = 0; i < k->n; i++) {
        const float x = 2.5f * (e->uhf[0][i] + e->hf[0][i]), y = 0.4f * e->uhf[1][i] + 0.4f * e->hf[1][i];

        out[i] = sqrtf(gain * sqrtf(x * x + y * y) + bias) - sqrtf(bias);
    }
    blur(k, 2.7f, out, out);
}

/* Weighted mean of the three least busy of nine places, so that a smooth one nearby is enough to see an error. */
static float least_busy(const Work *k, const float *busy, int64_t y, int64_t x)
{
    const int64_t step = 3;
    float least[3] = {busy[y * k->w + x], 2.0f * busy[y * k->w + x], 2.0f * busy[y * k->w + x]};

    for (int64_t v = y - step; v <= y + step; v += step)
        for (int64_t u = x - step; u <= x + step; u += step) {
            float now;

            if (v < 0 || v >= k->h || u < 0 || u >= k->w || (v == y && u == x))
                continue;
            now = busy[v * k->w + u];
            for (int i = 0; i < 3; i++)
                if (now < least[i]) {
                    const float larger = least[i];

                    least[i] = now;
                    now = larger;
                }
        }
    return 0.45f * least[0] + 0.3f * least[1] + 0.25f * least[2];
}

static double visibility(double busy, double offset, double scale, double gain)
{
    const double v = (1.0 + gain / (scale * busy + offset)) / (17.8 * 0.79079917404);

    return v * v;
}

/* map: the root of all differences through the mask. */
static void combine(Work *k, float *map)
{
    float *busy = k->eyes[0].lf[0], *busy_too = k->eyes[1].lf[0]; /* no longer needed */

    activity(k, &k->eyes[0], busy);
    activity(k, &k->eyes[1], busy_too);
    for (int64_t y = 0; y < k->h; y++)
        for (int64_t x = 0; x < k->w; x++) {
            const int64_t i = y * k->w + x;
            const float other = busy[i] - busy_too[i], mask = least_busy(k, busy, y, x);
            const float detail = k->ac[0][i] + k->ac[1][i] + 10.0f * other * other + k->ac[2][i];
            const float level = k->dc[0][i] + k->dc[1][i] + k->dc[2][i];

            map[i] = sqrtf(level * (float)visibility(mask, 0.20025578522, 3.87449418804, 0.505054525019) +
                           detail * (float)visibility(mask, 0.829591754942, 0.451936922203, 2.5485944793));
        }
}

/* ---- both sizes ---- */

static void close_work(Work *k)
{
    mem_free(&k->block);
    mem_free(&k->padded);
}

static RsdStatus open_work(Work *k, int64_t h, int64_t w, RsdError *err)
{
    float **const planes[] = {
        &k->light[0][0],   &k->light[0][1],   &k->light[0][2],   &k->light[1][0],   &k->light[1][1],    &k->light[1][2],
        &k->eyes[0].lf[0], &k->eyes[0].lf[1], &k->eyes[0].lf[2], &k->eyes[0].mf[0], &k->eyes[0].mf[1],  &k->eyes[0].mf[2],
        &k->eyes[0].hf[0], &k->eyes[0].hf[1], &k->eyes[0].uhf[0], &k->eyes[0].uhf[1], &k->eyes[1].lf[0], &k->eyes[1].lf[1],
        &k->eyes[1].lf[2], &k->eyes[1].mf[0], &k->eyes[1].mf[1], &k->eyes[1].mf[2], &k->eyes[1].hf[0],  &k->eyes[1].hf[1],
        &k->eyes[1].uhf[0], &k->eyes[1].uhf[1], &k->ac[0],       &k->ac[1],         &k->ac[2],          &k->dc[0],
        &k->dc[1],         &k->dc[2],         &k->temp};
    RsdStatus status = RSD_OK;

    *k = (Work){.h = h, .w = w, .n = h * w};
    TRY(mem_calloc(&k->block, (size_t)(N_PLANES * k->n), sizeof *k->block, err));
    TRY(mem_calloc(&k->padded, (size_t)((h + 2 * PAD) * (w + 2 * PAD)), sizeof *k->padded, err));
    for (size_t i = 0; i < N_PLANES; i++)
        *planes[i] = k->block + (int64_t)i * k->n;
fail:
    return status;
}

static float linear(float v) /* of sRGB, IEC 61966-2-1 */
{
    return v <= 0.04045f ? v / 12.92f : (float)pow(((double)v + 0.055) / 1.055, 2.4);
}

/* Means of 2 x 2 pixels, of what there is at odd edges. */
static void halve(float *to, const float *from, int64_t h, int64_t w)
{
    const int64_t half_w = (w + 1) / 2;

    for (int64_t y = 0; y < (h + 1) / 2; y++)
        for (int64_t x = 0; x < half_w; x++) {
            const int64_t below = 2 * y + 1 < h ? w : 0, right = 2 * x + 1 < w ? 1 : 0;
            const float *p = from + 2 * y * w + 2 * x;

            to[y * half_w + x] = 0.25f * (p[0] + p[right] + p[below] + p[below + right]);
        }
}

static void measure(Work *k, float *map)
{
    look(k, 0);
    look(k, 1);
    add_differences(k);
    combine(k, map);
}

static RsdStatus add_half_size(float *map, const Work *whole, RsdError *err)
{
    Work half = {0};
    RsdStatus status = RSD_OK;

    TRY(open_work(&half, (whole->h + 1) / 2, (whole->w + 1) / 2, err));
    for (int p = 0; p < 2; p++)
        for (int c = 0; c < 3; c++)
            halve(half.light[p][c], whole->light[p][c], whole->h, whole->w);
    measure(&half, half.dc[0]); /* a pixel of the map is written after it has been read */
    for (int64_t y = 0; y < whole->h; y++)
        for (int64_t x = 0; x < whole->w; x++)
            map[y * whole->w + x] = map[y * whole->w + x] * (1.0f - 0.3f * 0.5f) + 0.5f * half.dc[0][y / 2 * half.w + x / 2];
fail:
    close_work(&half);
    return status;
}

RsdStatus butteraugli_map(float *map, const ImagePair *pair, RsdError *err)
{
    const float *const planes[] = {pair->ref, pair->dist};
    Work k = {0};
    RsdStatus status = RSD_OK;

    TRY(open_work(&k, pair->h, pair->w, err));
    for (int p = 0; p < 2; p++)
        for (int64_t i = 0; i < 3 * k.n; i++)
            k.light[p][0][i] = linear(planes[p][i]); /* the three planes follow each other */
    measure(&k, map);
    if (pair->h >= 2 * BUTTERAUGLI_MIN_SIDE - 1 && pair->w >= 2 * BUTTERAUGLI_MIN_SIDE - 1)
        TRY(add_half_size(map, &k, err));
fail:
    close_work(&k);
    return status;
}

/* ---- one number ---- */

RsdStatus metric_butteraugli(double *value, const ImagePair *pair, RsdError *err)
{
    float *map = NULL, most = 0.0f;
    RsdStatus status = RSD_OK;

    TRY(mem_alloc(&map, (size_t)(pair->h * pair->w), sizeof *map, err));
    TRY(butteraugli_map(map, pair, err));
    for (int64_t i = 0; i < pair->h * pair->w; i++)
        most = fmaxf(most, map[i]);
    *value = most;
fail:
    mem_free(&map);
    return status;
}

RsdStatus metric_butteraugli_3norm(double *value, const ImagePair *pair, RsdError *err)
{
    float *map = NULL;
    double sums[3] = {0.0, 0.0, 0.0};
    RsdStatus status = RSD_OK;

    TRY(mem_alloc(&map, (size_t)(pair->h * pair->w), sizeof *map, err));
    TRY(butteraugli_map(map, pair, err));
    for (int64_t i = 0; i < pair->h * pair->w; i++) {
        const double d = (double)map[i], cube = d * d * d;

        sums[0] += cube;
        sums[1] += cube * cube;
        sums[2] += cube * cube * cube * cube;
    }
    *value = 0.0;
    for (int i = 0; i < 3; i++)
        *value += pow(sums[i] / (double)(pair->h * pair->w), 1.0 / (3 << i)) / 3.0;
fail:
    mem_free(&map);
    return status;
}
