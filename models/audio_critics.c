/* audio_critics.c - layers of each family, and the views they judge.
 *
 * [1] audio.md 1.8, 2.6, 4.1.   [2] Kumar et al., MelGAN, 2019.   [3] Kong et al., HiFi-GAN, 2020.
 *
 * SPDX-License-Identifier: MIT
 */
#include "models/audio_critics.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/ops/activation.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/conv1d.h"
#include "engine/ops/level.h"
#include "engine/ops/pad.h"
#include "engine/ops/shape.h"
#include "engine/ops/stft.h"
#include "models/critic_conv.h"

#define PEAK 0.8f /* audio.md 2.5 */
#define MAX_PERIOD 1000
#define MAX_CHANNELS 4096
#define SCALE_LAYERS 4 /* grouped layers, each at a quarter of the rate before */
#define SCALE_FIRST_KERNEL 15
#define N_BANDS 5
#define STACK_LAYERS 5 /* hidden layers over a spectrogram or a band of it */
#define MIN_WINDOW 16
#define MIN_BANDS_WINDOW 20 /* its lowest band has one frequency */
#define MAX_WINDOW 65536

static const double BAND_EDGES[N_BANDS + 1] = {0.0, 0.1, 0.25, 0.5, 0.75, 1.0}; /* audio.md 2.6 */

typedef enum Family { FAMILY_PERIOD, FAMILY_SCALE, FAMILY_STFT, FAMILY_BANDS } Family;

typedef struct Critic {
    Family family;
    int size; /* period, number of halvings, or window */
    char name[24];
    int n_stacks, n_layers; /* hidden layers: n_stacks of them in parallel; one more joins them and gives the logits */
    CriticConv *layers;
    Stft *stft;
} Critic;

struct AudioCritics {
    AudioCriticsConfig config;
    int n_critics;
    Critic critics[CRITICS_MAX];
};

/* ---- layers ---- */

static int count_layers(const Critic *critic)
{
    return critic->n_stacks * critic->n_layers + 1;
}

/* Hidden layer i of a stack; the one that gives the logits. */
static CriticConv *hidden_layer(const Critic *critic, int stack, int i)
{
    return &critic->layers[stack * critic->n_layers + i];
}

static CriticConv *last_layer(const Critic *critic)
{
    return &critic->layers[critic->n_stacks * critic->n_layers];
}

static RsdStatus take_layers(Critic *critic, int n_stacks, int n_layers, RsdError *err)
{
    critic->n_stacks = n_stacks;
    critic->n_layers = n_layers;
    return mem_calloc(&critic->layers, (size_t)count_layers(critic), sizeof *critic->layers, err);
}

/* Kernels of 5, stride 3; the last hidden layer keeps its rate. */
static RsdStatus describe_period(Critic *critic, const AudioCriticsConfig *config, RsdError *err)
{
    int n = config->n_period_layers, c_in = config->channels;
    RsdStatus status = take_layers(critic, 1, n, err);

    if (status != RSD_OK)
        return status;
    snprintf(critic->name, sizeof critic->name, "period%d", critic->size);
    for (int i = 0; i < n; i++) {
        *hidden_layer(critic, 0, i) = (CriticConv){
            .c_in = c_in, .c_out = config->period_channels[i], .kernel = {0, 5}, .stride = {1, i < n - 1 ? 3 : 1}};
        c_in = config->period_channels[i];
    }
    *last_layer(critic) = (CriticConv){.c_in = c_in, .c_out = 1, .kernel = {0, 3}};
    return RSD_OK;
}

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* Channels after i quarterings of the rate. */
static int scale_width(const AudioCriticsConfig *config, int i)
{
    return smaller(config->scale_channels << 2 * i, config->scale_max_channels);
}

/* Groups of four input channels, channels times four at each quartering of the rate. */
static RsdStatus describe_scale(Critic *critic, const AudioCriticsConfig *config, RsdError *err)
{
    const int c = scale_width(config, SCALE_LAYERS), widest = smaller(2 * c, config->scale_max_channels);
    RsdStatus status = take_layers(critic, 1, SCALE_LAYERS + 2, err);

    if (status != RSD_OK)
        return status;
    snprintf(critic->name, sizeof critic->name, "scale%d", critic->size);
    *hidden_layer(critic, 0, 0) = (CriticConv){.c_in = config->channels, .c_out = scale_width(config, 0),
                                               .kernel = {0, SCALE_FIRST_KERNEL}, .unpadded = true};
    for (int i = 1; i <= SCALE_LAYERS; i++)
        *hidden_layer(critic, 0, i) = (CriticConv){.c_in = scale_width(config, i - 1), .c_out = scale_width(config, i),
                                                   .groups = scale_width(config, i - 1) / 4, .kernel = {0, 41}, .stride = {1, 4}};
    *hidden_layer(critic, 0, SCALE_LAYERS + 1) = (CriticConv){.c_in = c, .c_out = widest, .kernel = {0, 5}};
    *last_layer(critic) = (CriticConv){.c_in = widest, .c_out = 1, .kernel = {0, 3}};
    return RSD_OK;
}

