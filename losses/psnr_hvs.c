/* psnr_hvs.c - PSNR-HVS-M.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/psnr_hvs.h"

#include <math.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/ops/by_picture.h"

#define SIDE 8
#define STEP 7
#define MASK_SCALE 0.3885746225901003 /* of the sensitivity, squared: the authors' masking table */

/* Contrast sensitivity of the coefficients at the point of transparency: luma, and blue and red difference at half size; the
 * upper triangles of symmetric tables [Xiph dump_psnrhvs]. */
static const double sensitivity[3][36] = {
    {1.6193873005, 2.2901594831, 2.08509755623, 1.48366094411, 1.00227514334, 0.678296995242, 0.466224900598, 0.3265091542,
     1.94321815382, 2.04793073064, 1.68731108984, 1.2305666963, 0.868920337363, 0.61280991668, 0.436405793551,
     1.34329019223, 1.09205635862, 0.875748795257, 0.670882927016, 0.501731932449, 0.372504254596,
     0.772819797575, 0.605636379554, 0.48309405692, 0.380429446972, 0.295774038565,
     0.448996256676, 0.352889268808, 0.283006984131, 0.226951348204,
     0.27032073436, 0.215017739696, 0.17408067321,
     0.168869545842, 0.136153931001,
     0.109083846276},
    {1.91113096927, 2.46074210438, 1.18284184739, 1.14982565193, 1.05017074788, 0.898018824055, 0.74725392039, 0.615105596242,
     1.58529308355, 1.21363250036, 1.38190029285, 1.33100189972, 1.17428548929, 0.996404342439, 0.830890433625,
     0.978712413627, 1.02624506078, 1.03145147362, 0.960060382087, 0.849823426169, 0.731221236837,
     0.861317501629, 0.801821139099, 0.751437590932, 0.685398513368, 0.608694761374,
     0.676555426187, 0.605503172737, 0.55002013668, 0.495804539034,
     0.514674450957, 0.454353482512, 0.407050308965,
     0.389234902883, 0.342353999733,
     0.295530605237},
    {2.03871978502, 2.62502345193, 1.26180942886, 1.11019789803, 1.01397751469, 0.867069376285, 0.721500455585, 0.593906509971,
     1.69112867013, 1.17180569821, 1.3342742857, 1.28513006198, 1.13381474809, 0.962064122248, 0.802254508198,
     0.944981930573, 0.990876405848, 0.995903384143, 0.926972725286, 0.820534991409, 0.706020324706,
     0.831632933426, 0.77418706195, 0.725539939514, 0.661776842059, 0.587716619023,
     0.653238524286, 0.584635025748, 0.531064164893, 0.478717061273,
     0.496936637883, 0.438694579826, 0.393021669543,
     0.375820256136, 0.330555063063,
     0.285345396658}};

static double sensitivity_at(int channel, int u, int v)
{
    const int row = u < v ? u : v, column = u < v ? v : u;

    return sensitivity[channel][row * SIDE - row * (row - 1) / 2 + column - row];
}

/* --- integer cosine transform -------------------------------------------------------------------------------------------- */

/* a b / 2^bits, rounded half up; and halved towards 0. */
static int times(int a, int b, int bits)
{
    return (int)(((int64_t)a * b + ((int64_t)1 << (bits - 1))) >> bits);
}

static int half(int a)
{
    return a / 2;
}

/* Eight samples x[i step] to y[i]: a ladder of integer lifting steps, orthonormal up to rounding. Even coefficients come from
 * the sums of opposite samples, odd ones from their differences; the ladder's halved sums keep the scale. */
