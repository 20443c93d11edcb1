/* test_image_gradient.c - gradients of the losses that are computed in double, against differences of the metrics in double.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "losses/image_metric.h"
#include "tests/losses/pictures.h"
#include "tests/shared.h"

#define STEP 1e-5f

/* A similarity whose loss is 1 less it. */
static const struct Measure {
    const char *name;
    int64_t h, w;
    int64_t n_probes;
} measures[] = {
    {"fsim", 37, 64, 15}, {"fsimc", 40, 45, 15}, {"vsi", 9, 20, 8}, {"iw_ssim", 161, 170, 10},
};

#define N_MEASURES (sizeof measures / sizeof measures[0])

static double metric_of(const char *name, const PictureRun *run)
{
    const Tensor *y = run->estimate;
    MetricValue value;
    RsdError err = {0};

    ASSERT_OK(image_metric_find(name)->on_arrays(&value.value, &(ImagePair){run->target->data, y->data, y->shape[2], y->shape[3]}, &err),
              err);
    return value.value;
}

static double difference_at(const char *name, PictureRun *run, int64_t i)
{
    float *sample = &run->estimate->data[i];
    const float middle = *sample, high = middle + STEP, low = middle - STEP;
    double values[2];

    *sample = high;
    values[0] = metric_of(name, run);
    *sample = low;
    values[1] = metric_of(name, run);
    *sample = middle;
    return (values[1] - values[0]) / ((double)high - (double)low); /* the loss is 1 - similarity */
}

Test(image_gradient, of_single_samples_matches_differences_in_double)
{
    for (size_t m = 0; m < N_MEASURES; m++) {
        const char *name = measures[m].name;
        PictureRun run;
        int64_t count;
        double root = 0.0;

        picture_run_open(&run, 1, 1, measures[m].h, measures[m].w);
        picture_run_loss(&run, name, NULL);
        count = tensor_count(run.estimate);
        for (int64_t i = 0; i < count; i++)
            root += (double)run.estimate->grad[i] * (double)run.estimate->grad[i] / (double)count;
        root = sqrt(root);
        ASSERT_CLOSE(name, run.value->data[0], 1.0 - metric_of(name, &run), ((Tolerance){.abs = 1e-9, .rel = 1e-7}));
        for (int64_t p = 0; p < measures[m].n_probes; p++) {
            const int64_t i = p * (count - 1) / (measures[m].n_probes - 1);
            const double expected = difference_at(name, &run, i), got = (double)run.estimate->grad[i];

            cr_expect(fabs(got - expected) <= 1e-4 * (fabs(expected) + root), "%s of %lld x %lld, sample %lld: %.9g, differences %.9g",
                      name, (long long)measures[m].w, (long long)measures[m].h, (long long)i, got, expected);
        }
        picture_run_close(&run);
    }
}

Test(image_gradient, threads_of_a_batch_do_not_change_a_bit)
{
    for (size_t m = 0; m < N_MEASURES; m++) {
        PictureRun one, three;

        picture_run_open(&one, 1, 3, measures[m].h, measures[m].w);
        picture_run_open(&three, 3, 3, measures[m].h, measures[m].w);
        picture_run_loss(&one, measures[m].name, NULL);
        picture_run_loss(&three, measures[m].name, NULL);
        ASSERT_SAME_BITS(measures[m].name, three.value->data, one.value->data, 1);
        ASSERT_SAME_BITS(measures[m].name, three.estimate->grad, one.estimate->grad, tensor_count(one.estimate));
        picture_run_close(&one);
        picture_run_close(&three);
    }
}

/* Edges of the formulas: places without response, without edges, without a common colour; all the same colour but one sample. */
Test(image_gradient, is_finite_where_a_formula_has_an_edge)
{
    for (size_t m = 0; m < N_MEASURES; m++)
        for (int k = 0; k < 6; k++) {
            PictureRun run;
            int64_t count;

            picture_run_open(&run, 1, 1, measures[m].h, measures[m].w);
            count = tensor_count(run.estimate);
            for (int64_t i = 0; i < count; i++) {
                float *x = &run.target->data[i], *y = &run.estimate->data[i];

                *x = k == 0 ? 0.0f : k == 1 ? 0.5f : k == 2 ? *x : k == 3 ? (float)(i / measures[m].w % 2) : k == 4 ? 0.3f : *x;
                *y = k == 0 ? *y : k == 1 ? 0.5f : k == 2 ? 0.25f : k == 3 ? 1.0f - *x : k == 4 ? 0.3f : -3.0f * *x;
            }
            if (k == 1 || k == 4)
                run.estimate->data[count / 2] += k == 1 ? 0.25f : 1e-6f;
            picture_run_loss(&run, measures[m].name, NULL);
            cr_assert(isfinite(run.value->data[0]), "%s, case %d: %g", measures[m].name, k, (double)run.value->data[0]);
            for (int64_t i = 0; i < count; i++)
                cr_assert(isfinite(run.estimate->grad[i]), "%s, case %d: gradient %lld is %g", measures[m].name, k, (long long)i,
                          (double)run.estimate->grad[i]);
            picture_run_close(&run);
        }
}
