/* report_sound.c - what a listener wants of a pair of recordings: spectrograms and something to play.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "cli/report.h"
#include "cli/spectrogram.h"
#include "engine/base/bytes.h"
#include "engine/base/mem.h"
#include "media/wav_header.h"

#define STEPS_PER_EXCERPT 20 /* the excerpt begins at one of these, from the start of the recording */
#define PLAYED_CHANNELS 2    /* of more only the first two are played */

struct SoundDetail {
    double start_s, seconds, nyquist_hz, top_db;
    uint8_t *pictures[SPECTROGRAM_KINDS], *wavs[2];
    size_t picture_sizes[SPECTROGRAM_KINDS], wav_size;
};

/* The start of the `len` samples with the largest error. */
static int64_t find_worst(const float *ref, const float *dist, int64_t n, int64_t len)
{
    int64_t step = len / STEPS_PER_EXCERPT > 0 ? len / STEPS_PER_EXCERPT : 1, best = 0;
    double most = -1;

    for (int64_t from = 0; from + len <= n; from += step) {
        double sum = 0;

        for (int64_t i = from; i < from + len; i += 3) /* every third sample says enough */
            sum += fabs((double)ref[i] - dist[i]);
        if (sum > most) {
            most = sum;
            best = from;
        }
    }
    return best;
}

static RsdStatus make_wav(uint8_t **bytes, size_t *size, const float *x, size_t stride, int channels, int64_t n,
                          int rate_hz, RsdError *err)
{
    RsdStatus status = RSD_OK;

    channels = channels < PLAYED_CHANNELS ? channels : PLAYED_CHANNELS;
    *size = WAV_HEADER_SIZE + (size_t)n * (size_t)channels * 2;
    TRY(mem_alloc(bytes, *size, 1, err));
    wav_header_write(*bytes, rate_hz, channels, 16, false, n);
    for (int64_t i = 0; i < n; i++)
        for (int c = 0; c < channels; c++) {
            double v = 32768.0 * (double)x[(size_t)c * stride + (size_t)i];
            long rounded = lround(fmin(32767, fmax(-32768, v)));

            put_u16le(*bytes + WAV_HEADER_SIZE + 2 * ((size_t)i * (size_t)channels + (size_t)c), (uint16_t)rounded);
        }
fail:
    return status;
}

static RsdStatus draw(SoundDetail *d, const float *ref, const float *dist, int64_t n, int rate_hz, RsdError *err)
{
    SpectrogramSet set = {0};
    PngColour colours[256];
    RsdStatus status = RSD_OK;

    TRY(spectrogram_create(&set, ref, dist, n, rate_hz, err));
    d->top_db = set.top_db;
    for (int kind = 0; kind < SPECTROGRAM_KINDS; kind++) {
        PngPicture picture = {set.columns, SPECTROGRAM_ROWS, 1, set.pixels[kind], colours};

        spectrogram_colours(colours, (SpectrogramKind)kind);
        TRY(png_encode(&d->pictures[kind], &d->picture_sizes[kind], &picture, err));
    }
fail:
    spectrogram_clear(&set);
    return status;
}

RsdStatus sound_detail_create(SoundDetail **out, const Pair *pair, const EvalOptions *options, RsdError *err)
{
    EvalSignals s = {0};
    SoundDetail *d = NULL;
    const float *ref, *dist;
    int64_t len, from;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&d, 1, sizeof *d, err));
    TRY(eval_signals_load(&s, pair, options, NULL, err));
    len = (int64_t)(REPORT_EXCERPT_S * s.rate_hz);
    len = len < s.n_common ? len : s.n_common;
    from = find_worst(s.ref + s.ref_from, s.dist + s.dist_from, s.n_common, len);
    ref = s.ref + s.ref_from + from;
    dist = s.dist + s.dist_from + from;
    d->start_s = (double)(s.ref_from + from) / s.rate_hz;
    d->seconds = (double)len / s.rate_hz;
    d->nyquist_hz = s.rate_hz / 2.0;
    TRY(draw(d, ref, dist, len, s.rate_hz, err));
    TRY(make_wav(&d->wavs[0], &d->wav_size, ref, (size_t)s.n_ref, s.channels, len, s.rate_hz, err));
    TRY(make_wav(&d->wavs[1], &d->wav_size, dist, (size_t)s.n_dist, s.channels, len, s.rate_hz, err));
    *out = d;
    d = NULL;
fail:
    eval_signals_clear(&s);
    sound_detail_destroy(&d);
    return status;
}

void sound_detail_write(JsonLine *data, const SoundDetail *d)
{
    static const char *const kinds[] = {"ref", "dist", "difference"};

    json_line_number(data, "start_s", d->start_s, 3);
    json_line_number(data, "seconds", d->seconds, 3);
    json_line_number(data, "nyquist_hz", d->nyquist_hz, 1);
    json_line_number(data, "top_db", d->top_db, 1);
    for (int kind = 0; kind < SPECTROGRAM_KINDS; kind++)
        json_line_data_uri(data, kinds[kind], "image/png", d->pictures[kind], d->picture_sizes[kind]);
    json_line_data_uri(data, "ref_wav", "audio/wav", d->wavs[0], d->wav_size);
    json_line_data_uri(data, "dist_wav", "audio/wav", d->wavs[1], d->wav_size);
}

void sound_detail_destroy(SoundDetail **detail)
{
    SoundDetail *d = *detail;

    if (!d)
        return;
    for (int kind = 0; kind < SPECTROGRAM_KINDS; kind++)
        mem_free(&d->pictures[kind]);
    mem_free(&d->wavs[0]);
    mem_free(&d->wavs[1]);
    mem_free(detail);
}
