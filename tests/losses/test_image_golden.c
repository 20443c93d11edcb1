/* test_image_golden.c - values and gradients of every image measure against numbers from the published code.
 *
 * golden/losses_image: pairs of pictures, values and gradients in double precision by the reference implementations, each
 * with its tolerance in the index; see "about", "cases" and "edges" there. A measure of ours returns 1 - s for a similarity s
 * and -PSNR for PSNR: the table below states sign and offset. Gradients: at least 99.8 % of the samples within
 * tolerance_grad of the largest, and the relative L2 difference within tolerance_grad_l2, as the index says.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/shared.h"

#include <math.h>
#include <unistd.h>

#include "engine/base/mem.h"
#include "tests/losses/hashed_net.h"
#include "tests/losses/pictures.h"

#define FOLDER "golden/losses_image/"
#define SHARE_WITHIN 0.998

/* The name in the index, ours, and value = offset + scale loss. */
static const struct {
    const char *golden, *loss, *metric;
    double offset, scale;
} names[] = {
    {"mse", "mse", "mse", 0, 1},
    {"l1", "l1", "l1", 0, 1},
    {"psnr", "psnr", "psnr", 0, -1},
    {"charbonnier", "charbonnier", NULL, 0, 1},
    {"tv_l1", "tv_l1", NULL, 0, 1},
    {"tv_l2", "tv_l2", NULL, 0, 1},
    {"tv_l2_squared", "tv_l2_squared", NULL, 0, 1},
    {"ssim", "ssim", "ssim", 1, -1},
    {"ms_ssim", "ms_ssim", "ms-ssim", 1, -1},
    {"gmsd", "gmsd", "gmsd", 0, 1},
    {"ms_gmsd", "ms_gmsd", "ms_gmsd", 0, 1},
    {"haarpsi", "haarpsi", "haarpsi", 1, -1},
    {"mdsi", "mdsi", "mdsi", 0, 1},
    {"vif_p", "vif", "vif", 1, -1},
    {"dss", "dss", "dss", 1, -1},
    {"nlpd", "nlpd", "nlpd", 0, 1},
    {"ffl", "ffl", NULL, 0, 1},
    {"ffl_alpha0p5", "ffl_alpha0p5", NULL, 0, 1},
    {"ffl_log", "ffl_log", NULL, 0, 1},
    {"ffl_patch2", "ffl_patch2", NULL, 0, 1},
    {"lpips_squeeze", "lpips_squeeze", "lpips", 0, 1},
    {"lpips_alex_hash", "lpips_alex", "lpips-alex", 0, 1},
    {"lpips_vgg_hash", "lpips_vgg", "lpips-vgg", 0, 1},
    {"dists_hash", "dists", "dists", 0, 1},
    {"vgg16_content", "vgg16_content", NULL, 0, 1},
    {"vgg16_style", "vgg16_style", NULL, 0, 1},
    {"vgg16_div8_content", "vgg16_content", NULL, 0, 1},
    {"vgg16_div8_style", "vgg16_style", NULL, 0, 1},
};

#define N_NAMES (sizeof names / sizeof names[0])

static bool needs_nets(size_t name)
{
    return image_loss_find(names[name].loss)->needs[0] != '\0';
}

static void load(Npy *npy, const char *file)
{
    char relative[128];
    SharedPath path;

    snprintf(relative, sizeof relative, FOLDER "%s", file);
    npy_load(npy, shared_path(&path, relative));
}

static const char *text_of(const json_t *entry, const char *key)
{
    return json_string_value(json_object_get(entry, key));
}

static double number_of(const json_t *entry, const char *key)
{
    cr_assert(json_is_number(json_object_get(entry, key)), "no number %s", key);
    return json_number_value(json_object_get(entry, key));
}

static void open_pair(PictureRun *run, const Npy *ref, const Npy *dist)
{
    picture_run_open(run, 2, 1, ref->shape[1], ref->shape[2]);
    memcpy(run->target->data, ref->f32, (size_t)ref->count * sizeof(float));
    memcpy(run->estimate->data, dist->f32, (size_t)dist->count * sizeof(float));
}