/* Kernels of 9 frequencies and 3 frames; the middle ones halve the number of frequencies, and EnCodec's look at frames
 * ever further apart. */
static RsdStatus describe_spectrum(Critic *critic, const AudioCriticsConfig *config, RsdError *err)
{
    const bool bands = critic->family == FAMILY_BANDS;
    const int c = bands ? config->band_channels : config->stft_channels;
    const StftConfig stft = {.n_fft = critic->size, .hop = critic->size / 4, .pad = STFT_PAD_NONE,
                             .norm = bands ? STFT_NORM_NONE : STFT_NORM_WINDOW};
    RsdStatus status = RSD_OK;

    TRY(take_layers(critic, bands ? N_BANDS : 1, STACK_LAYERS, err));
    snprintf(critic->name, sizeof critic->name, "%s%d", bands ? "bands" : "stft", critic->size);
    for (int s = 0; s < critic->n_stacks; s++) {
        *hidden_layer(critic, s, 0) =
            (CriticConv){.c_in = 2 * config->channels, .c_out = c, .kernel = {9, 3}, .plain = !bands};
        for (int i = 1; i < STACK_LAYERS - 1; i++)
            *hidden_layer(critic, s, i) = (CriticConv){
                .c_in = c, .c_out = c, .kernel = {9, 3}, .stride = {2, 1}, .dilation = {1, bands ? 1 : 1 << (i - 1)}};
        *hidden_layer(critic, s, STACK_LAYERS - 1) = (CriticConv){.c_in = c, .c_out = c, .kernel = {3, 3}};
    }
    *last_layer(critic) = (CriticConv){.c_in = c, .c_out = 1, .kernel = {3, 3}};
    TRY(stft_create(&critic->stft, &stft, err));
fail:
    return status;
}

static RsdStatus describe(Critic *critic, const AudioCriticsConfig *config, RsdError *err)
{
    RsdStatus status = critic->family == FAMILY_PERIOD  ? describe_period(critic, config, err)
                       : critic->family == FAMILY_SCALE ? describe_scale(critic, config, err)
                                                        : describe_spectrum(critic, config, err);

    for (int i = 0; status == RSD_OK && i < count_layers(critic); i++)
        snprintf(critic->layers[i].name, sizeof critic->layers[i].name, "%s.%d", critic->name, i);
    return status;
}

static RsdStatus add_critic(AudioCritics *critics, Family family, int size, ParamSet *params, uint64_t seed,
                            RsdError *err)
{
    Critic *critic = &critics->critics[critics->n_critics];
    Rng rng = rng_at(seed, RNG_CRITIC, 0, (uint32_t)critics->n_critics);
    float slope = critics->config.slope, gain = sqrtf(2.0f / (1.0f + slope * slope));
    RsdStatus status = RSD_OK;

    critics->n_critics++;
    critic->family = family;
    critic->size = size;
    TRY(describe(critic, &critics->config, err));
    for (int i = 0; i < count_layers(critic); i++)
        TRY(critic_conv_register(&critic->layers[i], params, &rng, i < count_layers(critic) - 1 ? gain : 1.0f, err));
fail:
    return status;
}

/* ---- life ---- */

static RsdStatus check_windows(const char *name, int least, int n, const int *windows, int channels, RsdError *err)
{
    RsdStatus status = RSD_OK;

    CHECK(n >= 0 && n <= CRITICS_MAX_SCALES, err, RSD_ERR_ARG, "more than %d %s critics", CRITICS_MAX_SCALES, name);
    for (int i = 0; i < n; i++)
        CHECK(windows[i] >= least && windows[i] <= MAX_WINDOW && windows[i] % 4 == 0, err, RSD_ERR_ARG,
              "%s critic with a window of %d samples; multiples of 4 from %d to %d are possible", name, windows[i],
              least, MAX_WINDOW);
    CHECK(!n || (channels >= 1 && channels <= MAX_CHANNELS), err, RSD_ERR_ARG,
          "%s critics with %d channels; 1 to %d are possible", name, channels, MAX_CHANNELS);
fail:
    return status;
}

