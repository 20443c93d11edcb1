/* dac_job.c - loudness and resampling around windows (codec/dac_window.h).
 *
 *   encode   read -> resample -> measure, to the scratch file;  windows of it -> gain -> codes
 *   decode   codes -> windows -> measure, to the scratch file;  blocks of it -> gain -> resample -> write
 *
 * The scratch file is interleaved, [n, channels]; each channel is coded by itself [audio.md 2.10].
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/dac_job.h"

#include <math.h>
#include <string.h>

#include "codec/dac_loudness.h"
#include "codec/dac_window.h"
#include "engine/base/mem.h"
#include "engine/base/scratch_file.h"
#include "media/resampler.h"

#define TARGET_DB (-16.0)
#define BLOCK_LEN ((size_t)4096) /* frames of interleaved samples */

/* ---- blocks ---- */

/* y [n, channels] from x, channel c at c * stride, and back. */
static void interleave(float *y, const float *x, size_t stride, int channels, size_t n)
{
    for (int c = 0; c < channels; c++)
        for (size_t i = 0; i < n; i++)
            y[i * (size_t)channels + (size_t)c] = x[(size_t)c * stride + i];
}

static void separate(float *y, size_t stride, const float *x, int channels, size_t n)
{
    for (int c = 0; c < channels; c++)
        for (size_t i = 0; i < n; i++)
            y[(size_t)c * stride + i] = x[i * (size_t)channels + (size_t)c];
}

/* Room for blocks of all channels. */
static RsdStatus take_block(float **block, int channels, RsdError *err)
{
    return mem_alloc(block, BLOCK_LEN * (size_t)channels, sizeof **block, err);
}

typedef RsdStatus (*TakeFrames)(void *ctx, const float *frames, size_t n, RsdError *err);

/* Frames [n, channels] through a resampler, NULL for none, to `take`; frames NULL is the end. out: one block. */
static RsdStatus resample(Resampler *resampler, const float *frames, size_t n, int channels, float *out, TakeFrames take, void *ctx,
                          RsdError *err)
{
    size_t n_used, n_out;
    RsdStatus status = RSD_OK;

    if (!resampler)
        return frames ? take(ctx, frames, n, err) : RSD_OK;
    do {
        TRY(resampler_process(resampler, frames, n, &n_used, out, BLOCK_LEN, &n_out, err));
        if (n_out > 0)
            TRY(take(ctx, out, n_out, err));
        if (frames) {
            frames += n_used * (size_t)channels;
            n -= n_used;
        }
    } while (frames ? n > 0 : n_out > 0);
fail:
    return status;
}

static RsdStatus open_resampler(Resampler **out, int in_hz, int out_hz, int channels, RsdError *err)
{
    return in_hz == out_hz ? RSD_OK : resampler_create(out, in_hz, out_hz, channels, err);
}

/* ---- encoding: all samples at the model's rate, measured ---- */

typedef struct Recording {
    ScratchFile *samples; /* [n, channels] */
    DacLoudness *loudness;
    int channels;
    int64_t n_source, n;
    float peak;
} Recording;

static RsdStatus keep_frames(void *ctx, const float *frames, size_t n, RsdError *err)
{
    Recording *r = ctx;
    size_t count = n * (size_t)r->channels;
    RsdStatus status = RSD_OK;

    for (size_t i = 0; i < count; i++)
        r->peak = fmaxf(r->peak, fabsf(frames[i]));
    TRY(dac_loudness_add(r->loudness, frames, (int64_t)n, err));
    TRY(scratch_file_append(r->samples, frames, count * sizeof *frames, err));
    r->n += (int64_t)n;
fail:
    return status;
}

static RsdStatus record(Recording *r, const DacJob *job, DacRead read, void *ctx, RsdError *err)
{
    const int model_hz = job->model->info.rate_hz;
    float *planar = NULL, *frames = NULL, *out = NULL;
    Resampler *resampler = NULL;
    size_t n_read;
    RsdStatus status = RSD_OK;

    r->channels = job->channels;
    TRY(take_block(&planar, r->channels, err));
    TRY(take_block(&frames, r->channels, err));
    TRY(take_block(&out, r->channels, err));
    TRY(open_resampler(&resampler, job->rate_hz, model_hz, r->channels, err));
    TRY(dac_loudness_create(&r->loudness, r->channels, model_hz, true, err));
    TRY(scratch_file_create(&r->samples, err));
    for (;;) {
        TRY(read(ctx, planar, BLOCK_LEN, &n_read, err));
        if (n_read == 0)
            break;
        interleave(frames, planar, BLOCK_LEN, r->channels, n_read);
        TRY(resample(resampler, frames, n_read, r->channels, out, keep_frames, r, err));
        r->n_source += (int64_t)n_read;
    }
    TRY(resample(resampler, NULL, 0, r->channels, out, keep_frames, r, err));
    CHECK(r->n > 0, err, RSD_ERR_UNSUPPORTED, "%s: has no samples, which a .dac file cannot say", job->name);
fail:
    resampler_destroy(&resampler);
    mem_free(&planar);
    mem_free(&frames);
    mem_free(&out);
    return status;
}