static void expect_gradient(const char *what, const float *got, double scale, const json_t *entry)
{
    Npy expected;
    double difference = 0.0, norm = 0.0, worst = 0.0;
    const double allowed = number_of(entry, "tolerance_grad") * number_of(entry, "grad_absmax");
    int64_t n_within = 0;

    load(&expected, text_of(entry, "grad"));
    for (int64_t i = 0; i < expected.count; i++) {
        const double d = scale * (double)got[i] - expected.f64[i];

        n_within += fabs(d) <= allowed;
        worst = fmax(worst, fabs(d));
        difference += d * d;
        norm += expected.f64[i] * expected.f64[i];
    }
    cr_expect((double)n_within >= SHARE_WITHIN * (double)expected.count,
              "%s: only %lld of %lld gradient samples within %.3g; the worst differs by %.3g", what, (long long)n_within,
              (long long)expected.count, allowed, worst);
    cr_expect(sqrt(difference) <= number_of(entry, "tolerance_grad_l2") * sqrt(norm),
              "%s: relative L2 difference of the gradient %.3g, allowed %.3g", what, sqrt(difference / norm),
              number_of(entry, "tolerance_grad_l2"));
    npy_free(&expected);
}

static void check_case(size_t name, const json_t *entry, const ImageNets *nets)
{
    PictureRun run;
    Npy ref, dist;
    char what[64];
    const double expected = number_of(entry, "value"), tolerance = number_of(entry, "tolerance_value_rel");
    double got;

    snprintf(what, sizeof what, "%s of pair %s", names[name].golden, text_of(entry, "pair"));
    load(&ref, text_of(entry, "ref"));
    load(&dist, text_of(entry, "dist"));
    open_pair(&run, &ref, &dist);
    picture_run_loss(&run, names[name].loss, nets);
    got = names[name].offset + names[name].scale * (double)run.value->data[0];
    cr_expect(fabs(got - expected) <= tolerance * fabs(expected), "%s: %.9g, expected %.9g, relative difference %.2g, allowed "
              "%.2g", what, got, expected, fabs(got / expected - 1), tolerance);
    if (text_of(entry, "grad"))
        expect_gradient(what, run.estimate->grad, names[name].scale, entry);
    if (names[name].metric) {
        const ImagePair pair = {ref.f32, dist.f32, ref.shape[1], ref.shape[2]};
        MetricValue value;
        RsdError err = {0};

        ASSERT_OK(image_metric_apply(&value, image_metric_find(names[name].metric), &pair, nets, run.tape, &err), err);
        cr_expect(fabs(value.value - expected) <= tolerance * fabs(expected), "metric %s: %.9g, expected %.9g", what,
                  value.value, expected);
    }
    npy_free(&ref);
    npy_free(&dist);
    picture_run_close(&run);
}

static void check_named(const char *golden, const ImageNets *nets)
{
    SharedPath path;
    json_t *index = json_file_load(shared_path(&path, FOLDER "index.json")), *entry;
    size_t i, n_cases = 0, name = 0;

    while (name < N_NAMES && strcmp(names[name].golden, golden))
        name++;
    cr_assert_lt(name, N_NAMES);
    json_array_foreach (json_object_get(index, "cases"), i, entry)
        if (strcmp(text_of(entry, "metric"), golden) == 0) {
            check_case(name, entry, nets);
            n_cases++;
        }
    cr_assert_gt(n_cases, 0, "no case of %s in the index", golden);
    json_decref(index);
}

/* --- equal, flat, black and inverted pictures --------------------------------------------------------------------------- */

static void fill_edge_case(PictureRun *run, const char *which, const Npy *c_ref)
{
    float *x = run->target->data, *y = run->estimate->data;

    for (int64_t i = 0; i < c_ref->count; i++) {
        if (strcmp(which, "flat") == 0) {
            x[i] = 0.5f;
            y[i] = 0.6f;
        } else if (strcmp(which, "black") == 0) {
            x[i] = y[i] = 0.0f;
        } else {
            x[i] = c_ref->f32[i];
            y[i] = strcmp(which, "equal") == 0 ? x[i] : 1.0f - x[i];
        }
    }
}

