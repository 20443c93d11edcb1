/* image_metric.c - the table of image metrics.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/image_metric.h"

#include <math.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/base/text.h"
#include "losses/butteraugli.h"
#include "losses/colour_metric.h"
#include "losses/dss.h"
#include "losses/feature_loss.h"
#include "losses/fsim.h"
#include "losses/gmsd.h"
#include "losses/haarpsi.h"
#include "losses/iw_ssim.h"
#include "losses/mdsi.h"
#include "losses/nlpd.h"
#include "losses/pixel_loss.h"
#include "losses/psnr_hvs.h"
#include "losses/spectral_norm.h"
#include "losses/ssim_loss.h"
#include "losses/ssimulacra2.h"
#include "losses/vif.h"
#include "losses/vsi.h"

static double mean_square(const ImagePair *pair)
{
    const int64_t n = 3 * pair->h * pair->w;
    double total = 0.0;

    for (int64_t i = 0; i < n; i++) {
        const double d = (double)pair->dist[i] - (double)pair->ref[i];

        total += d * d;
    }
    return total / (double)n;
}

static RsdStatus psnr(double *value, const ImagePair *pair, RsdError *err)
{
    (void)err;
    *value = -10.0 * log10(mean_square(pair));
    return RSD_OK;
}

static RsdStatus mse(double *value, const ImagePair *pair, RsdError *err)
{
    (void)err;
    *value = mean_square(pair);
    return RSD_OK;
}

#define SIMILARITY(function, parameters) .measure = function, .params = parameters, .offset = 1.0, .scale = -1.0
#define DISTANCE(function, parameters) .measure = function, .params = parameters, .scale = 1.0

#define PER_PIXEL "a pass over the pixels"
#define FILTERS "some filters per pixel"
#define NETWORK(kmac) "a network once for each picture: " #kmac " kMAC per pixel"
#define LPIPS_FORMULA "sum over taps of mean w (F' / |F'| - F / |F|)^2"

static const ImageMetric metrics[] = {
    {"psnr", "PSNR", "dB", "peak signal-to-noise ratio of all RGB samples", "-10 log10 mse", "0 to infinity (equal)", "", true,
     2, 1, .on_arrays = psnr,
     .cost = PER_PIXEL, .usual = true, .by_channel = true},
    {"mse", "MSE", "", "mean squared difference of all RGB samples", "mean d^2", "0 to 1", "", false, 6, 1, .on_arrays = mse,
     .cost = PER_PIXEL, .by_channel = true},
    {"l1", "L1", "", "mean absolute difference of all RGB samples", "mean |d|", "0 to 1", "", false, 5, 1,
     DISTANCE(measure_l1, NULL),
     .cost = PER_PIXEL, .by_channel = true},
    {"ssim", "SSIM", "", "structural similarity, Gaussian window of 11 at full size, mean of R, G and B", "mean SSIM",
     "-1 to 1", "", true, 4, SSIM_MIN_SIDE, SIMILARITY(measure_ssim, NULL),
     .cost = FILTERS, .usual = true, .by_channel = true},
    {"ms_ssim", "MS-SSIM", "", "structural similarity at five scales, mean of R, G and B", "prod CS_i^w_i", "0 to 1", "", true,
     4, MS_SSIM_MIN_SIDE(5), SIMILARITY(measure_ms_ssim, &(const MsSsimParams){.n_scales = 5}),
     .cost = FILTERS, .usual = true, .by_channel = true},
    {"gmsd", "GMSD", "", "deviation of the similarity of gradient magnitudes", "std S(|grad x|, |grad y|)", "0 to 0.5", "",
     false, 4, 2, DISTANCE(measure_gmsd, NULL),
     .cost = FILTERS, .usual = true},
    {"ms_gmsd", "MS-GMSD", "", "the same at four scales", "sqrt(sum w_i var S_i)", "0 to 0.5", "", false, 4, MS_GMSD_MIN_SIDE,
     DISTANCE(measure_ms_gmsd, NULL),
     .cost = FILTERS},
    {"haarpsi", "HaarPSI", "", "Haar wavelet-based perceptual similarity", "(logit(sum W l(s) / sum W) / 4.2)^2", "0 to 1", "",
     true, 4, HAARPSI_MIN_SIDE, SIMILARITY(measure_haarpsi, NULL),
     .cost = FILTERS, .usual = true},
    {"mdsi", "MDSI", "", "deviation of the similarity of gradients and colours", "(mean |q - mean q|)^(1/4)", "0 to 1", "",
     false, 4, 1, DISTANCE(measure_mdsi, NULL),
     .cost = FILTERS},
    {"vif", "VIFp", "", "visual information fidelity in the pixel domain", "information kept / information", "0 to 1, more for "
     "enhanced contrast", "", true, 4, VIF_MIN_SIDE, SIMILARITY(measure_vif, NULL),
     .cost = FILTERS},
    {"dss", "DSS", "", "similarity of DCT sub-bands", "sum w_b (mean of the worst 5 % of S_b)", "0 to 1", "", true, 4,
     DSS_MIN_SIDE, SIMILARITY(measure_dss, NULL),
     .cost = FILTERS},
    {"nlpd", "NLPD", "", "normalised Laplacian pyramid distance", "mean over levels of RMSE", "0 and up", "", false, 4,
     NLPD_MIN_SIDE, DISTANCE(measure_nlpd, NULL),
     .cost = FILTERS},
    {"lpips", "LPIPS", "", "LPIPS 0.1 through SqueezeNet", LPIPS_FORMULA, "0 and up", "squeeze lpips_squeeze", false, 4, 17,
     DISTANCE(measure_lpips, &(const FeaturePlan){FEATURES_SQUEEZE}),
     .cost = NETWORK(7), .usual = true},
    {"lpips_alex", "LPIPS (alex)", "", "LPIPS 0.1 through AlexNet", LPIPS_FORMULA, "0 and up", "alex lpips_alex", false, 4, 31,
     DISTANCE(measure_lpips, &(const FeaturePlan){FEATURES_ALEX}),
     .cost = NETWORK(13)},
    {"lpips_vgg", "LPIPS (vgg)", "", "LPIPS 0.1 through VGG16", LPIPS_FORMULA, "0 and up", "vgg16 lpips_vgg", false, 4, 16,
     DISTANCE(measure_lpips, &(const FeaturePlan){FEATURES_VGG16}),
     .cost = NETWORK(306)},
    {"dists", "DISTS", "", "structure and texture through VGG16, pictures not resized", "sum alpha (1 - l) + beta (1 - s)",
     "0 to 1", "vgg16 dists", false, 4, 16, DISTANCE(measure_dists, NULL),
     .cost = NETWORK(306), .usual = true},
    {"ssimulacra2", "SSIMULACRA 2", "", "structure, ringing and blur in XYB at six scales, version 2.1",
     "100 - 10 v^0.63 of 108 weighted norms", "100 (equal) down, below 0 for bad", "", true, 2, SSIMULACRA2_MIN_SIDE,
     .measure = measure_ssimulacra2, .offset = 100.0, .scale = -100.0,
     .cost = "filters at six scales", .usual = true},
    {"ciede2000", "CIEDE2000", "", "mean CIEDE2000 colour difference", "mean dE00", "0 to about 100", "", false, 3, 1,
     .on_arrays = metric_ciede2000,
     .cost = "powers and angles of each pixel, in double"},
    {"ergas", "ERGAS", "", "relative error of the channels, at equal resolution", "100 sqrt(mean (RMSE / mean)^2)", "0 and up",
     "", false, 3, 1, .on_arrays = metric_ergas,
     .cost = PER_PIXEL},
    {"sam", "SAM", "degrees", "mean angle between the colours as vectors", "mean angle(x, y)", "0 to 180", "", false, 3, 1,
     .on_arrays = metric_spectral_angle,
     .cost = PER_PIXEL},
    {"fsim", "FSIM", "", "similarity of phase congruency and gradients", "sum PC S_PC S_G / sum PC", "0 to 1", "", true, 4,
     FSIM_MIN_SIDE, .on_arrays = metric_fsim,
     .cost = "Fourier transforms in double"},
    {"fsimc", "FSIMc", "", "the same and of chroma", "sum PC S_PC S_G (S_I S_Q)^0.03 / sum PC", "0 to 1", "", true, 4,
     FSIM_MIN_SIDE, .on_arrays = metric_fsimc,
     .cost = "Fourier transforms in double"},
    {"vsi", "VSI", "", "similarity of saliency, gradients and colours", "sum V S_V S_G^0.4 (S_M S_N)^0.02 / sum V", "0 to 1", "",
     true, 4, VSI_MIN_SIDE, .on_arrays = metric_vsi,
     .cost = "Fourier transforms in double"},
    {"iw_ssim", "IW-SSIM", "", "structural similarity at five scales, weighted by information content",
     "prod (sum w_i CS_i / sum w_i)^v_i", "0 to 1", "", true, 4, IW_SSIM_MIN_SIDE, .on_arrays = metric_iw_ssim,
     .cost = "filters and a matrix of 10 x 10 at each scale"},
    {"psnr_hvs_m", "PSNR-HVS-M", "dB", "PSNR weighted by contrast sensitivity, less what the picture masks",
     "-10 log10 (0.8 Y + 0.1 Cb + 0.1 Cr)", "0 to infinity (equal)", "", true, 2, PSNR_HVS_MIN_SIDE,
     .on_arrays = metric_psnr_hvs_m,
     .cost = "two transforms of 8 x 8 for each 49 pixels, three planes"},
    {"spectral_norm", "spectral norm", "", "largest singular value of the error, over the root of its size; mean of R, G and B",
     "mean |D|_2 / sqrt(h w)", "0 to 1", "", false, 5, 1, .on_arrays = metric_spectral_norm,
     .cost = "passes over the picture until the norm stands still"},
    {"butteraugli", "Butteraugli", "", "the most visible difference of any pixel, by receptors, bands and masking, as libjxl 0.7",
     "max d", "0 (equal) and up, 1 is just noticeable", "", false, 3, BUTTERAUGLI_MIN_SIDE, .on_arrays = metric_butteraugli,
     .cost = "blurs and lines in four bands at two sizes"},
    {"butteraugli_3norm", "Butteraugli 3", "", "3-norm of the same map of differences",
     "mean of (mean d^p)^(1/p), p = 3, 6, 12", "0 (equal) and up", "", false, 3, BUTTERAUGLI_MIN_SIDE,
     .on_arrays = metric_butteraugli_3norm,
     .cost = "blurs and lines in four bands at two sizes"},
};

const ImageMetric *image_metric_at(size_t i)
{
    return i < sizeof metrics / sizeof metrics[0] ? &metrics[i] : NULL;
}

const ImageMetric *image_metric_find(const char *name)
{
    for (size_t i = 0; i < sizeof metrics / sizeof metrics[0]; i++)
        if (text_is_name(name, metrics[i].name))
            return &metrics[i];
    return NULL;
}

static RsdStatus check_finite(const float *x, const ImagePair *pair, const char *which, RsdError *err)
{
    static const char *const channels[] = {"red", "green", "blue"};

    for (int64_t i = 0; i < 3 * pair->h * pair->w; i++)
        if (!isfinite(x[i])) {
            const int64_t at = i % (pair->h * pair->w);

            return error_set(err, RSD_ERR_NUMERIC, "%s at column %lld of row %lld of the %s picture is %s",
                             channels[i / (pair->h * pair->w)], (long long)(at % pair->w), (long long)(at / pair->w), which,
                             isnan(x[i]) ? "not a number" : "infinite");
        }
    return RSD_OK;
}

/* The samples themselves, extended where they are too small. */
static RsdStatus run_on_arrays(MetricValue *out, const ImageMetric *metric, const ImagePair *pair, Tape *tape, RsdError *err)
{
    const int64_t shape[] = {1, 3, pair->h, pair->w};
    ImagePair with_threads = *pair;
    Tensor *ref, *dist;
    RsdStatus status = RSD_OK;

    with_threads.threads = tape->threads;
    if (pair->h >= metric->min_side && pair->w >= metric->min_side)
        return metric->on_arrays(&out->value, &with_threads, err);
    tape_reset(tape);
    tape->recording = false;
    TRY(tape_input(tape, &ref, 4, shape, pair->ref, err));
    TRY(tape_input(tape, &dist, 4, shape, pair->dist, err));
    TRY(image_prepare(tape, metric->min_side, &ref, &dist, NULL, err));
    TRY(metric->on_arrays(&out->value, &(ImagePair){ref->data, dist->data, ref->shape[2], ref->shape[3], tape->threads},
                          err));
    out->flags |= METRIC_TOO_SHORT;
fail:
    tape_reset(tape);
    return status;
}

