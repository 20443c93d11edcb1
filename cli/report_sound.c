/* report_sound.c - what a listener wants of a pair of recordings: spectrograms and something to play.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "cli/eval_audio.h"
#include "cli/spectrogram.h"
#include "engine/base/bytes.h"
#include "engine/base/mem.h"
#include "media/wav_header.h"

#define STEPS_PER_EXCERPT 20 /* the excerpt begins at one of these, from the start of the recording */
#define PLAYED_CHANNELS 2    /* of more only the first two are played */

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

static RsdStatus make_wav(DetailFile *file, const float *x, size_t stride, int channels, int64_t n, int rate_hz,
                          RsdError *err)
{
    RsdStatus status = RSD_OK;

    channels = channels < PLAYED_CHANNELS ? channels : PLAYED_CHANNELS;
    file->size = WAV_HEADER_SIZE + (size_t)n * (size_t)channels * 2;
    TRY(mem_alloc(&file->bytes, file->size, 1, err));
    wav_header_write(file->bytes, rate_hz, channels, 16, false, n);
    for (int64_t i = 0; i < n; i++)
        for (int c = 0; c < channels; c++) {
            double v = 32768.0 * (double)x[(size_t)c * stride + (size_t)i];
            long rounded = lround(fmin(32767, fmax(-32768, v)));

            put_u16le(file->bytes + WAV_HEADER_SIZE + 2 * ((size_t)i * (size_t)channels + (size_t)c), (uint16_t)rounded);
        }
fail:
    return status;
}

static RsdStatus draw(EvalDetail *detail, const float *ref, const float *dist, int64_t n, int rate_hz, RsdError *err)
{
    static const char *const keys[] = {"ref", "dist", "difference"};
    SpectrogramSet set = {0};
    PngColour colours[256];
    RsdStatus status = RSD_OK;

    TRY(spectrogram_create(&set, ref, dist, n, rate_hz, err));
    eval_detail_number(detail, "top_db", set.top_db, 1);
    for (int kind = 0; kind < SPECTROGRAM_KINDS; kind++) {
        PngPicture picture = {set.columns, SPECTROGRAM_ROWS, 1, set.pixels[kind], colours};
        DetailFile *file = eval_detail_file(detail, keys[kind], "image/png");

        spectrogram_colours(colours, (SpectrogramKind)kind);
        TRY(png_encode(&file->bytes, &file->size, &picture, err));
    }
fail:
    spectrogram_clear(&set);
    return status;
}

RsdStatus sound_detail(EvalDetail *detail, const Pair *pair, const EvalOptions *options, RsdError *err)
{
    EvalSignals s = {0};
    const float *ref, *dist;
    int64_t len, from;
    RsdStatus status = RSD_OK;

    TRY(eval_signals_load(&s, pair, options, NULL, err));
    len = (int64_t)(REPORT_EXCERPT_S * s.rate_hz);
    len = len < s.n_common ? len : s.n_common;
    from = find_worst(s.ref + s.ref_from, s.dist + s.dist_from, s.n_common, len);
    ref = s.ref + s.ref_from + from;
    dist = s.dist + s.dist_from + from;
    eval_detail_number(detail, "start_s", (double)(s.ref_from + from) / s.rate_hz, 3);
    eval_detail_number(detail, "seconds", (double)len / s.rate_hz, 3);
    eval_detail_number(detail, "nyquist_hz", s.rate_hz / 2.0, 1);
    TRY(draw(detail, ref, dist, len, s.rate_hz, err));
    TRY(make_wav(eval_detail_file(detail, "ref_wav", "audio/wav"), ref, (size_t)s.n_ref, s.channels, len, s.rate_hz, err));
    TRY(make_wav(eval_detail_file(detail, "dist_wav", "audio/wav"), dist, (size_t)s.n_dist, s.channels, len, s.rate_hz, err));
fail:
    eval_signals_clear(&s);
    return status;
}