static void check_edge_case(size_t name, const json_t *entry, const Npy *c_ref, const ImageNets *nets)
{
    const char *which = text_of(entry, "case");
    const json_t *value = json_object_get(entry, "value");
    const bool finite = json_is_true(json_object_get(entry, "reference_gradient_finite"));
    const bool same = strcmp(which, "equal") == 0 || strcmp(which, "black") == 0;
    PictureRun run;
    double got, largest = 0.0;

    picture_run_open(&run, 2, 1, c_ref->shape[1], c_ref->shape[2]);
    fill_edge_case(&run, which, c_ref);
    picture_run_loss(&run, names[name].loss, nets);
    got = names[name].offset + names[name].scale * (double)run.value->data[0];
    if (json_is_number(value)) /* else the reference has infinity */
        cr_expect(fabs(got - json_number_value(value)) <= 2e-5 * fabs(json_number_value(value)) + 1e-6,
                  "%s of %s pictures: %.9g, expected %.9g", names[name].golden, which, got, json_number_value(value));
    else
        cr_expect(fabs(got - 1.0) <= 1e-6, "%s of %s pictures: %.9g, expected 1", names[name].golden, which, got);
    for (int64_t i = 0; i < c_ref->count; i++) {
        cr_assert(isfinite(run.estimate->grad[i]), "%s of %s pictures: gradient %g", names[name].golden, which,
                  (double)run.estimate->grad[i]);
        largest = fmax(largest, fabs((double)run.estimate->grad[i]));
    }
    /* For a picture and its negative every coefficient of HaarPSI's weights is a tie up to rounding, and the reference gives
     * half of the gradient to each. The bands of flat pictures in NLPD are rounding errors, of 1e-17 in the reference, and a
     * root mean square of them has a slope of its own. In features of flat pictures every maximum of a pool is a tie up to
     * rounding. */
    if (finite && !(strcmp(which, "inverted") == 0 && strcmp(names[name].golden, "haarpsi") == 0) &&
        !(strcmp(which, "flat") == 0 && (strcmp(names[name].golden, "nlpd") == 0 || needs_nets(name))))
        cr_expect(fabs(largest - number_of(entry, "grad_absmax")) <= 2e-3 * number_of(entry, "grad_absmax") + 1e-9,
                  "%s of %s pictures: largest gradient %.6g, expected %.6g", names[name].golden, which, largest,
                  number_of(entry, "grad_absmax"));
    else if (!finite && same)
        cr_expect(largest == 0.0, "%s of %s pictures: largest gradient %.6g", names[name].golden, which, largest);
    picture_run_close(&run);
}

/* Of all measures whose networks are loaded. */
static void check_edge_cases(const ImageNets *nets, size_t n_expected)
{
    SharedPath path;
    json_t *index = json_file_load(shared_path(&path, FOLDER "index.json")), *entry;
    size_t i, n_cases = 0;
    Npy c_ref;

    load(&c_ref, "img_C_ref.npy");
    json_array_foreach (json_object_get(index, "edges"), i, entry)
        for (size_t name = 0; name < N_NAMES; name++)
            if (strcmp(names[name].golden, text_of(entry, "metric")) == 0 && needs_nets(name) == (nets != NULL) &&
                image_nets_check(nets, image_loss_find(names[name].loss)->needs, NULL) == RSD_OK) {
                check_edge_case(name, entry, &c_ref, nets);
                n_cases++;
            }
    cr_assert_geq(n_cases, n_expected);
    npy_free(&c_ref);
    json_decref(index);
}

Test(image_golden, equal_flat_black_and_inverted_pictures)
{
    NEED_SHARED(FOLDER "index.json");
    check_edge_cases(NULL, 32);
}

/* Metrics that have no loss. */
Test(image_golden, values_of_fsim_vsi_and_iw_ssim)
{
    static const char *const pairs[][2] = {{"fsim", "fsimc"}, {"vsi", "vsi"}, {"iw_ssim", "iw-ssim"}};
    SharedPath path;
    json_t *index, *entry;
    RsdThreads *threads;
    Tape *tape;
    size_t i, n_cases = 0;
    RsdError err = {0};

    NEED_SHARED(FOLDER "index.json");
    index = json_file_load(shared_path(&path, FOLDER "index.json"));
    ASSERT_OK(rsd_threads_create(&threads, 1, &err), err);
    ASSERT_OK(tape_create(&tape, threads, 0, &err), err);
    json_array_foreach (json_object_get(index, "cases"), i, entry)
        for (size_t k = 0; k < sizeof pairs / sizeof pairs[0]; k++) {
            const double expected = number_of(entry, "value");
            MetricValue value;
            Npy ref, dist;

            if (strcmp(text_of(entry, "metric"), pairs[k][0]) != 0)
                continue;
            load(&ref, text_of(entry, "ref"));
            load(&dist, text_of(entry, "dist"));
            ASSERT_OK(image_metric_apply(&value, image_metric_find(pairs[k][1]),
                                         &(ImagePair){ref.f32, dist.f32, ref.shape[1], ref.shape[2]}, NULL, tape, &err), err);
            cr_expect(fabs(value.value - expected) <= number_of(entry, "tolerance_value_rel") * expected,
                      "%s of pair %s: %.9g, expected %.9g", pairs[k][0], text_of(entry, "pair"), value.value, expected);
            npy_free(&ref);
            npy_free(&dist);
            n_cases++;
        }
    cr_assert_eq(n_cases, 5);
    tape_destroy(&tape);
    rsd_threads_destroy(&threads);
    json_decref(index);
}

