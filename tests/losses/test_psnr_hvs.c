/* test_psnr_hvs.c - the slope of PSNR-HVS-M against finite differences of the same formula without its two roundings: samples
 * of any value, and the cosine transform in double.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "tests/losses/pictures.h"
#include "tests/shared.h"

#define SIDE 36
#define COUNT (SIDE * SIDE)

typedef double Block[8][8];

static void transform(Block y, Block x)
{
    Block waves, z;

    for (int i = 0; i < 64; i++)
        waves[i / 8][i % 8] = 0.5 * cos(M_PI * (i / 8) * (2 * (i % 8) + 1) / 16) * (i / 8 ? 1 : sqrt(0.5));
    for (int i = 0; i < 64; i++) {
        z[i / 8][i % 8] = 0.0;
        for (int k = 0; k < 8; k++)
            z[i / 8][i % 8] += waves[i / 8][k] * x[k][i % 8];
    }
    for (int i = 0; i < 64; i++) {
        y[i / 8][i % 8] = 0.0;
        for (int k = 0; k < 8; k++)
            y[i / 8][i % 8] += z[i / 8][k] * waves[i % 8][k];
    }
}

static double scatter(Block x, int row, int column, int n)
{
    double sum = 0.0, square = 0.0;

    for (int i = 0; i < n * n; i++)
        sum += x[row + i / n][column + i % n];
    for (int i = 0; i < n * n; i++)
        square += pow(x[row + i / n][column + i % n] - sum / (n * n), 2);
    return square * n * n / (n * n - 1);
}

static double hidden_by(Block x, Block y, Block mask)
{
    double energy = 0.0, quarters = 0.0;

    for (int i = 1; i < 64; i++)
        energy += y[i / 8][i % 8] * y[i / 8][i % 8] * mask[i / 8][i % 8];
    for (int i = 0; i < 4; i++)
        quarters += scatter(x, i / 2 * 4, i % 2 * 4, 4);
    return sqrt(energy * quarters / scatter(x, 0, 0, 8)) / 32;
}

/* Contrast sensitivity of luma, upper triangle [Xiph dump_psnrhvs]. */
static const double luma[36] = {
    1.6193873005, 2.2901594831, 2.08509755623, 1.48366094411, 1.00227514334, 0.678296995242, 0.466224900598, 0.3265091542,
    1.94321815382, 2.04793073064, 1.68731108984, 1.2305666963, 0.868920337363, 0.61280991668, 0.436405793551, 1.34329019223,
    1.09205635862, 0.875748795257, 0.670882927016, 0.501731932449, 0.372504254596, 0.772819797575, 0.605636379554, 0.48309405692,
    0.380429446972, 0.295774038565, 0.448996256676, 0.352889268808, 0.283006984131, 0.226951348204, 0.27032073436, 0.215017739696,
    0.17408067321, 0.168869545842, 0.136153931001, 0.109083846276};

/* Of grey pictures in 0..255: 10 log10 of the luma's share, its chroma being equal. */
static double smooth_value(const double *a, const double *b)
{
    Block weight, mask;
    double sum = 0.0;
    int n = 0;

    for (int u = 0, k = 0; u < 8; u++)
        for (int v = u; v < 8; v++, k++) {
            weight[u][v] = weight[v][u] = luma[k];
            mask[u][v] = mask[v][u] = pow(0.3885746225901003 * luma[k], 2);
        }
    for (int r = 0; r + 8 <= SIDE; r += 7)
        for (int c = 0; c + 8 <= SIDE; c += 7, n++) {
            Block x, y, tx, ty;
            double hidden;

            for (int i = 0; i < 64; i++) {
                x[i / 8][i % 8] = a[(r + i / 8) * SIDE + c + i % 8];
                y[i / 8][i % 8] = b[(r + i / 8) * SIDE + c + i % 8];
            }
            transform(tx, x);
            transform(ty, y);
            hidden = fmax(hidden_by(x, tx, mask), hidden_by(y, ty, mask));
            for (int i = 0; i < 64; i++) {
                const double below = i ? hidden / mask[i / 8][i % 8] : 0;

                sum += pow(fmax(0, fabs(tx[i / 8][i % 8] - ty[i / 8][i % 8]) - below) * weight[i / 8][i % 8], 2);
            }
        }
    return 10 * log10(0.8 * sum / (n * 64) / (255.0 * 255.0));
}

Test(psnr_hvs, slope_is_that_of_the_formula_without_rounding)
{
    static double a[COUNT], b[COUNT];
    double far = 0.0, all = 0.0;
    PictureRun run;

    picture_run_open(&run, 1, 1, SIDE, SIDE);
    for (int i = 0; i < COUNT; i++) { /* whole steps of 1 / 255; the estimate has more contrast, so that it masks more */
        a[i] = rint(255 * (double)run.target->data[i]);
        b[i] = rint(128 + 1.3 * (a[i] - 128) + 700 * ((double)run.estimate->data[i] - a[i] / 255));
        b[i] = fmin(fmax(b[i], 0), 255);
    }
    for (int i = 0; i < 3 * COUNT; i++) {
        run.target->data[i] = (float)(a[i % COUNT] / 255);
        run.estimate->data[i] = (float)(b[i % COUNT] / 255);
    }
    picture_run_loss(&run, "psnr_hvs_m", NULL);
    ASSERT_CLOSE("value", run.value->data[0], smooth_value(a, b), ((Tolerance){.abs = 0.05}));
    for (int i = 0; i < COUNT; i += 7) {
        const double middle = b[i], got = (double)run.estimate->grad[i] + (double)run.estimate->grad[COUNT + i] +
                                          (double)run.estimate->grad[2 * COUNT + i];
        double above, below;

        b[i] = middle + 0.01;
        above = smooth_value(a, b);
        b[i] = middle - 0.01;
        below = smooth_value(a, b);
        b[i] = middle;
        far += pow(got - 255 * (above - below) / 0.02, 2);
        all += pow(got, 2);
    }
    /* whole coefficients against real ones: 4e-4 where samples are 64 times as large */
    cr_assert_lt(sqrt(far / all), 0.035, "the slope differs by %g of its length", sqrt(far / all));
    picture_run_close(&run);
}
