/* dac_job.c - loudness, windows, resampling around the network [audio.md 2.10].
 *
 *   windows without padding   | reach | signal ... | reach |      zeros before and after
 *                             |--- window 0 ---|                   gives `step` samples when it is decoded
 *                                  |--- window 1 ---|              begins `step` samples later
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/dac_job.h"

#include <math.h>
#include <string.h>

#include "engine/base/mem.h"
#include "losses/loudness.h"
#include "media/resampler.h"

#define TARGET_DB (-16.0)
#define LEAST_DB (-70.0) /* what is softer counts as this */
#define MEMORY_LIMIT ((size_t)8 << 30) /* of one window's network */

static RsdStatus check_model(const RsdModel *model, RsdError *err)
{
    if (model->codec->dac)
        return RSD_OK;
    return error_set(err, RSD_ERR_ARG, ".dac files are coded with a DAC model; %s is another kind: give DAC weights with --model",
                     model->info.name);
}

/* ---- loudness ---- */

static RsdStatus measure(double *db, const float *x, int channels, int64_t n, int rate_hz, RsdError *err)
{
    Loudness loudness = {.lufs = LEAST_DB};
    RsdStatus status = n > 0 ? loudness_measure(&loudness, x, (size_t)n, channels, n, rate_hz, err) : RSD_OK;

    *db = loudness.lufs > LEAST_DB ? loudness.lufs : LEAST_DB;
    return status;
}

static void scale(float *x, int64_t n, double gain)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)(x[i] * gain);
}

/* The highest peak of all channels is brought down to 1. */
static void limit_peak(float *x, int channels, int64_t n)
{
    float peak = 0.0f;

    for (int64_t i = 0; i < channels * n; i++)
        peak = fmaxf(peak, fabsf(x[i]));
    if (peak > 1.0f)
        scale(x, channels * n, 1.0 / peak);
}

/* ---- one window ---- */

typedef struct Windows {
    Tape *tape;
    AudioCodec *codec;
    RsdThreads *own_threads;
    int n_stages;
    DacPadding padding;
} Windows;

static RsdStatus windows_open(Windows *w, const RsdModel *model, RsdThreads *threads, int n_stages, DacPadding padding,
                              RsdError *err)
{
    RsdStatus status = RSD_OK;

    *w = (Windows){.codec = model->codec, .n_stages = n_stages, .padding = padding};
    if (!threads)
        TRY(rsd_threads_create(&w->own_threads, 1, err));
    TRY(tape_create(&w->tape, threads ? threads : w->own_threads, MEMORY_LIMIT, err));
fail:
    return status;
}

static void windows_close(Windows *w)
{
    tape_destroy(&w->tape);
    rsd_threads_destroy(&w->own_threads);
}

/* Samples first .. first + n - 1 of x [n_all], zeros outside -> codes [n_stages, frames] */
static RsdStatus encode_window(Windows *w, const float *x, int64_t n_all, int64_t first, int64_t n, uint16_t *codes, RsdError *err)
{
    int64_t begin = first < 0 ? -first : 0, end = n_all - first < n ? n_all - first : n;
    Tensor *in, *z;
    RsdStatus status = RSD_OK;

    tape_reset(w->tape);
    TRY(tape_tensor(w->tape, &in, 3, (int64_t[]){1, 1, n}, err));
    memset(in->data, 0, (size_t)n * sizeof *in->data);
    if (end > begin)
        memcpy(in->data + begin, x + first + begin, (size_t)(end - begin) * sizeof *x);
    TRY(dac_encode(w->tape, w->codec->dac, in, w->padding, &z, err));
    TRY(projected_rvq_encode(w->tape, w->codec->projected_rvq, z, w->n_stages, codes, NULL, err));
fail:
    return status;
}

