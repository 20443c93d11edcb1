/* image_loss.c - the table of named image losses.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/image_loss.h"

#include <string.h>

#include "engine/base/mem.h"
#include "engine/ops/reduce.h"
#include "losses/butteraugli.h"
#include "losses/colour_metric.h"
#include "losses/dss.h"
#include "losses/feature_loss.h"
#include "losses/frequency_loss.h"
#include "losses/fsim.h"
#include "losses/gmsd.h"
#include "losses/haarpsi.h"
#include "losses/image_measure.h"
#include "losses/iw_ssim.h"
#include "losses/mdsi.h"
#include "losses/nlpd.h"
#include "losses/pixel_loss.h"
#include "losses/psnr_hvs.h"
#include "losses/ssim_loss.h"
#include "losses/ssimulacra2.h"
#include "losses/vif.h"
#include "losses/vsi.h"

typedef struct Known {
    ImageLossInfo info;
    ImageMeasure measure;
    const void *params;
} Known;

struct ImageLoss {
    const Known *known;
    const ImageNets *nets;
};

#define PER_PIXEL "a pass over the pixels"
#define FILTERS "some filters per pixel"
#define LPIPS_FORMULA "sum over taps of mean w (F' / |F'| - F / |F|)^2"
#define NETWORK(kmac) "a network twice forward, once backward: " #kmac " kMAC per pixel and pass"
#define BUTTERAUGLI_COST "blurs and lines in four bands at two sizes, twice forward"
#define TRANSFORM "Fourier transforms in double"

static const Known known[] = {
    {{"mse", "mean squared difference of all samples", "mean d^2", "0 to 1", "", PER_PIXEL, 1}, measure_mse, NULL},
    {{"l1", "mean absolute difference of all samples", "mean |d|", "0 to 1", "", PER_PIXEL, 1}, measure_l1, NULL},
    {{"psnr", "negative peak signal-to-noise ratio in dB", "10 log10(mse + 1e-8)", "-80 to 0", "", PER_PIXEL, 1},
     measure_psnr, NULL},
    {{"charbonnier", "absolute difference, rounded off near 0", "mean sqrt(d^2 + 0.001^2)", "0.001 to 1", "", PER_PIXEL, 1},
     measure_charbonnier, NULL},
    {{"tv_l1", "total variation of the estimate: sum of absolute differences of neighbours", "sum |h| + sum |v|",
      "0 and up", "", PER_PIXEL, 1},
     measure_total_variation, &(const TvForm){TV_L1}},
    {{"tv_l2", "total variation of the estimate: root of the summed squares", "sqrt(sum h^2 + sum v^2)", "0 and up", "",
      PER_PIXEL, 1},
     measure_total_variation, &(const TvForm){TV_L2}},
    {{"tv_l2_squared", "total variation of the estimate: summed squares", "sum h^2 + sum v^2", "0 and up", "", PER_PIXEL, 1},
     measure_total_variation, &(const TvForm){TV_L2_SQUARED}},
    {{"ssim", "structural similarity, Gaussian window of 11", "1 - mean SSIM", "0 to 2", "", FILTERS, SSIM_MIN_SIDE},
     measure_ssim, NULL},
    {{"ms_ssim", "structural similarity at five scales", "1 - prod CS_i^w_i", "0 to 1", "", FILTERS, MS_SSIM_MIN_SIDE(5)},
     measure_ms_ssim, &(const MsSsimParams){.n_scales = 5, .as_loss = true}},
    {{"ms_ssim_4", "structural similarity at four scales, for crops from 81 pixels", "1 - prod CS_i^w_i", "0 to 1", "",
      FILTERS, MS_SSIM_MIN_SIDE(4)},
     measure_ms_ssim, &(const MsSsimParams){.n_scales = 4, .as_loss = true}},
    {{"ms_ssim_3", "structural similarity at three scales, for crops from 41 pixels", "1 - prod CS_i^w_i", "0 to 1", "",
      FILTERS, MS_SSIM_MIN_SIDE(3)},
     measure_ms_ssim, &(const MsSsimParams){.n_scales = 3, .as_loss = true}},
    {{"ms_ssim_l1", "structural similarity at five scales mixed with the absolute difference",
      "0.84 (1 - MS-SSIM) + 0.16 mean |d|", "0 to 1", "", FILTERS, MS_SSIM_MIN_SIDE(5)},
     measure_ms_ssim, &(const MsSsimParams){.n_scales = 5, .as_loss = true, .l1_share = 0.16f}},
    {{"gmsd", "deviation of the similarity of gradient magnitudes", "std S(|grad x|, |grad y|)", "0 to 0.5", "", FILTERS, 2},
     measure_gmsd, NULL},
    {{"ms_gmsd", "the same at four scales", "sqrt(sum w_i var S_i)", "0 to 0.5", "", FILTERS, MS_GMSD_MIN_SIDE},
     measure_ms_gmsd, NULL},
    {{"haarpsi", "Haar wavelet-based perceptual similarity", "1 - HaarPSI", "0 to 1", "", FILTERS, HAARPSI_MIN_SIDE},
     measure_haarpsi, NULL},
    {{"mdsi", "deviation of the similarity of gradients and colours", "(mean |q - mean q|)^(1/4)", "0 to 1", "", FILTERS, 1},
     measure_mdsi, NULL},
    {{"vif", "visual information fidelity in the pixel domain", "1 - VIFp", "0 to 1, below 0 for more contrast", "", FILTERS,
      VIF_MIN_SIDE},
     measure_vif, NULL},
    {{"dss", "similarity of DCT sub-bands", "1 - DSS", "0 to 1", "", FILTERS, DSS_MIN_SIDE}, measure_dss, NULL},
    {{"ssimulacra2", "SSIMULACRA 2: structure, ringing and blur in XYB at six scales", "(100 - score) / 100", "0 and up, 0.1 for "
      "visually lossless", "", FILTERS, SSIMULACRA2_MIN_SIDE},
     measure_ssimulacra2, NULL},
    {{"fsim", "FSIM: similarity of phase congruency and gradients", "1 - sum PC S_PC S_G / sum PC", "0 to 1", "", TRANSFORM,
      FSIM_MIN_SIDE},
     measure_fsim, &(const FsimForm){.chromatic = false}},
    {{"fsimc", "FSIMc: the same and of chroma", "1 - sum PC S_PC S_G (S_I S_Q)^0.03 / sum PC", "0 to 1", "", TRANSFORM,
      FSIM_MIN_SIDE},
     measure_fsim, &(const FsimForm){.chromatic = true}},
    {{"vsi", "VSI: similarity of saliency, gradients and colours", "1 - sum V S_V S_G^0.4 (S_M S_N)^0.02 / sum V", "0 to 1", "",
      TRANSFORM, VSI_MIN_SIDE},
     measure_vsi, NULL},
    {{"iw_ssim", "IW-SSIM: structural similarity at five scales, weighted by information content",
      "1 - prod (sum w_i CS_i / sum w_i)^v_i", "0 to 1", "", "filters and a matrix of 10 x 10 at each scale, in double",
      IW_SSIM_MIN_SIDE},
     measure_iw_ssim, NULL},
    {{"nlpd", "normalised Laplacian pyramid distance", "mean over levels of RMSE", "0 and up", "", FILTERS, NLPD_MIN_SIDE},
     measure_nlpd, NULL},
    {{"ffl", "focal frequency loss: errors of the spectrum, weighted by themselves", "mean w |D|^2, w = |D| / max |D|",
      "0 and up", "", TRANSFORM, 1},
     measure_focal_frequency, &(const FrequencyLossParams){.focal = {.alpha = 1.0f, .patches = 1}}},
    {{"ffl_alpha0p5", "the same with weaker weights", "mean w |D|^2, w = (|D| / max |D|)^0.5", "0 and up", "", TRANSFORM, 1},
     measure_focal_frequency, &(const FrequencyLossParams){.focal = {.alpha = 0.5f, .patches = 1}}},
    {{"ffl_log", "the same with logarithmic weights", "mean w |D|^2, w = ln(1 + |D|) / max", "0 and up", "", TRANSFORM, 1},
     measure_focal_frequency, &(const FrequencyLossParams){.focal = {.alpha = 1.0f, .patches = 1, .logarithmic = true}}},
    {{"ffl_patch2", "the same in each quarter of the picture", "mean w |D|^2, w = |D| / max |D|", "0 and up", "", TRANSFORM, 2},
     measure_focal_frequency, &(const FrequencyLossParams){.focal = {.alpha = 1.0f, .patches = 2}}},
    {{"spatial_frequency", "absolute difference and focal frequency loss together", "mean |d| + mean w |D|^2", "0 and up", "",
      TRANSFORM, 1},
     measure_focal_frequency, &(const FrequencyLossParams){.focal = {.alpha = 1.0f, .patches = 1}, .l1_share = 1.0f}},
    {{"edge_direction", "magnitude and direction of gradients", "mean |m' - m| + mean m (1 - g . g' / m m')", "0 and up", "",
      FILTERS, 1},
     measure_edge_direction, NULL},
    {{"wavelet", "Haar wavelet packet bands and their local energy, high frequencies only", "sum w_b (mean |dX| + mean |dE|)",
      "0 and up", "", FILTERS, 1},
     measure_wavelet, NULL},
    {{"ergas", "relative error of the channels, at equal resolution", "100 sqrt(mean (RMSE / mean)^2)", "0 and up", "",
      PER_PIXEL, 1},
     measure_ergas, NULL},
    {{"ciede2000", "CIEDE2000 colour difference", "mean dE00", "0 to about 100, 1 is just noticeable", "",
      "powers and angles of each pixel, in double", 1},
     measure_ciede2000, NULL},
    {{"sam", "angle between the colours as vectors, in degrees", "mean angle(x, y)", "0 to 180", "", PER_PIXEL, 1},
     measure_spectral_angle, NULL},
    {{"psnr_hvs_m", "negative PSNR-HVS-M in dB: errors weighted by contrast sensitivity, less what the picture masks",
      "10 log10(0.8 Y + 0.1 Cb + 0.1 Cr + 1e-10)", "-100 to 4", "", "two transforms of 8 x 8 for each 49 pixels, three planes",
      PSNR_HVS_MIN_SIDE},
     measure_psnr_hvs_m, NULL},
    {{"butteraugli_3norm", "Butteraugli's map of visible differences, the form to train with", "mean of (mean d^p)^(1/p), p = 3, 6, 12",
      "0 and up", "", BUTTERAUGLI_COST, BUTTERAUGLI_MIN_SIDE},
     measure_butteraugli_3norm, NULL},
    {{"butteraugli", "its most visible difference alone: the slope is that of one pixel and what it depends on", "max d",
      "0 and up, 1 is just noticeable", "", BUTTERAUGLI_COST, BUTTERAUGLI_MIN_SIDE},
     measure_butteraugli, NULL},
    {{"lpips_squeeze", "LPIPS 0.1 through SqueezeNet", LPIPS_FORMULA, "0 and up", "squeeze lpips_squeeze", NETWORK(7), 17},
     measure_lpips, &(const FeaturePlan){FEATURES_SQUEEZE}},
    {{"lpips_alex", "LPIPS 0.1 through AlexNet", LPIPS_FORMULA, "0 and up", "alex lpips_alex", NETWORK(13), 31},
     measure_lpips, &(const FeaturePlan){FEATURES_ALEX}},
    {{"lpips_vgg", "LPIPS 0.1 through VGG16", LPIPS_FORMULA, "0 and up", "vgg16 lpips_vgg", NETWORK(306), 16},
     measure_lpips, &(const FeaturePlan){FEATURES_VGG16}},
    {{"dists", "structure and texture through VGG16", "sum alpha (1 - l) + beta (1 - s)", "0 to 1", "vgg16 dists",
      NETWORK(306), 16},
     measure_dists, NULL},
    {{"vgg16_content", "squared differences of relu2_2 and relu3_3 of VGG16", "sum mean (F' - F)^2", "0 and up", "vgg16",
      NETWORK(180), 16},
     measure_features, &feature_vgg16_content},
    {{"vgg16_style", "differences of Gram matrices at relu1_2, 2_2, 3_3 and 4_3 of VGG16", "sum |G' - G|^2, G = F F^T / CHW",
      "0 and up", "vgg16", NETWORK(280), 16},
     measure_features, &feature_vgg16_style},
    {{"vgg19_content", "squared differences of relu5_4 of VGG19", "mean (F' - F)^2", "0 and up", "vgg19", NETWORK(390), 16},
     measure_features, &feature_vgg19_content},
    {{"srgan", "content loss of SRGAN: the same over 12.75; its adversarial part is a discriminator's",
      "mean (F' - F)^2 / 12.75^2", "0 and up", "vgg19", NETWORK(390), 16},
     measure_features, &feature_srgan},
    {{"four_fold", "iSeeBetter without its adversarial part", "mse + 6e-3 mean (F' - F)^2 + 2e-8 TV", "0 and up", "vgg16",
      NETWORK(306), 32},
     measure_features, &feature_four_fold},
};

#define N_KNOWN (sizeof known / sizeof known[0])

const ImageLossInfo *image_loss_at(size_t i)
{
    return i < N_KNOWN ? &known[i].info : NULL;
}

static const Known *find(const char *name)
{
    for (size_t i = 0; i < N_KNOWN; i++)
        if (strcmp(known[i].info.name, name) == 0)
            return &known[i];
    return NULL;
}

const ImageLossInfo *image_loss_find(const char *name)
{
    const Known *found = find(name);

    return found ? &found->info : NULL;
}

static RsdStatus unknown_name(const char *name, RsdError *err)
{
    char names[1024] = "";

    for (size_t i = 0; i < N_KNOWN; i++) {
        if (i > 0)
            strncat(names, ", ", sizeof names - strlen(names) - 1);
        strncat(names, known[i].info.name, sizeof names - strlen(names) - 1);
    }
    return error_set(err, RSD_ERR_ARG, "there is no image loss '%.64s'; known are %s", name, names);
}

RsdStatus image_loss_create(ImageLoss **out, const char *name, const ImageNets *nets, RsdError *err)
{
    const Known *found = find(name);
    RsdStatus status = RSD_OK;

    *out = NULL;
    if (!found)
        return unknown_name(name, err);
    status = image_nets_check(nets, found->info.needs, err);
    if (status != RSD_OK)
        return error_prefix(err, status, "image loss %s", name);
    TRY(mem_calloc(out, 1, sizeof **out, err));
    (*out)->known = found;
    (*out)->nets = nets;
fail:
    return status;
}

void image_loss_destroy(ImageLoss **loss)
{
    if (*loss)
        mem_free(loss);
}

RsdStatus image_loss_apply(Tape *tape, const ImageLoss *loss, Tensor *estimate, Tensor *target, Tensor **value, RsdError *err)
{
    const Known *k = loss->known;
    RsdStatus status = RSD_OK;

    *value = NULL;
    TRY(tape_leaf(tape, target, false, &target, err));
    TRY(image_prepare(tape, k->info.min_side, &target, &estimate, NULL, err));
    TRY(k->measure(tape, k->params, loss->nets, target, estimate, value, err));
    if (tensor_count(*value) > 1)
        TRY(op_mean(tape, *value, value, err));
fail:
    return status == RSD_OK ? RSD_OK : error_prefix(err, status, "image loss %s", k->info.name);
}