static void recording_clear(Recording *r)
{
    scratch_file_destroy(&r->samples);
    dac_loudness_destroy(&r->loudness);
}

/* ---- encoding: windows ---- */

typedef struct Plan {
    int64_t window, step, first; /* samples of a window; from one to the next; where the first begins */
    double gain, peak_gain;      /* to the target, and what then brings the highest peak down to 1 */
} Plan;

static RsdStatus plan_windows(Plan *plan, DacFile *file, const DacJob *job, const Recording *r, RsdError *err)
{
    const DacConfig *cfg = &job->model->codec->config.dac;
    const int64_t hop = job->model->info.hop_samples;
    const double window_len = job->window_s * job->model->info.rate_hz;
    double db = 0.0;
    float peak;
    RsdStatus status = RSD_OK;

    if (job->input_db)
        db = *job->input_db;
    else
        TRY(dac_loudness_finish(r->loudness, &db, err));
    plan->gain = pow(10.0, (TARGET_DB - db) / 20.0);
    peak = (float)(r->peak * plan->gain);
    plan->peak_gain = peak > 1.0f ? 1.0 / peak : 1.0;
    file->input_db = (float)db;
    file->padding = job->window_s == 0.0 || (double)r->n <= window_len;
    plan->window = file->padding ? r->n : (int64_t)window_len;
    plan->window = (plan->window + hop - 1) / hop * hop;
    plan->step = plan->window;
    file->chunk_length = plan->window / hop;
    if (!file->padding) {
        file->chunk_length = dac_encoded_len(cfg, plan->window, DAC_PAD_NONE);
        plan->step = dac_decoded_len(cfg, file->chunk_length, DAC_PAD_NONE);
        plan->first = -dac_reach(cfg);
        CHECK(file->chunk_length > 0 && plan->step > 0, err, RSD_ERR_ARG, "windows of %g s are too short for model %s",
              job->window_s, job->model->info.name);
    }
fail:
    return status;
}

/* window [channels, plan->window] = samples from `first` on, zeros outside the recording, with their gain. */
static RsdStatus load_window(float *window, float *frames, const Recording *r, const Plan *plan, int64_t first, RsdError *err)
{
    int64_t at = first < 0 ? 0 : first, end = first + plan->window < r->n ? first + plan->window : r->n;
    RsdStatus status = RSD_OK;

    memset(window, 0, (size_t)(r->channels * plan->window) * sizeof *window);
    while (at < end) {
        size_t n = end - at < (int64_t)BLOCK_LEN ? (size_t)(end - at) : BLOCK_LEN, count = n * (size_t)r->channels;

        TRY(scratch_file_read(r->samples, at * r->channels * (int64_t)sizeof *frames, frames, count * sizeof *frames, err));
        for (size_t i = 0; i < count; i++) {
            frames[i] = (float)(frames[i] * plan->gain);
            if (plan->peak_gain < 1.0)
                frames[i] = (float)(frames[i] * plan->peak_gain);
        }
        separate(window + (at - first), (size_t)plan->window, frames, r->channels, n);
        at += (int64_t)n;
    }
fail:
    return status;
}

static RsdStatus encode_windows(DacFile *file, DacWindow *coder, const Recording *r, const Plan *plan, RsdError *err)
{
    int64_t n_windows = (r->n + plan->step - 1) / plan->step;
    float *window = NULL, *frames = NULL;
    uint16_t *codes = NULL;
    RsdStatus status = RSD_OK;

    file->n_frames = n_windows * file->chunk_length;
    TRY(mem_alloc(&file->codes, (size_t)(file->channels * file->n_stages * file->n_frames), sizeof *file->codes, err));
    TRY(mem_alloc(&codes, (size_t)(file->n_stages * file->chunk_length), sizeof *codes, err));
    TRY(mem_alloc(&window, (size_t)(file->channels * plan->window), sizeof *window, err));
    TRY(take_block(&frames, file->channels, err));
    for (int64_t i = 0; i < n_windows; i++) {
        TRY(load_window(window, frames, r, plan, plan->first + i * plan->step, err));
        for (int c = 0; c < file->channels; c++) {
            TRY(dac_window_encode(coder, window + c * plan->window, plan->window, codes, err));
            for (int q = 0; q < file->n_stages; q++)
                memcpy(file->codes + (c * file->n_stages + q) * file->n_frames + i * file->chunk_length,
                       codes + q * file->chunk_length, (size_t)file->chunk_length * sizeof *codes);
        }
    }
fail:
    mem_free(&window);
    mem_free(&frames);
    mem_free(&codes);
    return status;
}