/* Frames first .. first + n - 1 of codes [n_stages, n_all] -> y [dac_decoded_len(n)] */
static RsdStatus decode_window(Windows *w, const uint16_t *codes, int64_t n_all, int64_t first, int64_t n, float *y, RsdError *err)
{
    uint16_t *some = NULL;
    Tensor *z, *out;
    RsdStatus status = RSD_OK;

    tape_reset(w->tape);
    TRY(arena_alloc(w->tape->arena, &some, (size_t)(w->n_stages * n), sizeof *some, err));
    for (int i = 0; i < w->n_stages; i++)
        memcpy(some + i * n, codes + i * n_all + first, (size_t)n * sizeof *codes);
    TRY(audio_codec_latents(w->tape, w->codec, some, 1, w->n_stages, n, &z, err));
    TRY(dac_decode(w->tape, w->codec->dac, z, w->padding, &out, err));
    memcpy(y, out->data, (size_t)out->shape[2] * sizeof *y);
fail:
    return status;
}

/* ---- encoding ---- */

/* *y [channels, *n_out] at out_hz from x [channels, n]. */
static RsdStatus resample_all(float **y, int64_t *n_out, const float *x, int channels, int64_t n, int in_hz, int out_hz,
                              RsdError *err)
{
    RsdStatus status = RSD_OK;

    *n_out = in_hz == out_hz ? n : resampler_out_len(n, in_hz, out_hz);
    TRY(mem_alloc(y, (size_t)channels * (size_t)*n_out + 1, sizeof **y, err));
    for (int c = 0; c < channels; c++) {
        float *one = NULL;
        int64_t n_one = n;

        if (in_hz != out_hz)
            TRY(resample_signal(x + c * n, n, in_hz, out_hz, &one, &n_one, err));
        memcpy(*y + c * *n_out, one ? one : x + c * n, (size_t)*n_out * sizeof **y);
        mem_free(&one);
    }
fail:
    return status;
}

static RsdStatus encode_all(DacFile *file, Windows *w, const float *y, int64_t n, int64_t first, int64_t window, int64_t step,
                            RsdError *err)
{
    int64_t n_windows = (n + step - 1) / step;
    uint16_t *codes = NULL;
    RsdStatus status = RSD_OK;

    file->n_frames = n_windows * file->chunk_length;
    TRY(mem_alloc(&file->codes, (size_t)(file->channels * file->n_stages * file->n_frames), sizeof *file->codes, err));
    TRY(mem_alloc(&codes, (size_t)(file->n_stages * file->chunk_length), sizeof *codes, err));
    for (int c = 0; c < file->channels; c++)
        for (int64_t i = 0; i < n_windows; i++) {
            TRY(encode_window(w, y + c * n, n, first + i * step, window, codes, err));
            for (int q = 0; q < file->n_stages; q++)
                memcpy(file->codes + (c * file->n_stages + q) * file->n_frames + i * file->chunk_length,
                       codes + q * file->chunk_length, (size_t)file->chunk_length * sizeof *codes);
        }
fail:
    mem_free(&codes);
    return status;
}

RsdStatus dac_job_encode(DacFile *file, const RsdModel *model, RsdThreads *threads, int n_stages, float *x, int channels,
                         int64_t n, int rate_hz, double window_s, const double *input_db, RsdError *err)
{
    const int64_t hop = model->info.hop_samples;
    int64_t n_model, window, step, first = 0;
    Windows w = {0};
    float *y = NULL;
    double db;
    RsdStatus status = RSD_OK;

    memset(file, 0, sizeof *file);
    TRY(check_model(model, err));
    CHECK(channels >= 1 && channels <= DAC_FILE_MAX_CHANNELS && n >= 1, err, RSD_ERR_ARG,
          "%d channels of %lld samples; a .dac file has 1 to %d of at least one", channels, (long long)n, DAC_FILE_MAX_CHANNELS);
    TRY(resample_all(&y, &n_model, x, channels, n, rate_hz, model->info.rate_hz, err));
    if (input_db)
        db = *input_db;
    else
        TRY(measure(&db, y, channels, n_model, model->info.rate_hz, err));
    scale(y, channels * n_model, pow(10.0, (TARGET_DB - db) / 20.0));
    limit_peak(y, channels, n_model);
    *file = (DacFile){.channels = channels,
                      .n_stages = n_stages,
                      .original_length = n,
                      .sample_rate_hz = rate_hz,
                      .input_db = (float)db,
                      .padding = window_s == 0.0 || (double)n_model <= window_s * model->info.rate_hz};
    window = file->padding ? n_model : (int64_t)(window_s * model->info.rate_hz);
    window = (window + hop - 1) / hop * hop;
    step = window;
    file->chunk_length = window / hop;
    if (!file->padding) {
        const DacConfig *cfg = &model->codec->config.dac;

        file->chunk_length = dac_encoded_len(cfg, window, DAC_PAD_NONE);
        step = dac_decoded_len(cfg, file->chunk_length, DAC_PAD_NONE);
        first = -dac_reach(cfg);
        CHECK(file->chunk_length > 0 && step > 0, err, RSD_ERR_ARG, "windows of %g s are too short for model %s", window_s,
              model->info.name);
    }
    TRY(windows_open(&w, model, threads, n_stages, file->padding ? DAC_PAD_ZERO : DAC_PAD_NONE, err));
    TRY(encode_all(file, &w, y, n_model, first, window, step, err));
fail:
    windows_close(&w);
    mem_free(&y);
    if (status != RSD_OK)
        dac_file_clear(file);
    return status;
}