static RsdStatus run_measure(MetricValue *out, const ImageMetric *metric, const ImagePair *pair, const ImageNets *nets,
                             Tape *tape, RsdError *err)
{
    const int64_t shape[] = {1, 3, pair->h, pair->w};
    Tensor *ref, *dist, *value;
    bool was_small;
    RsdStatus status = RSD_OK;

    tape_reset(tape);
    tape->recording = false;
    TRY(tape_input(tape, &ref, 4, shape, pair->ref, err));
    TRY(tape_input(tape, &dist, 4, shape, pair->dist, err));
    TRY(image_prepare(tape, metric->min_side, &ref, &dist, &was_small, err));
    TRY(metric->measure(tape, metric->params, nets, ref, dist, &value, err));
    out->value = metric->offset + metric->scale * (double)value->data[0];
    out->flags |= was_small ? METRIC_TOO_SHORT : 0u;
fail:
    tape_reset(tape);
    return status;
}

RsdStatus image_metric_apply(MetricValue *out, const ImageMetric *metric, const ImagePair *pair, const ImageNets *nets,
                             Tape *tape, RsdError *err)
{
    const size_t size = (size_t)(3 * pair->h * pair->w) * sizeof(float);
    RsdStatus status = RSD_OK;

    CHECK(pair->h >= 1 && pair->w >= 1, err, RSD_ERR_ARG, "metric %s of a picture of %lld x %lld pixels", metric->name,
          (long long)pair->w, (long long)pair->h);
    status = image_nets_check(nets, metric->needs, err);
    if (status != RSD_OK)
        return error_prefix(err, status, "metric %s", metric->name);
    TRY(check_finite(pair->ref, pair, "reference", err));
    TRY(check_finite(pair->dist, pair, "distorted", err));
    out->flags = memcmp(pair->ref, pair->dist, size) == 0 ? METRIC_IDENTICAL : 0u;
    if (metric->on_arrays)
        TRY(run_on_arrays(out, metric, pair, tape, err));
    else
        TRY(run_measure(out, metric, pair, nets, tape, err));
fail:
    return status;
}

RsdStatus image_metric_channels(MetricValue each[3], const ImageMetric *metric, const ImagePair *pair, Tape *tape, RsdError *err)
{
    const size_t n = (size_t)(pair->h * pair->w);
    float *grey = NULL; /* one channel of both pictures, three times */
    RsdStatus status = RSD_OK;

    for (int c = 0; c < 3; c++)
        each[c] = (MetricValue){.flags = METRIC_NOT_APPLICABLE};
    if (!metric->by_channel)
        return RSD_OK;
    TRY(mem_alloc(&grey, 6 * n, sizeof *grey, err));
    for (size_t c = 0; c < 3; c++) {
        for (size_t i = 0; i < 3; i++) {
            memcpy(grey + i * n, pair->ref + c * n, n * sizeof *grey);
            memcpy(grey + (3 + i) * n, pair->dist + c * n, n * sizeof *grey);
        }
        TRY(image_metric_apply(&each[c], metric, &(ImagePair){grey, grey + 3 * n, pair->h, pair->w, NULL}, NULL, tape, err));
    }
fail:
    mem_free(&grey);
    return status;
}