Test(image_golden, values_and_gradients_of_pixel_measures)
{
    NEED_SHARED(FOLDER "index.json");
    for (size_t i = 0; i < N_NAMES; i++)
        if (!needs_nets(i))
            check_named(names[i].golden, NULL);
}

/* --- networks ----------------------------------------------------------------------------------------------------------- */

static ImageNets *open_nets(void)
{
    ImageNets *nets;
    RsdError err = {0};

    ASSERT_OK(image_nets_create(&nets, &err), err);
    return nets;
}

static void load_net(ImageNets *nets, const char *name, const char *relative)
{
    SharedPath path;
    RsdError err = {0};

    ASSERT_OK(image_nets_load(nets, name, shared_path(&path, relative), &err), err);
}

/* Weights by the rule of the index, loaded as a user's file would be. */
static void load_hashed(ImageNets *nets, const char *name, const HashedConv *convs, uint64_t seed)
{
    char path[64];
    RsdError err = {0};

    snprintf(path, sizeof path, "/tmp/residua-net-%d.safetensors", (int)getpid());
    hashed_net_write(path, convs, seed);
    ASSERT_OK(image_nets_load(nets, name, path, &err), err);
    unlink(path);
}

#define LINEAR "weights/lpips_linear_v0.1.safetensors"

Test(image_golden, lpips_through_the_real_squeezenet)
{
    ImageNets *nets;

    NEED_SHARED(FOLDER "index.json");
    NEED_SHARED("weights/squeezenet1_1_f16.safetensors");
    nets = open_nets();
    load_net(nets, "squeeze", "weights/squeezenet1_1_f16.safetensors");
    load_net(nets, "lpips_squeeze", LINEAR);
    check_named("lpips_squeeze", nets);
    check_edge_cases(nets, 4);
    image_nets_destroy(&nets);
}

Test(image_golden, lpips_through_alexnet)
{
    ImageNets *nets;

    NEED_SHARED(FOLDER "index.json");
    nets = open_nets();
    load_hashed(nets, "alex", hashed_alex, HASHED_ALEX_SEED);
    load_net(nets, "lpips_alex", LINEAR);
    check_named("lpips_alex_hash", nets);
    image_nets_destroy(&nets);
}

Test(image_golden, lpips_dists_content_and_style_through_vgg16, .timeout = 300)
{
    ImageNets *nets;

    NEED_SHARED(FOLDER "index.json");
    nets = open_nets();
    load_hashed(nets, "vgg16", hashed_vgg16, HASHED_VGG16_SEED);
    load_net(nets, "lpips_vgg", LINEAR);
    load_net(nets, "dists", "weights/dists_alpha_beta.safetensors");
    check_named("lpips_vgg_hash", nets);
    check_named("dists_hash", nets);
    check_named("vgg16_content", nets);
    check_named("vgg16_style", nets);
    check_edge_cases(nets, 8);
    image_nets_destroy(&nets);
}

Test(image_golden, content_and_style_through_a_thin_vgg16)
{
    ImageNets *nets;

    NEED_SHARED(FOLDER "vgg16_div8.safetensors");
    nets = open_nets();
    load_net(nets, "vgg16", FOLDER "vgg16_div8.safetensors");
    check_named("vgg16_div8_content", nets);
    check_named("vgg16_div8_style", nets);
    image_nets_destroy(&nets);
}

Test(image_golden, a_missing_network_is_named_with_its_source)
{
    ImageNets *nets = open_nets();
    ImageLoss *loss;
    RsdError err = {0};

    ASSERT_FAILS(image_loss_create(&loss, "lpips_squeeze", nets, &err), RSD_ERR_ARG, err, "squeezenet1_1-b8a52dc0.pth");
    ASSERT_FAILS(image_loss_create(&loss, "dists", NULL, &err), RSD_ERR_ARG, err, "image loss dists: the weights 'vgg16'");
    ASSERT_FAILS(image_nets_load(nets, "resnet", "x", &err), RSD_ERR_ARG, err, "known are squeeze");
    ASSERT_FAILS(image_nets_load(nets, "squeeze", "/nonexistent/x.pth", &err), RSD_ERR_IO, err, "/nonexistent/x.pth");
    ASSERT_FAILS(image_nets_load(nets, "squeeze", "/nonexistent/x.pth", &err), RSD_ERR_IO, err, "squeezenet1_1-b8a52dc0.pth");
    image_nets_destroy(&nets);
}