static void transform_line(int y[SIDE], const int *x, int step)
{
    int d0 = x[0] - x[7 * step], s0 = x[0] - half(d0);             /* (x0 - x7), (x0 + x7) / 2 */
    int s1 = x[step] + x[6 * step], d1 = x[6 * step] - half(s1);   /* (x1 + x6), (x6 - x1) / 2 */
    int d2 = x[2 * step] - x[5 * step], s2 = x[2 * step] - half(d2);
    int s3 = x[3 * step] + x[4 * step], d3 = half(s3) - x[4 * step];
    const int half_s1 = half(s1), half_d0 = half(d0);
    int a, b;

    /* even part: four-point transform of s0, s1, s2, s3 */
    s0 += half(s3);
    s3 = s0 - s3;
    s2 = half_s1 - s2;
    s1 = s2 - s1;
    s0 -= times(s1, 13573, 15); /* tan(pi / 8) */
    s1 += times(s0, 11585, 14); /* sin(pi / 4) */
    s0 -= times(s1, 13573, 15);
    s3 -= times(s2, 21895, 15); /* tan(3 pi / 16) */
    s2 += times(s3, 15137, 14); /* sin(3 pi / 8) */
    s3 -= times(s2, 21895, 15);
    /* odd part */
    d2 += times(d1, 19195, 15); /* 2 - sqrt(2) */
    d1 += times(d2, 11585, 14);
    d2 -= times(d1, 7489, 13); /* sqrt(2) - 1/2 */
    d3 = half(d1) - d3;
    d1 -= d3;
    d2 = half_d0 - d2;
    d0 -= d2;
    a = d3 + times(d0, 3227, 15); /* tan(pi / 32) */
    b = d0 - times(a, 6393, 15);  /* sin(pi / 16) */
    a += times(b, 3227, 15);
    d1 += times(d2, 2485, 13);  /* tan(3 pi / 32) */
    d2 -= times(d1, 18205, 15); /* sin(3 pi / 16) */
    d1 += times(d2, 2485, 13);
    y[0] = s0;
    y[1] = b;
    y[2] = s2;
    y[3] = d2;
    y[4] = s1;
    y[5] = d1;
    y[6] = s3;
    y[7] = a;
}

/* y [u][v], u down. */
static void transform(int y[SIDE * SIDE], const int x[SIDE * SIDE])
{
    int z[SIDE * SIDE];

    for (int i = 0; i < SIDE; i++)
        transform_line(z + SIDE * i, x + i, SIDE);
    for (int i = 0; i < SIDE; i++)
        transform_line(y + SIDE * i, z + i, SIDE);
}

/* --- blocks -------------------------------------------------------------------------------------------------------------- */

/* Of a channel, by coefficient; and the cosines of the transform without rounding, [frequency][sample]. */
typedef struct Tables {
    double weight[SIDE * SIDE], mask[SIDE * SIDE], cosines[SIDE][SIDE];
} Tables;

static void fill_tables(Tables *t, int channel)
{
    for (int i = 0; i < SIDE * SIDE; i++) {
        const int u = i / SIDE, v = i % SIDE;

        t->weight[i] = sensitivity_at(channel, u, v);
        t->mask[i] = pow(MASK_SCALE * t->weight[i], 2.0);
        t->cosines[u][v] = cos(M_PI * u * (2 * v + 1) / (2 * SIDE)) * (u == 0 ? sqrt(1.0 / SIDE) : sqrt(2.0 / SIDE));
    }
}

static double mean_of(const int *x, int n)
{
    double sum = 0.0;

    for (int i = 0; i < n; i++)
        for (int k = 0; k < n; k++)
            sum += x[i * SIDE + k];
    return sum / (n * n);
}

/* Sum of squared deviations from the mean, in the estimate for samples times their number, of an n x n part. */
static double scatter(const int *x, int n)
{
    const double mean = mean_of(x, n);
    double square = 0.0;

    for (int i = 0; i < n; i++)
        for (int k = 0; k < n; k++)
            square += pow(x[i * SIDE + k] - mean, 2.0);
    return square * (n * n) / (n * n - 1);
}

static void add_scatter_slope(double *dx, const int *x, int n, double slope)
{
    const double mean = mean_of(x, n), scale = 2.0 * slope * (n * n) / (n * n - 1);

    for (int i = 0; i < n; i++)
        for (int k = 0; k < n; k++)
            dx[i * SIDE + k] += scale * (x[i * SIDE + k] - mean);
}

static const int quarters_at[4] = {0, 4, 4 * SIDE, 4 * SIDE + 4};

/* What a block hides: the weighted energy of its waves, less where it has one strong edge (quarters calmer than the whole). */
typedef struct Masking {
    double energy, whole, quarters, hidden;
} Masking;

