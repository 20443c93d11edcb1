/* psnr_hvs.c - PSNR-HVS-M.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/psnr_hvs.h"

#include <math.h>

#include "engine/base/mem.h"

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

/* Sum of squared deviations from the mean, in the estimate for samples times their number, of an n x n part. */
static double scatter(const int *x, int n)
{
    double sum = 0.0, square = 0.0;

    for (int i = 0; i < n; i++)
        for (int k = 0; k < n; k++)
            sum += x[i * SIDE + k];
    for (int i = 0; i < n; i++)
        for (int k = 0; k < n; k++)
            square += pow(x[i * SIDE + k] - sum / (n * n), 2.0);
    return square * (n * n) / (n * n - 1);
}

/* What a block hides: the weighted energy of its waves, less where it has one strong edge (quarters calmer than the whole). */
static double masking(const int x[SIDE * SIDE], const int y[SIDE * SIDE], int channel)
{
    const double whole = scatter(x, SIDE);
    const double quarters = scatter(x, 4) + scatter(x + 4, 4) + scatter(x + 4 * SIDE, 4) + scatter(x + 4 * SIDE + 4, 4);
    double energy = 0.0;

    for (int i = 1; i < SIDE * SIDE; i++)
        energy += (double)y[i] * y[i] * pow(MASK_SCALE * sensitivity_at(channel, i / SIDE, i % SIDE), 2.0);
    return sqrt(energy * (whole > 0.0 ? quarters / whole : 0.0)) / 32.0;
}

static double block_error(const int a[SIDE * SIDE], const int b[SIDE * SIDE], int channel)
{
    int ta[SIDE * SIDE], tb[SIDE * SIDE];
    double hidden, sum = 0.0;

    transform(ta, a);
    transform(tb, b);
    hidden = fmax(masking(a, ta, channel), masking(b, tb, channel));
    for (int i = 0; i < SIDE * SIDE; i++) {
        const double s = sensitivity_at(channel, i / SIDE, i % SIDE), mask = pow(MASK_SCALE * s, 2.0);
        double error = fabs((double)ta[i] - tb[i]);

        if (i > 0)
            error = fmax(0.0, error - hidden / mask);
        sum += error * s * error * s;
    }
    return sum;
}

static double plane_error(const uint8_t *a, const uint8_t *b, int64_t h, int64_t w, int channel)
{
    double sum = 0.0;
    int64_t n_blocks = 0;

    for (int64_t r = 0; r + SIDE <= h; r += STEP)
        for (int64_t c = 0; c + SIDE <= w; c += STEP, n_blocks++) {
            int x[SIDE * SIDE], y[SIDE * SIDE];

            for (int i = 0; i < SIDE * SIDE; i++) {
                const int64_t at = (r + i / SIDE) * w + c + i % SIDE;

                x[i] = a[at];
                y[i] = b[at];
            }
            sum += block_error(x, y, channel);
        }
    return sum / (double)(n_blocks * SIDE * SIDE) / (255.0 * 255.0);
}

/* --- pictures ------------------------------------------------------------------------------------------------------------ */

static int byte_of(float v)
{
    return (int)lrint(fmin(fmax(255.0 * (double)v, 0.0), 255.0));
}

static int weigh(const int weights[3], const float *at, int64_t count)
{
    return weights[0] * byte_of(at[0]) + weights[1] * byte_of(at[count]) + weights[2] * byte_of(at[2 * count]);
}

/* planes [h w + 2 ceil(h / 2) ceil(w / 2)]: Y', then Cb and Cr of means over 2 x 2, the edge repeated at odd sizes. In millionths,
 * so that halves are rounded alike everywhere. */
static void fill_ycbcr(uint8_t *planes, const float *rgb, int64_t h, int64_t w)
{
    static const int rows[3][3] = {{299000, 587000, 114000}, {-168736, -331264, 500000}, {500000, -418688, -81312}};
    const int64_t h2 = (h + 1) / 2, w2 = (w + 1) / 2, count = h * w;

    for (int64_t i = 0; i < count; i++)
        planes[i] = (uint8_t)((weigh(rows[0], rgb + i, count) + 500000) / 1000000);
    for (int k = 1; k < 3; k++)
        for (int64_t r = 0; r < h2; r++)
            for (int64_t c = 0; c < w2; c++) {
                int sum = 4 * 128 * 1000000 + 2 * 1000000;

                for (int j = 0; j < 4; j++) {
                    const int64_t y = 2 * r + j / 2 < h ? 2 * r + j / 2 : h - 1, x = 2 * c + j % 2 < w ? 2 * c + j % 2 : w - 1;

                    sum += weigh(rows[k], rgb + y * w + x, count);
                }
                sum /= 4 * 1000000;
                planes[count + (k - 1) * h2 * w2 + r * w2 + c] = (uint8_t)(sum > 255 ? 255 : sum);
            }
}

RsdStatus metric_psnr_hvs_m(double *value, const ImagePair *pair, RsdError *err)
{
    const int64_t h2 = (pair->h + 1) / 2, w2 = (pair->w + 1) / 2, count = pair->h * pair->w;
    uint8_t *a = NULL, *b = NULL;
    double total;
    RsdStatus status = RSD_OK;

    TRY(mem_alloc(&a, (size_t)(count + 2 * h2 * w2), 1, err));
    TRY(mem_alloc(&b, (size_t)(count + 2 * h2 * w2), 1, err));
    fill_ycbcr(a, pair->ref, pair->h, pair->w);
    fill_ycbcr(b, pair->dist, pair->h, pair->w);
    total = 0.8 * plane_error(a, b, pair->h, pair->w, 0) + 0.1 * plane_error(a + count, b + count, h2, w2, 1) +
            0.1 * plane_error(a + count + h2 * w2, b + count + h2 * w2, h2, w2, 2);
    *value = -10.0 * log10(total);
fail:
    mem_free(&a);
    mem_free(&b);
    return status;
}
