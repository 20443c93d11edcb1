/* image_start.c - the transforms of network F before any training: principal components.
 *
 * A random network takes thousands of steps to become as good as the best linear transform of 16 x 16 pixels. This one begins as
 * that transform, made scale by scale: the matrix of a scale is the leading eigenvectors of the second moments of what it reads,
 * and the decoder's is its transpose, so that what is kept comes back exactly. Blocks begin near the identity and learn the rest.
 *
 * Heads begin as what the rest of the decoder would make of their features if its blocks were the identity, averaged.
 *
 * The gains make rounding cost what it should: with steps of D in orthonormal coordinates the slope of the squared error D^2 / 12
 * against bits is 2 ln 2 D^2 / 12 (fine quantisation), and a bit of a pixel weighs as much as lambda 255^2 / 3 of its three samples'
 * squared error.
 *
 * [1] Jolliffe, Principal component analysis, 2002.   [2] Goyal, Theoretical foundations of transform coding, 2001.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/dsp/symmetric_eigen.h"
#include "engine/kernels/kernels.h"
#include "engine/kernels/point.h"
#include "models/image_net.h"
#include "models/image_prior.h"

#define BLOCK_SHARE 0.1f   /* of their random weights that the ends of blocks keep */
#define SPARE_SHARE 0.1f   /* of theirs that channels beyond the components keep */
#define MOST_DEVIATION 40.0 /* of a latent at any level, in steps: the prior's numbers end at 128 */

/* Features of all pictures, channel after channel: data [c, n_places], places in the order picture, row, column. */
typedef struct Features {
    float *data;
    int64_t c, n_pictures, side;
} Features;

static int64_t places_of(const Features *f)
{
    return f->n_pictures * f->side * f->side;
}

/* Squares of r x r places become channels, in the order of op_pixel_unshuffle. */
static RsdStatus unshuffle(const Features *in, int r, Features *out, RsdError *err)
{
    const int64_t side = in->side / r;
    RsdStatus status = RSD_OK;

    *out = (Features){.c = in->c * r * r, .n_pictures = in->n_pictures, .side = side};
    TRY(mem_alloc(&out->data, (size_t)(out->c * places_of(out)), sizeof *out->data, err));
    for (int64_t c = 0; c < out->c; c++) {
        const float *from = in->data + c / (r * r) * places_of(in) + c / r % r * in->side + c % r;
        float *to = out->data + c * places_of(out);

        for (int64_t row = 0; row < in->n_pictures * side; row++)
            for (int64_t col = 0; col < side; col++)
                *to++ = from[row * r * in->side + col * r];
    }
fail:
    return status;
}

/* Rows [n, c] of unit length, those of the greatest second moments first; moments [n]. */
static RsdStatus components(const Features *f, int64_t n, float *rows, double *moments, RsdError *err)
{
    const PointKernels *point = kernels_pick()->point;
    const int64_t places = places_of(f), c = f->c;
    double *a = NULL, *values = NULL;
    RsdStatus status = RSD_OK;

    TRY(mem_alloc(&a, (size_t)(c * c), sizeof *a, err));
    TRY(mem_alloc(&values, (size_t)c, sizeof *values, err));
    for (int64_t i = 0; i < c; i++)
        for (int64_t j = 0; j <= i; j++)
            a[i * c + j] = a[j * c + i] = point->dot(f->data + i * places, f->data + j * places, places) / (double)places;
    TRY(symmetric_eigen(a, c, values, true, err));
    for (int64_t k = 0; k < n; k++) {
        const double *vector = a + (c - 1 - k) * c;

        moments[k] = fmax(values[c - 1 - k], 0.0);
        for (int64_t i = 0; i < c; i++)
            rows[k * c + i] = (float)vector[i];
    }
fail:
    mem_free(&values);
    mem_free(&a);
    return status;
}