static Masking masking(const Tables *t, const int x[SIDE * SIDE], const int y[SIDE * SIDE])
{
    Masking m = {.whole = scatter(x, SIDE)};

    for (int i = 0; i < 4; i++)
        m.quarters += scatter(x + quarters_at[i], 4);
    for (int i = 1; i < SIDE * SIDE; i++)
        m.energy += (double)y[i] * y[i] * t->mask[i];
    m.hidden = sqrt(m.energy * (m.whole > 0.0 ? m.quarters / m.whole : 0.0)) / 32.0;
    return m;
}

/* dy, dx: by coefficients and samples of the block, added to. */
static void add_masking_slope(const Tables *t, const Masking *m, const int x[SIDE * SIDE], const int y[SIDE * SIDE], double slope,
                              double dy[SIDE * SIDE], double dx[SIDE * SIDE])
{
    const double half = 0.5 * slope * m->hidden;

    if (!(m->hidden > 0.0))
        return;
    for (int i = 1; i < SIDE * SIDE; i++)
        dy[i] += half / m->energy * 2.0 * y[i] * t->mask[i];
    add_scatter_slope(dx, x, SIDE, -half / m->whole);
    for (int i = 0; i < 4; i++)
        add_scatter_slope(dx + quarters_at[i], x + quarters_at[i], 4, half / m->quarters);
}

/* dx += slopes by samples of what has the slopes dy by coefficients. */
static void add_transposed(const Tables *t, const double dy[SIDE * SIDE], double dx[SIDE * SIDE])
{
    double z[SIDE * SIDE] = {0};

    for (int u = 0; u < SIDE; u++)
        for (int v = 0; v < SIDE; v++)
            for (int k = 0; k < SIDE; k++)
                z[u * SIDE + k] += dy[u * SIDE + v] * t->cosines[v][k];
    for (int u = 0; u < SIDE; u++)
        for (int i = 0; i < SIDE; i++)
            for (int k = 0; k < SIDE; k++)
                dx[i * SIDE + k] += t->cosines[u][i] * z[u * SIDE + k];
}

/* db [64]: slopes by the samples of b, NULL for none. */
static double block_error(const Tables *t, const int a[SIDE * SIDE], const int b[SIDE * SIDE], double *db)
{
    int ta[SIDE * SIDE], tb[SIDE * SIDE];
    double dtb[SIDE * SIDE], dhidden = 0.0, sum = 0.0, hidden;
    Masking mask_a, mask_b;

    transform(ta, a);
    transform(tb, b);
    mask_a = masking(t, a, ta);
    mask_b = masking(t, b, tb);
    hidden = fmax(mask_a.hidden, mask_b.hidden);
    for (int i = 0; i < SIDE * SIDE; i++) {
        const double s = t->weight[i], below = i > 0 ? hidden / t->mask[i] : 0.0;
        const double error = fmax(0.0, fabs((double)ta[i] - tb[i]) - below), slope = 2.0 * error * s * s;

        sum += error * s * error * s;
        dtb[i] = tb[i] > ta[i] ? slope : -slope;
        dhidden -= i > 0 ? slope / t->mask[i] : 0.0;
    }
    if (db) {
        memset(db, 0, SIDE * SIDE * sizeof *db);
        if (mask_b.hidden > mask_a.hidden)
            add_masking_slope(t, &mask_b, b, tb, dhidden, dtb, db);
        add_transposed(t, dtb, db);
    }
    return sum;
}

/* --- planes -------------------------------------------------------------------------------------------------------------- */

typedef struct PlaneJob {
    Tables tables;
    const uint8_t *a, *b;
    float *db;    /* slopes of the mean, NULL for none */
    double *sums; /* of each row of blocks */
    int64_t h, w, n_across, first_row;
    double scale; /* share of a squared error in the mean */
} PlaneJob;