/* ---- decoding ---- */

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

/* y [channels, *n] at the model's rate; first only counted. */
static int64_t decoded_len(const DacFile *file, const DacConfig *cfg, DacPadding padding)
{
    int64_t n_full = file->n_frames / file->chunk_length, rest = file->n_frames % file->chunk_length;

    return n_full * dac_decoded_len(cfg, file->chunk_length, padding) + (rest ? dac_decoded_len(cfg, rest, padding) : 0);
}

static RsdStatus decode_channel(Windows *w, const DacFile *file, int channel, float *y, RsdError *err)
{
    const uint16_t *codes = file->codes + channel * file->n_stages * file->n_frames;
    RsdStatus status = RSD_OK;

    for (int64_t first = 0; first < file->n_frames; first += file->chunk_length) {
        int64_t n = file->n_frames - first < file->chunk_length ? file->n_frames - first : file->chunk_length;
        int64_t len = dac_decoded_len(&w->codec->config.dac, n, w->padding);

        if (len > 0)
            TRY(decode_window(w, codes, file->n_frames, first, n, y, err));
        y += len;
    }
fail:
    return status;
}

RsdStatus dac_job_decode(float **x, const DacFile *file, const RsdModel *model, RsdThreads *threads, const char *name,
                         RsdError *err)
{
    DacPadding padding = file->padding ? DAC_PAD_ZERO : DAC_PAD_NONE;
    float *y = NULL, *z = NULL;
    int64_t n, n_out;
    Windows w = {0};
    RsdStatus status = RSD_OK;

    *x = NULL;
    TRY(check_model(model, err));
    TRY(check_codes(file, model, name, err));
    n = decoded_len(file, &model->codec->config.dac, padding);
    n_out = resampler_out_len(n, model->info.rate_hz, file->sample_rate_hz);
    /* Odd rates lose some samples at the end. */
    CHECK(n > 0 && file->original_length <= n_out + (int64_t)model->info.hop_samples * file->sample_rate_hz / model->info.rate_hz,
          err, RSD_ERR_CORRUPT, "%s: 'original_length' is %lld, its %lld frames give %lld samples", name,
          (long long)file->original_length, (long long)file->n_frames, (long long)n_out);
    TRY(mem_alloc(&y, (size_t)(file->channels * n), sizeof *y, err));
    TRY(windows_open(&w, model, threads, file->n_stages, padding, err));
    for (int c = 0; c < file->channels; c++) {
        double db;

        TRY(decode_channel(&w, file, c, y + c * n, err));
        TRY(measure(&db, y + c * n, 1, n, model->info.rate_hz, err)); /* each by itself, as the DAC tool does */
        scale(y + c * n, n, pow(10.0, (file->input_db - db) / 20.0));
    }
    windows_close(&w);
    TRY(resample_all(&z, &n_out, y, file->channels, n, model->info.rate_hz, file->sample_rate_hz, err));
    TRY(mem_calloc(x, (size_t)(file->channels * file->original_length) + 1, sizeof **x, err));
    for (int c = 0; c < file->channels; c++)
        memcpy(*x + c * file->original_length, z + c * n_out,
               (size_t)(n_out < file->original_length ? n_out : file->original_length) * sizeof **x);
fail:
    windows_close(&w);
    mem_free(&y);
    mem_free(&z);
    return status;
}