static RsdStatus check_scales(const AudioCriticsConfig *c, RsdError *err)
{
    RsdStatus status = RSD_OK;

    CHECK(c->scale_channels >= 4 && c->scale_channels % 4 == 0 && c->scale_max_channels >= c->scale_channels &&
              c->scale_max_channels % c->scale_channels == 0 && c->scale_max_channels <= MAX_CHANNELS,
          err, RSD_ERR_ARG,
          "waveform critics of %d to %d channels; the first must be a multiple of 4 and the last a multiple of the "
          "first up to %d",
          c->scale_channels, c->scale_max_channels, MAX_CHANNELS);
    for (int i = 1; i <= SCALE_LAYERS; i++)
        CHECK(scale_width(c, i) % (scale_width(c, i - 1) / 4) == 0, err, RSD_ERR_ARG,
              "waveform critics of %d to %d channels: the layer before the widest has %d, in groups of 4, and %d groups do not share %d",
              c->scale_channels, c->scale_max_channels, scale_width(c, i - 1), scale_width(c, i - 1) / 4, scale_width(c, i));
fail:
    return status;
}

RsdStatus audio_critics_check_config(const AudioCriticsConfig *c, RsdError *err)
{
    RsdStatus status = RSD_OK;

    CHECK(c->n_periods >= 0 && c->n_periods <= CRITICS_MAX_SCALES && c->n_scales >= 0 &&
              c->n_scales <= CRITICS_MAX_SCALES,
          err, RSD_ERR_ARG, "more than %d critics of one family", CRITICS_MAX_SCALES);
    for (int i = 0; i < c->n_periods; i++)
        CHECK(c->periods[i] >= 1 && c->periods[i] <= MAX_PERIOD, err, RSD_ERR_ARG,
              "a critic of period %d; 1 to %d are possible", c->periods[i], MAX_PERIOD);
    CHECK(!c->n_periods || (c->n_period_layers >= 1 && c->n_period_layers <= CRITICS_MAX_LAYERS), err, RSD_ERR_ARG,
          "period critics of %d layers; 1 to %d are possible", c->n_period_layers, CRITICS_MAX_LAYERS);
    for (int i = 0; i < (c->n_periods ? c->n_period_layers : 0); i++)
        CHECK(c->period_channels[i] >= 1 && c->period_channels[i] <= MAX_CHANNELS, err, RSD_ERR_ARG,
              "period critics with %d channels; 1 to %d are possible", c->period_channels[i], MAX_CHANNELS);
    if (c->n_scales)
        TRY(check_scales(c, err));
    TRY(check_windows("stft", MIN_WINDOW, c->n_stft, c->stft_windows, c->stft_channels, err));
    TRY(check_windows("bands", MIN_BANDS_WINDOW, c->n_bands, c->band_windows, c->band_channels, err));
    CHECK(c->n_periods + c->n_scales + c->n_stft + c->n_bands > 0, err, RSD_ERR_ARG, "no critic is switched on");
fail:
    return status;
}

RsdStatus audio_critics_create(AudioCritics **out, const AudioCriticsConfig *config, ParamSet *params, uint64_t seed,
                               RsdError *err)
{
    AudioCritics *critics = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(audio_critics_check_config(config, err));
    TRY(mem_calloc(&critics, 1, sizeof *critics, err));
    critics->config = *config;
    for (int i = 0; i < config->n_periods; i++)
        TRY(add_critic(critics, FAMILY_PERIOD, config->periods[i], params, seed, err));
    for (int i = 0; i < config->n_scales; i++)
        TRY(add_critic(critics, FAMILY_SCALE, i, params, seed, err));
    for (int i = 0; i < config->n_stft; i++)
        TRY(add_critic(critics, FAMILY_STFT, config->stft_windows[i], params, seed, err));
    for (int i = 0; i < config->n_bands; i++)
        TRY(add_critic(critics, FAMILY_BANDS, config->band_windows[i], params, seed, err));
    *out = critics;
    return RSD_OK;
fail:
    audio_critics_destroy(&critics);
    return status;
}

void audio_critics_destroy(AudioCritics **critics)
{
    if (!*critics)
        return;
    for (int i = 0; i < (*critics)->n_critics; i++) {
        mem_free(&(*critics)->critics[i].layers);
        stft_destroy(&(*critics)->critics[i].stft);
    }
    mem_free(critics);
}

int audio_critics_count(const AudioCritics *critics)
{
    return critics->n_critics;
}