RsdStatus dac_job_encode(DacFile *file, const DacJob *job, DacRead read, void *ctx, RsdError *err)
{
    Recording r = {.samples = NULL};
    Plan plan = {.first = 0};
    DacWindow *coder = NULL;
    RsdStatus status = RSD_OK;

    memset(file, 0, sizeof *file);
    CHECK(job->channels >= 1 && job->channels <= DAC_FILE_MAX_CHANNELS, err, RSD_ERR_ARG,
          "%s: %d channels; a .dac file has 1 to %d", job->name, job->channels, DAC_FILE_MAX_CHANNELS);
    /* A model of another kind is refused before a long recording is read. */
    TRY(dac_window_open(&coder, job->model, job->threads, job->n_stages, DAC_PAD_ZERO, err));
    dac_window_close(&coder);
    TRY(record(&r, job, read, ctx, err));
    *file = (DacFile){.channels = job->channels, .n_stages = job->n_stages, .original_length = r.n_source,
                      .sample_rate_hz = job->rate_hz};
    TRY(plan_windows(&plan, file, job, &r, err));
    TRY(dac_window_open(&coder, job->model, job->threads, job->n_stages, file->padding ? DAC_PAD_ZERO : DAC_PAD_NONE, err));
    TRY(encode_windows(file, coder, &r, &plan, err));
fail:
    dac_window_close(&coder);
    recording_clear(&r);
    if (status != RSD_OK)
        dac_file_clear(file);
    return status;
}

/* ---- decoding: all windows, measured ---- */

static RsdStatus check_codes(const DacFile *file, const RsdModel *model, const char *name, RsdError *err)
{
    RsdStatus status = RSD_OK;

    CHECK(file->n_stages <= model->info.n_stages, err, RSD_ERR_MODEL, "%s: has %d stages, model %s has %d: another model made it",
          name, file->n_stages, model->info.name, model->info.n_stages);
    for (int64_t i = 0; i < file->channels * file->n_stages * file->n_frames; i++)
        CHECK(file->codes[i] < model->info.codebook_size, err, RSD_ERR_MODEL,
              "%s: code %d at frame %lld, the codebooks of model %s have %d: damage, or another model made it", name,
              file->codes[i], (long long)(i % file->n_frames), model->info.name, model->info.codebook_size);
fail:
    return status;
}

/* Samples of all windows of a channel. */
static int64_t decoded_len(const DacFile *file, const DacConfig *cfg, DacPadding padding)
{
    int64_t n_full = file->n_frames / file->chunk_length, rest = file->n_frames % file->chunk_length;

    return n_full * dac_decoded_len(cfg, file->chunk_length, padding) + (rest ? dac_decoded_len(cfg, rest, padding) : 0);
}

/* One channel's samples, into their places of the scratch file's frames. */
typedef struct Decoded {
    ScratchFile *samples; /* [n], one file for each channel */
    DacLoudness *loudness;
    double gain;
} Decoded;

static RsdStatus keep_samples(void *ctx, const float *samples, int64_t n, RsdError *err)
{
    Decoded *d = ctx;
    RsdStatus status = RSD_OK;

    TRY(dac_loudness_add(d->loudness, samples, n, err));
    TRY(scratch_file_append(d->samples, samples, (size_t)n * sizeof *samples, err));
fail:
    return status;
}

/* The gain that restores the loudness, for each channel by itself, as the DAC tool does. */
static RsdStatus decode_channel(Decoded *d, DacWindow *coder, const DacFile *file, int channel, const RsdModel *model, RsdError *err)
{
    const uint16_t *codes = file->codes + channel * file->n_stages * file->n_frames;
    double db;
    RsdStatus status = RSD_OK;

    TRY(dac_loudness_create(&d->loudness, 1, model->info.rate_hz, true, err));
    TRY(scratch_file_create(&d->samples, err));
    for (int64_t first = 0; first < file->n_frames; first += file->chunk_length) {
        int64_t n = file->n_frames - first < file->chunk_length ? file->n_frames - first : file->chunk_length;

        TRY(dac_window_decode(coder, codes + first, file->n_frames, n, keep_samples, d, err));
    }
    TRY(dac_loudness_finish(d->loudness, &db, err));
    d->gain = pow(10.0, (file->input_db - db) / 20.0);
fail:
    return status;
}

/* ---- decoding: to the recording's rate ---- */

typedef struct Output {
    DacWrite write;
    void *ctx;
    float *planar; /* one block */
    int channels;
    int64_t left; /* of the original length */
} Output;