static RsdStatus project(const Features *in, const float *rows, int64_t n, Features *out, RsdError *err)
{
    const PointKernels *point = kernels_pick()->point;
    const int64_t places = places_of(in);
    RsdStatus status = RSD_OK;

    *out = (Features){.c = n, .n_pictures = in->n_pictures, .side = in->side};
    TRY(mem_calloc(&out->data, (size_t)(n * places), sizeof *out->data, err));
    for (int64_t k = 0; k < n; k++)
        for (int64_t i = 0; i < in->c; i++)
            point->scale(in->data + i * places, rows[k * in->c + i], out->data + k * places, places, true);
fail:
    return status;
}

static void shrink_weights(Conv2dLayer *layer, float share)
{
    for (int64_t i = 0; i < tensor_count(layer->weight); i++)
        layer->weight->data[i] *= share;
}

/* Weight of output `row` and input `column` in the middle of the kernel. */
static float *middle(Conv2dLayer *layer, int64_t row, int64_t column)
{
    const int taps = layer->kernel * layer->kernel;

    return layer->weight->data + (row * layer->c_in + column) * taps + taps / 2;
}

static void clear_row(Conv2dLayer *layer, int64_t row)
{
    const int64_t n = tensor_count(layer->weight) / layer->c_out;

    memset(layer->weight->data + row * n, 0, (size_t)n * sizeof *layer->weight->data);
}

/* down = gain rows, up = rows' / gain; rows [n, n_inputs]. Inputs beyond n_inputs, places of channels that are no components, are
 * not read; they and outputs beyond n keep a share of their random weights elsewhere. */
static void set_pair(Conv2dLayer *down, Conv2dLayer *up, const float *rows, int64_t n, int64_t n_inputs, float gain)
{
    shrink_weights(down, SPARE_SHARE);
    shrink_weights(up, SPARE_SHARE);
    for (int64_t k = 0; k < n; k++)
        clear_row(down, k);
    for (int64_t i = 0; i < n_inputs; i++)
        clear_row(up, i);
    for (int64_t k = 0; k < n; k++)
        for (int64_t i = 0; i < n_inputs; i++) {
            *middle(down, k, i) = gain * rows[k * n_inputs + i];
            *middle(up, i, k) = rows[k * n_inputs + i] / gain;
        }
}

static void set_identity(Conv2dLayer *layer)
{
    shrink_weights(layer, SPARE_SHARE);
    for (int64_t k = 0; k < layer->c_out && k < layer->c_in; k++) {
        clear_row(layer, k);
        *middle(layer, k, k) = 1.0f;
    }
}

static void quieten_blocks(ImageScale *scale)
{
    for (int j = 0; j < scale->n_blocks; j++)
        shrink_weights(&scale->blocks[j].out, BLOCK_SHARE);
}

/* Gains of all levels, and the prior's first scale of each latent. moments [n]: of orthonormal coordinates. */
static void set_gains(ImageNet *net, int64_t n_latents, const double *moments, int64_t n)
{
    for (int64_t c = 0; c < n && c < n_latents; c++) {
        const double deviation = sqrt(moments[c]);
        double middle_gain = 0.0;

        for (int64_t l = 0; l < IMAGE_LEVELS; l++) {
            const double step = sqrt(12.0 * 3.0 / (image_codec_lambda((int)(16 * l)) * 255.0 * 255.0 * 2.0 * log(2.0)));
            const double gain = fmin(1.0 / step, MOST_DEVIATION / fmax(deviation, 1e-9));
            const float log_gain = (float)log(gain / (double)IMAGE_START_GAIN);

            net->log_gain->data[l * n_latents + c] = net->log_inverse_gain->data[l * n_latents + c] = log_gain;
            if (l == IMAGE_LEVELS / 2)
                middle_gain = gain;
        }
        net->prior[PRIOR_OUT].bias->data[n_latents + c] = (float)fmin(
            fmax((log(fmax(deviation * middle_gain, 1e-9)) - PRIOR_LOG_SCALE_FIRST) / PRIOR_LOG_SCALE_STEP, 1.0), PRIOR_INDEX_MAX);
    }
}