/* Every other row of blocks, because neighbours share a row of samples. */
static void block_row_task(void *ctx, int64_t task, int worker)
{
    const PlaneJob *job = ctx;
    const int64_t row = 2 * task + job->first_row, first = row * STEP * job->w;
    double sum = 0.0;

    (void)worker;
    for (int64_t c = 0; c < job->n_across; c++) {
        int x[SIDE * SIDE], y[SIDE * SIDE];
        double dy[SIDE * SIDE];

        for (int i = 0; i < SIDE * SIDE; i++) {
            const int64_t at = first + i / SIDE * job->w + c * STEP + i % SIDE;

            x[i] = job->a[at];
            y[i] = job->b[at];
        }
        sum += block_error(&job->tables, x, y, job->db ? dy : NULL);
        for (int i = 0; job->db && i < SIDE * SIDE; i++)
            job->db[first + i / SIDE * job->w + c * STEP + i % SIDE] += (float)(job->scale * dy[i]);
    }
    job->sums[row] = sum;
}

/* *total += share times the mean error of two planes; db [h, w]: its slopes, NULL for none. */
static RsdStatus add_plane_error(double *total, double share, float *db, const uint8_t *a, const uint8_t *b, int64_t h, int64_t w,
                                 int channel, RsdThreads *threads, RsdError *err)
{
    const int64_t n_down = (h - SIDE) / STEP + 1;
    PlaneJob job = {.a = a, .b = b, .db = db, .h = h, .w = w, .n_across = (w - SIDE) / STEP + 1};
    double sum = 0.0;
    RsdStatus status = RSD_OK;

    fill_tables(&job.tables, channel);
    job.scale = share / ((double)(n_down * job.n_across * SIDE * SIDE) * 255.0 * 255.0);
    TRY(mem_alloc(&job.sums, (size_t)n_down, sizeof *job.sums, err));
    for (job.first_row = 0; job.first_row < 2; job.first_row++)
        threads_for(threads, (n_down + 1 - job.first_row) / 2, block_row_task, &job);
    for (int64_t i = 0; i < n_down; i++)
        sum += job.sums[i];
    *total += job.scale * sum;
fail:
    mem_free(&job.sums);
    return status;
}

/* --- pictures ------------------------------------------------------------------------------------------------------------ */

/* Y', Cb and Cr in millionths, so that halves are rounded alike everywhere. */
#define MILLION 1000000
static const int ycbcr[3][3] = {{299000, 587000, 114000}, {-168736, -331264, 500000}, {500000, -418688, -81312}};

/* Planes [h w + 2 ceil(h / 2) ceil(w / 2)]: Y', then Cb and Cr of means over 2 x 2, the edge repeated at odd sizes. */
typedef struct Picture {
    int64_t h, w;
    const float *rgb;
    uint8_t *planes;
    const float *dplanes; /* slopes by the planes, and by rgb, where wanted */
    float *drgb;
    double slope;
} Picture;

static int byte_of(float v)
{
    return (int)lrint(fmin(fmax(255.0 * (double)v, 0.0), 255.0));
}

static int weigh(const int weights[3], const float *at, int64_t count)
{
    return weights[0] * byte_of(at[0]) + weights[1] * byte_of(at[count]) + weights[2] * byte_of(at[2 * count]);
}

static int64_t at_most(int64_t i, int64_t last)
{
    return i < last ? i : last;
}

/* A row of Cb and Cr and the two of Y' there. */
static void to_planes_task(void *ctx, int64_t row, int worker)
{
    const Picture *p = ctx;
    const int64_t h2 = (p->h + 1) / 2, w2 = (p->w + 1) / 2, count = p->h * p->w, end = at_most(2 * row + 2, p->h) * p->w;

    (void)worker;
    for (int64_t i = 2 * row * p->w; i < end; i++)
        p->planes[i] = (uint8_t)((weigh(ycbcr[0], p->rgb + i, count) + MILLION / 2) / MILLION);
    for (int k = 1; k < 3; k++)
        for (int64_t c = 0; c < w2; c++) {
            int sum = 4 * 128 * MILLION + 2 * MILLION;

            for (int j = 0; j < 4; j++)
                sum += weigh(ycbcr[k], p->rgb + at_most(2 * row + j / 2, p->h - 1) * p->w + at_most(2 * c + j % 2, p->w - 1), count);
            sum /= 4 * MILLION;
            p->planes[count + ((k - 1) * h2 + row) * w2 + c] = (uint8_t)(sum > 255 ? 255 : sum);
        }
}