const char *audio_critics_name(const AudioCritics *critics, int i)
{
    return critics->critics[i].name;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

int64_t audio_critics_min_len(const AudioCriticsConfig *c)
{
    int64_t least = 1;

    for (int i = 0; i < c->n_periods; i++) /* the padding reflects */
        least = larger(least, c->periods[i] + 1);
    if (c->n_scales)
        least = larger(least, (int64_t)(SCALE_FIRST_KERNEL + 1) << c->n_scales);
    for (int i = 0; i < c->n_stft; i++)
        least = larger(least, c->stft_windows[i]);
    for (int i = 0; i < c->n_bands; i++)
        least = larger(least, c->band_windows[i]);
    return least;
}

/* First bin of a band. */
static int64_t band_edge(const Critic *critic, int band)
{
    return (int64_t)(BAND_EDGES[band] * (double)stft_bins(critic->stft));
}

static double critic_macs(const Critic *critic, int rate_hz)
{
    double macs = 0.0, joined = 0.0, places;
    double places_per_s = critic->family == FAMILY_SCALE ? rate_hz / (double)(1 << critic->size)
                          : critic->stft                 ? rate_hz / (double)stft_config(critic->stft)->hop
                                                         : (double)rate_hz;

    for (int s = 0; s < critic->n_stacks; s++) {
        places = places_per_s;
        if (critic->family == FAMILY_BANDS)
            places *= (double)(band_edge(critic, s + 1) - band_edge(critic, s));
        else if (critic->family == FAMILY_STFT)
            places *= stft_bins(critic->stft);
        for (int i = 0; i < critic->n_layers; i++) {
            const CriticConv *layer = hidden_layer(critic, s, i);

            for (int axis = 0; axis < 2; axis++)
                places /= layer->stride[axis] > 0 ? layer->stride[axis] : 1;
            macs += critic_conv_macs(layer, places);
        }
        joined += places;
    }
    return macs + critic_conv_macs(last_layer(critic), joined);
}

double audio_critics_macs_per_second(const AudioCritics *critics, int rate_hz)
{
    double macs = 0.0;

    for (int i = 0; i < critics->n_critics; i++)
        macs += critic_macs(&critics->critics[i], rate_hz);
    return macs;
}

/* ---- a step ---- */

RsdStatus audio_critics_begin(AudioCritics *critics, Tape *tape, RsdError *err)
{
    RsdStatus status = RSD_OK;

    for (int i = 0; i < critics->n_critics; i++)
        for (int j = 0; j < count_layers(&critics->critics[i]); j++)
            TRY(critic_conv_begin(&critics->critics[i].layers[j], tape, err));
fail:
    return status;
}

void audio_critics_freeze(AudioCritics *critics, bool frozen)
{
    for (int i = 0; i < critics->n_critics; i++)
        for (int j = 0; j < count_layers(&critics->critics[i]); j++)
            critic_conv_freeze(&critics->critics[i].layers[j], frozen);
}

/* [batch, c, n] -> [batch period, c, rows]: every column of the folded signal becomes an item of its own, because the
 * published 2-D kernels are one column wide. */
static RsdStatus fold(const AudioCriticsConfig *config, Tape *tape, Tensor *x, int period, Tensor **y, RsdError *err)
{
    int64_t batch = x->shape[0], c = x->shape[1], n = x->shape[2], over = n % period;
    int64_t right = over || config->pads_whole_period ? period - over : 0, rows = (n + right) / period;
    Tensor *h = x;
    RsdStatus status = RSD_OK;

    if (right)
        TRY(op_pad(tape, h, 0, right, PAD_REFLECT, &h, err));
    /* Each column must keep the channels together: [batch, c, rows, period] -> [batch, period, c, rows]. */
    TRY(op_reshape(tape, h, 3, (const int64_t[]){batch, c * rows, period}, &h, err));
    TRY(op_transpose(tape, h, &h, err));
    TRY(op_reshape(tape, h, 3, (const int64_t[]){batch * period, c, rows}, y, err));
fail:
    return status;
}

/* Averages of four samples at every second one; at the ends of those of the four that there are. */
static RsdStatus halve(Tape *tape, Tensor *x, Tensor **y, RsdError *err)
{
    const Conv1dParams pool = {.stride = 2, .rule = PAD_EXPLICIT, .pad_left = 1, .pad_right = 1};
    static const float quarter[4] = {0.25f, 0.25f, 0.25f, 0.25f};
    int64_t batch = x->shape[0], c = x->shape[1], n = x->shape[2];
    Tensor *w, *ones, *shares, *h;
    RsdStatus status = RSD_OK;

    TRY(tape_input(tape, &w, 3, (const int64_t[]){1, 1, 4}, quarter, err));
    TRY(tape_tensor(tape, &ones, 3, (const int64_t[]){1, 1, n}, err));
    params_fill_constant(ones, 1.0f);
    TRY(op_conv1d(tape, ones, w, NULL, &pool, &shares, err));
    TRY(op_reshape(tape, x, 3, (const int64_t[]){batch * c, 1, n}, &h, err));
    TRY(op_conv1d(tape, h, w, NULL, &pool, &h, err));
    TRY(op_div(tape, h, shares, &h, err));
    TRY(op_reshape(tape, h, 3, (const int64_t[]){batch, c, -1}, y, err));
fail:
    return status;
}

/* [batch, c, n] -> [batch, 2 c, bins, frames]. DAC's has ceil(n / hop) frames around an extended signal. */
static RsdStatus spectrogram(const Critic *critic, Tape *tape, Tensor *x, Tensor **y, RsdError *err)
{
    int64_t hop = stft_config(critic->stft)->hop, n = x->shape[2], fixed = (critic->size - hop) / 2;
    int64_t shape[4] = {x->shape[0], 2 * x->shape[1], stft_bins(critic->stft), -1};
    Tensor *h = x;
    RsdStatus status = RSD_OK;

    if (critic->family == FAMILY_BANDS)
        TRY(op_pad(tape, h, fixed, fixed + (hop - n % hop) % hop, PAD_REFLECT, &h, err));
    TRY(op_stft(tape, critic->stft, h, &h, err));
    TRY(op_reshape(tape, h, 4, shape, y, err));
fail:
    return status;
}

static RsdStatus view_of(const AudioCritics *critics, const Critic *critic, Tape *tape, Tensor *x, Tensor **view,
                         RsdError *err)
{
    RsdStatus status = RSD_OK;

    if (critic->family == FAMILY_PERIOD)
        return fold(&critics->config, tape, x, critic->size, view, err);
    if (critic->stft)
        return spectrogram(critic, tape, x, view, err);
    *view = x;
    for (int i = 0; i < critic->size; i++)
        TRY(halve(tape, *view, view, err));
    TRY(op_pad(tape, *view, SCALE_FIRST_KERNEL / 2, SCALE_FIRST_KERNEL / 2, PAD_REFLECT, view, err));
fail:
    return status;
}

static RsdStatus judge(const AudioCritics *critics, const Critic *critic, Tape *tape, Tensor *x, CriticMaps *maps,
                       RsdError *err)
{
    Tensor *view, *h = NULL, *ends[N_BANDS];
    RsdStatus status = RSD_OK;

    maps->n_maps = 0;
    TRY(view_of(critics, critic, tape, x, &view, err));
    for (int s = 0; s < critic->n_stacks; s++) {
        int64_t first = critic->family == FAMILY_BANDS ? band_edge(critic, s) : 0;

        h = view;
        if (critic->family == FAMILY_BANDS)
            TRY(op_slice(tape, h, 2, first, band_edge(critic, s + 1) - first, &h, err));
        for (int i = 0; i < critic->n_layers; i++) {
            TRY(critic_conv_run(hidden_layer(critic, s, i), tape, h, &h, err));
            TRY(op_leaky_relu(tape, h, critics->config.slope, &h, err));
            maps->maps[maps->n_maps++] = h;
        }
        ends[s] = h;
    }
    if (critic->n_stacks > 1)
        TRY(op_concat(tape, critic->n_stacks, ends, 2, &h, err));
    TRY(critic_conv_run(last_layer(critic), tape, h, &maps->logits, err));
fail:
    return status;
}

RsdStatus audio_critics_judge(const AudioCritics *critics, Tape *tape, Tensor *x, CriticMaps *maps, RsdError *err)
{
    int64_t least = audio_critics_min_len(&critics->config);
    char text[SHAPE_TEXT_SIZE];
    RsdStatus status = RSD_OK;

    CHECK(x->n_dims == 3 && x->shape[1] == critics->config.channels && x->shape[2] >= least, err, RSD_ERR_ARG,
          "critics of %d channels and at least %lld samples got a signal %s", critics->config.channels,
          (long long)least, shape_text(text, x->n_dims, x->shape));
    if (critics->config.level)
        TRY(op_peak_level(tape, x, PEAK, &x, err));
    for (int i = 0; i < critics->n_critics; i++)
        TRY(judge(critics, &critics->critics[i], tape, x, &maps[i], err));
fail:
    return status;
}