/* The middle weight of the last layer for the mean of n x n of the 4 x 4 pixels of channel c, the square at (row, col). */
static float mean_of_pixels(Conv2dLayer *up, int c, int row, int col, int n, int64_t input)
{
    float sum = 0.0f;

    for (int i = 0; i < n * n; i++)
        sum += *middle(up, 16 * c + 4 * (row + i / n) + col + i % n, input);
    return sum / (float)(n * n);
}

/* Pixel `part` of 2 x 2 of channel c is that of the last layer over 2 x 2 pixels, or over 4 x 4 of what becomes of the features there. */
static void set_heads(ImageNet *net)
{
    Conv2dLayer *last = &net->decoder[0].resample, *before = &net->decoder[1].resample, *head = net->heads;

    if (net->n_heads == 0)
        return;
    for (int o = 0; o < head->c_out; o++) {
        const int c = o / 4, row = o % 4 / 2, col = o % 2;

        for (int64_t i = 0; i < head[0].c_in; i++)
            *middle(&head[0], o, i) = mean_of_pixels(last, c, 2 * row, 2 * col, 2, i);
        for (int64_t i = 0; i < head[1].c_in; i++) {
            float sum = 0.0f;

            for (int64_t k = 0; k < last->c_in; k++)
                sum += mean_of_pixels(last, c, 0, 0, 4, k) * *middle(before, 4 * k + 2 * row + col, i);
            *middle(&head[1], o, i) = sum;
        }
    }
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

RsdStatus image_codec_init_transforms(ImageCodec *codec, const float *pictures, int64_t n_pictures, int64_t side, RsdError *err)
{
    ImageNet *net = codec->net;
    const int64_t plane = side * side;
    Features given = {.c = 3, .n_pictures = n_pictures, .side = side}, wide = {0};
    double *moments = NULL;
    float *rows = NULL;
    int64_t n = 0;
    RsdStatus status = RSD_OK;

    CHECK(n_pictures > 0 && side > 0 && side % IMAGE_STRIDE == 0, err, RSD_ERR_ARG,
          "%lld pictures of %lld pixels a side: a multiple of %d is needed", (long long)n_pictures, (long long)side, IMAGE_STRIDE);
    TRY(mem_alloc(&given.data, (size_t)(3 * n_pictures * plane), sizeof *given.data, err));
    for (int64_t i = 0; i < 3 * n_pictures; i++)
        for (int64_t k = 0; k < plane; k++)
            given.data[(i % 3 * n_pictures + i / 3) * plane + k] = pictures[i * plane + k] - 0.5f;
    for (int i = 0; i < IMAGE_SCALES; i++) {
        Conv2dLayer *down = &net->encoder[i].resample, *up = &net->decoder[i].resample;

        TRY(unshuffle(&given, i ? 2 : 4, &wide, err));
        mem_free(&given.data);
        n = least(down->c_out, wide.c);
        mem_free(&moments);
        TRY(mem_alloc(&moments, (size_t)n, sizeof *moments, err));
        TRY(mem_alloc(&rows, (size_t)(n * wide.c), sizeof *rows, err));
        TRY(components(&wide, n, rows, moments, err));
        set_pair(down, up, rows, n, wide.c, i ? 1.0f : IMAGE_START_GAIN);
        quieten_blocks(&net->encoder[i]);
        quieten_blocks(&net->decoder[i]);
        TRY(project(&wide, rows, n, &given, err));
        mem_free(&rows);
        mem_free(&wide.data);
    }
    set_identity(&net->encoder_out);
    set_identity(&net->decoder_in);
    if (codec->config.quantizer == IMAGE_SCALAR)
        set_gains(net, codec->config.latent, moments, n);
    set_heads(net);
fail:
    mem_free(&moments);
    mem_free(&rows);
    mem_free(&wide.data);
    mem_free(&given.data);
    return status;
}