static RsdStatus write_frames(void *ctx, const float *frames, size_t n, RsdError *err)
{
    Output *o = ctx;
    RsdStatus status = RSD_OK;

    if ((int64_t)n > o->left)
        n = (size_t)o->left;
    if (n == 0)
        return RSD_OK;
    separate(o->planar, BLOCK_LEN, frames, o->channels, n);
    TRY(o->write(o->ctx, o->planar, BLOCK_LEN, n, err));
    o->left -= (int64_t)n;
fail:
    return status;
}

/* frames [n, channels] = samples from `first` on of each channel, with its gain. */
static RsdStatus load_frames(float *frames, float *one, const Decoded *decoded, int channels, int64_t first, size_t n, RsdError *err)
{
    RsdStatus status = RSD_OK;

    for (int c = 0; c < channels; c++) {
        TRY(scratch_file_read(decoded[c].samples, first * (int64_t)sizeof *one, one, n * sizeof *one, err));
        for (size_t i = 0; i < n; i++)
            frames[i * (size_t)channels + (size_t)c] = (float)(one[i] * decoded[c].gain);
    }
fail:
    return status;
}

static RsdStatus write_all(const Decoded *decoded, int64_t n, const DacFile *file, int model_hz, Output *o, RsdError *err)
{
    float *frames = NULL, *out = NULL, *one = NULL;
    Resampler *resampler = NULL;
    RsdStatus status = RSD_OK;

    TRY(take_block(&frames, o->channels, err));
    TRY(take_block(&out, o->channels, err));
    TRY(take_block(&one, 1, err));
    TRY(take_block(&o->planar, o->channels, err));
    TRY(open_resampler(&resampler, model_hz, file->sample_rate_hz, o->channels, err));
    for (int64_t first = 0; first < n; first += (int64_t)BLOCK_LEN) {
        size_t some = n - first < (int64_t)BLOCK_LEN ? (size_t)(n - first) : BLOCK_LEN;

        TRY(load_frames(frames, one, decoded, o->channels, first, some, err));
        TRY(resample(resampler, frames, some, o->channels, out, write_frames, o, err));
    }
    TRY(resample(resampler, NULL, 0, o->channels, out, write_frames, o, err));
    memset(frames, 0, BLOCK_LEN * (size_t)o->channels * sizeof *frames);
    while (o->left > 0) /* what odd rates lose at the end */
        TRY(write_frames(o, frames, BLOCK_LEN, err));
fail:
    resampler_destroy(&resampler);
    mem_free(&frames);
    mem_free(&out);
    mem_free(&one);
    mem_free(&o->planar);
    return status;
}

int dac_job_stages_for(const RsdModel *model, int channels, double bitrate_bps)
{
    return audio_codec_stages_for(&model->codec->config, bitrate_bps / channels);
}

/* Of a file that may have more or fewer stages than max_bitrate_bps allows. */
static int used_stages(const DacFile *file, const DacJob *job)
{
    const int n = job->max_bitrate_bps > 0 ? dac_job_stages_for(job->model, file->channels, job->max_bitrate_bps) : file->n_stages;

    return n < file->n_stages ? n : file->n_stages;
}

RsdStatus dac_job_decode(const DacFile *file, const DacJob *job, DacWrite write, void *ctx, RsdError *err)
{
    const RsdModelInfo *info = &job->model->info;
    DacPadding padding = file->padding ? DAC_PAD_ZERO : DAC_PAD_NONE;
    Output output = {.write = write, .ctx = ctx, .channels = file->channels, .left = file->original_length};
    Decoded *decoded = NULL;
    DacWindow *coder = NULL;
    int64_t n, n_out;
    RsdStatus status = RSD_OK;

    TRY(dac_window_open(&coder, job->model, job->threads, used_stages(file, job), padding, err));
    TRY(check_codes(file, job->model, job->name, err));
    n = decoded_len(file, &job->model->codec->config.dac, padding);
    n_out = resampler_out_len(n, info->rate_hz, file->sample_rate_hz);
    /* Odd rates lose some samples at the end. */
    CHECK(n > 0 && file->original_length <= n_out + (int64_t)info->hop_samples * file->sample_rate_hz / info->rate_hz, err,
          RSD_ERR_CORRUPT, "%s: 'original_length' is %lld, its %lld frames give %lld samples", job->name,
          (long long)file->original_length, (long long)file->n_frames, (long long)n_out);
    TRY(mem_calloc(&decoded, (size_t)file->channels, sizeof *decoded, err));
    for (int c = 0; c < file->channels; c++)
        TRY(decode_channel(&decoded[c], coder, file, c, job->model, err));
    TRY(write_all(decoded, n, file, info->rate_hz, &output, err));
fail:
    for (int c = 0; decoded && c < file->channels; c++) {
        scratch_file_destroy(&decoded[c].samples);
        dac_loudness_destroy(&decoded[c].loudness);
    }
    mem_free(&decoded);
    dac_window_close(&coder);
    return status;
}
