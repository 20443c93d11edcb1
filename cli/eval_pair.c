/* eval_pair.c - from two files to values.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/eval_pair.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/words.h"
#include "engine/base/mem.h"
#include "media/audio_reader.h"

#define MAX_SAMPLES ((int64_t)1 << 28) /* per channel: an hour and a half at 48 kHz; both signals are in memory */
#define NOTED_DIFFERENCE_S 0.1

static void note(char notes[EVAL_NOTES_SIZE], const char *format, ...) RSD_PRINTF(2, 3);

static void note(char notes[EVAL_NOTES_SIZE], const char *format, ...)
{
    size_t used = notes ? strlen(notes) : 0;
    va_list args;

    if (!notes || used + 2 > EVAL_NOTES_SIZE)
        return;
    va_start(args, format);
    vsnprintf(notes + used, EVAL_NOTES_SIZE - used - 1, format, args);
    va_end(args);
    strcat(notes, "\n");
}

static RsdStatus read_source_form(AudioInfo *info, const char *path, RsdError *err)
{
    AudioReader *reader = NULL;
    RsdStatus status = audio_reader_open(&reader, path, NULL, err);

    if (status == RSD_OK)
        *info = *audio_reader_info(reader);
    audio_reader_close(&reader);
    return status;
}

/* Both at the rate asked for or that of the original, and in mono unless they have the same channels. */
static RsdStatus read_both(EvalSignals *s, const Pair *pair, double rate_hz, char notes[EVAL_NOTES_SIZE], RsdError *err)
{
    AudioInfo ref, dist;
    AudioReaderOptions form = {0};
    char rates[3][RATE_TEXT_SIZE], channels[2][CHANNELS_TEXT_SIZE];
    RsdStatus status = RSD_OK;

    TRY(read_source_form(&ref, pair->ref, err));
    TRY(read_source_form(&dist, pair->dist, err));
    form.rate_hz = s->rate_hz = rate_hz > 0 ? (int)rate_hz : ref.rate_hz;
    form.channels = s->channels = ref.channels == dist.channels ? ref.channels : 1;
    if (ref.rate_hz != s->rate_hz || dist.rate_hz != s->rate_hz)
        note(notes, "%s: %s against %s, compared at %s", pair->name, rate_text(rates[0], ref.rate_hz),
             rate_text(rates[1], dist.rate_hz), rate_text(rates[2], s->rate_hz));
    if (ref.channels != dist.channels)
        note(notes, "%s: %s against %s, compared in mono", pair->name, channels_text(channels[0], ref.channels),
             channels_text(channels[1], dist.channels));
    TRY(audio_read_all(pair->ref, &form, MAX_SAMPLES, &s->ref, &s->n_ref, NULL, err));
    TRY(audio_read_all(pair->dist, &form, MAX_SAMPLES, &s->dist, &s->n_dist, NULL, err));
    CHECK(s->n_ref > 0, err, RSD_ERR_CORRUPT, "%s: holds no samples", pair->ref);
    CHECK(s->n_dist > 0, err, RSD_ERR_CORRUPT, "%s: holds no samples", pair->dist);
fail:
    return status;
}

RsdStatus eval_signals_load(EvalSignals *s, const Pair *pair, const EvalOptions *options, char notes[EVAL_NOTES_SIZE],
                            RsdError *err)
{
    RsdStatus status = RSD_OK;

    *s = (EvalSignals){0};
    TRY(read_both(s, pair, options->rate_hz, notes, err));
    if (!options->no_align)
        TRY(align_find(&s->alignment, s->ref, s->n_ref, s->dist, s->n_dist, s->rate_hz,
                       (int64_t)ceil(options->max_delay_s * s->rate_hz), err));
    align_overlap(s->alignment.lag_samples, s->n_ref, s->n_dist, &s->ref_from, &s->dist_from, &s->n_common);
    CHECK(s->n_common > 0, err, RSD_ERR_CORRUPT, "%s and %s have nothing in common at a delay of %lld samples",
          pair->ref, pair->dist, (long long)s->alignment.lag_samples);
    if ((double)llabs(s->n_ref - s->n_dist) > NOTED_DIFFERENCE_S * s->rate_hz)
        note(notes, "%s: %.2f s against %.2f s, %.2f s compared", pair->name, (double)s->n_ref / s->rate_hz,
             (double)s->n_dist / s->rate_hz, (double)s->n_common / s->rate_hz);
    return RSD_OK;
fail:
    eval_signals_clear(s);
    return status;
}

void eval_signals_clear(EvalSignals *s)
{
    mem_free(&s->ref);
    mem_free(&s->dist);
}

static RsdStatus measure(EvalResult *r, const EvalSignals *s, const EvalSet *set, const EvalOptions *options,
                         RsdError *err)
{
    MetricChannels both = {.ref = s->ref + s->ref_from,
                           .dist = s->dist + s->dist_from,
                           .ref_stride = (size_t)s->n_ref,
                           .dist_stride = (size_t)s->n_dist,
                           .channels = s->channels,
                           .n = s->n_common,
                           .rate_hz = s->rate_hz,
                           .aids = &options->aids};
    MetricValue *each = NULL;
    RsdStatus status = RSD_OK;

    TRY(mem_calloc(&r->values, set->n, sizeof *r->values, err));
    TRY(mem_calloc(&r->each, set->n * (size_t)s->channels, sizeof *r->each, err));
    TRY(mem_alloc(&each, (size_t)s->channels, sizeof *each, err));
    for (size_t m = 0; m < set->n; m++) {
        TRY(audio_metric_measure(&r->values[m], each, set->items[m].audio, &both, err));
        for (int c = 0; c < s->channels; c++)
            r->each[(size_t)c * set->n + m] = each[c];
    }
    TRY(loudness_measure(&r->ref_loudness, both.ref, both.ref_stride, both.channels, both.n, both.rate_hz, err));
    TRY(loudness_measure(&r->dist_loudness, both.dist, both.dist_stride, both.channels, both.n, both.rate_hz, err));
fail:
    mem_free(&each);
    return status;
}

void eval_pair_measure(EvalResult *r, const Pair *pair, const EvalSet *set, const EvalOptions *options)
{
    EvalSignals s = {0};

    *r = (EvalResult){0};
    r->status = eval_signals_load(&s, pair, options, r->notes, &r->err);
    if (r->status == RSD_OK) {
        r->rate_hz = s.rate_hz;
        r->channels = s.channels;
        r->n_ref = s.n_ref;
        r->n_dist = s.n_dist;
        r->n_common = s.n_common;
        r->alignment = s.alignment;
        r->status = measure(r, &s, set, options, &r->err);
    }
    eval_signals_clear(&s);
}

void eval_result_clear(EvalResult *r)
{
    mem_free(&r->values);
    mem_free(&r->each);
}