static void from_planes_task(void *ctx, int64_t row, int worker)
{
    const Picture *p = ctx;
    const int64_t h2 = (p->h + 1) / 2, w2 = (p->w + 1) / 2, count = p->h * p->w, end = at_most(2 * row + 2, p->h) * p->w;

    (void)worker;
    for (int64_t i = 2 * row * p->w; i < end; i++) {
        const int64_t column = i % p->w, at = count + row * w2 + column / 2;
        /* a last row or column of an odd size stands for two */
        const double share = 0.25 * (2 * row + 1 == p->h ? 2.0 : 1.0) * (column + 1 == p->w && p->w % 2 ? 2.0 : 1.0);
        const double dy = (double)p->dplanes[i], dcb = share * (double)p->dplanes[at], dcr = share * (double)p->dplanes[at + h2 * w2];

        for (int c = 0; c < 3; c++) {
            const float v = p->rgb[i + c * count];
            const double sum = (ycbcr[0][c] * dy + ycbcr[1][c] * dcb + ycbcr[2][c] * dcr) / MILLION;

            p->drgb[i + c * count] = v < 0.0f || v > 1.0f ? 0.0f : (float)(255.0 * p->slope * sum);
        }
    }
}

/* The weighted mean error; *dplanes, to be freed, its slopes, NULL for none. */
static RsdStatus mean_error(double *total, float **dplanes, const ImagePair *pair, RsdError *err)
{
    const int64_t h2 = (pair->h + 1) / 2, w2 = (pair->w + 1) / 2, count = pair->h * pair->w, n = count + 2 * h2 * w2;
    Picture pictures[2] = {{pair->h, pair->w, .rgb = pair->ref}, {pair->h, pair->w, .rgb = pair->dist}};
    RsdStatus status = RSD_OK;

    for (int i = 0; i < 2; i++) {
        TRY(mem_alloc(&pictures[i].planes, (size_t)n, 1, err));
        threads_for(pair->threads, h2, to_planes_task, &pictures[i]);
    }
    if (dplanes)
        TRY(mem_calloc(dplanes, (size_t)n, sizeof **dplanes, err));
    *total = 0.0;
    for (int c = 0; c < 3; c++) {
        const int64_t first = c == 0 ? 0 : count + (c - 1) * h2 * w2;

        TRY(add_plane_error(total, c == 0 ? 0.8 : 0.1, dplanes ? *dplanes + first : NULL, pictures[0].planes + first,
                            pictures[1].planes + first, c == 0 ? pair->h : h2, c == 0 ? pair->w : w2, c, pair->threads, err));
    }
fail:
    for (int i = 0; i < 2; i++)
        mem_free(&pictures[i].planes);
    return status;
}

RsdStatus metric_psnr_hvs_m(double *value, const ImagePair *pair, RsdError *err)
{
    double total;
    RsdStatus status = mean_error(&total, NULL, pair, err);

    if (status == RSD_OK)
        *value = -10.0 * log10(total);
    return status;
}

static RsdStatus negative_of_picture(double *value, float *dy, const float *x, const float *y, int64_t h, int64_t w, RsdError *err)
{
    float *dplanes = NULL;
    double total;
    RsdStatus status = RSD_OK;

    TRY(mean_error(&total, dy ? &dplanes : NULL, &(ImagePair){.ref = x, .dist = y, .h = h, .w = w}, err));
    *value = 10.0 * log10(total + PSNR_HVS_LEAST);
    if (dy) {
        Picture p = {h, w, .rgb = y, .dplanes = dplanes, .drgb = dy, .slope = 10.0 / M_LN10 / (total + PSNR_HVS_LEAST)};

        threads_for(NULL, (h + 1) / 2, from_planes_task, &p);
    }
fail:
    mem_free(&dplanes);
    return status;
}

RsdStatus measure_psnr_hvs_m(Tape *tape, const void *params, const ImageNets *nets, Tensor *ref, Tensor *dist, Tensor **value,
                             RsdError *err)
{
    (void)params;
    (void)nets;
    return op_by_picture(tape, negative_of_picture, ref, dist, value, err);
}
