/* eval_audio.c - pairs of recordings: from two files to values.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/eval_audio.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/words.h"
#include "engine/base/mem.h"
#include "losses/stoi.h"
#include "media/audio_reader.h"

/* Of each signal, both of which are in memory. */
#define MAX_SAMPLES ((int64_t)1 << 28) /* per channel: an hour and a half at 48 kHz */
#define MAX_NUMBERS ((int64_t)1 << 30) /* of all channels: 46 minutes of eight */
#define LARGE_NUMBERS ((int64_t)1 << 24) /* of more, one pair is in memory at a time */
#define NOTED_DIFFERENCE_S 0.1

static RsdStatus read_source_form(AudioInfo *info, const char *path, RsdError *err)
{
    AudioReader *reader = NULL;
    RsdStatus status = audio_reader_open(&reader, path, NULL, err);

    if (status == RSD_OK)
        *info = *audio_reader_info(reader);
    audio_reader_close(&reader);
    return status;
}

static RsdStatus read_samples(EvalSignals *s, const Pair *pair, int64_t max_numbers, RsdError *err)
{
    const AudioReaderOptions form = {.rate_hz = s->rate_hz, .channels = s->channels};
    const int64_t each = max_numbers / s->channels, most = each < MAX_SAMPLES ? each : MAX_SAMPLES;
    RsdStatus status = RSD_OK;

    TRY(audio_read_all(pair->ref, &form, most, &s->ref, &s->n_ref, NULL, err));
    TRY(audio_read_all(pair->dist, &form, most, &s->dist, &s->n_dist, NULL, err));
    return RSD_OK;
fail:
    mem_free(&s->ref);
    return status;
}

/* What is too long to lie beside others is read anew when it is its turn: stated lengths may be wrong. */
static RsdStatus read_in_turn(EvalSignals *s, const Pair *pair, EvalTurn *turn, RsdError *err)
{
    RsdStatus status = read_samples(s, pair, turn ? LARGE_NUMBERS : MAX_NUMBERS, err);

    if (status != RSD_ERR_MEMORY || !turn)
        return status;
    pthread_mutex_lock(&turn->mutex);
    s->turn = turn;
    return read_samples(s, pair, MAX_NUMBERS, err);
}

/* Both at the rate asked for or that of the original, and in mono unless they have the same channels. */
static RsdStatus read_both(EvalSignals *s, const Pair *pair, const EvalOptions *options, char notes[EVAL_NOTES_SIZE], RsdError *err)
{
    AudioInfo ref, dist;
    char rates[3][RATE_TEXT_SIZE], channels[2][CHANNELS_TEXT_SIZE];
    RsdStatus status = RSD_OK;

    TRY(read_source_form(&ref, pair->ref, err));
    TRY(read_source_form(&dist, pair->dist, err));
    s->rate_hz = options->rate_hz > 0 ? (int)options->rate_hz : ref.rate_hz;
    s->channels = ref.channels == dist.channels ? ref.channels : 1;
    if (ref.rate_hz != s->rate_hz || dist.rate_hz != s->rate_hz)
        eval_note(notes, "%s: %s against %s, compared at %s", pair->name, rate_text(rates[0], ref.rate_hz),
             rate_text(rates[1], dist.rate_hz), rate_text(rates[2], s->rate_hz));
    if (ref.channels != dist.channels)
        eval_note(notes, "%s: %s against %s, compared in mono", pair->name, channels_text(channels[0], ref.channels),
             channels_text(channels[1], dist.channels));
    TRY(read_in_turn(s, pair, options->turn, err));
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
    TRY(read_both(s, pair, options, notes, err));
    if (!options->no_align)
        TRY(align_find(&s->alignment, s->ref, s->n_ref, s->dist, s->n_dist, s->channels, s->rate_hz,
                       (int64_t)ceil(options->max_delay_s * s->rate_hz), err));
    align_overlap(s->alignment.lag_samples, s->n_ref, s->n_dist, &s->ref_from, &s->dist_from, &s->n_common);
    CHECK(s->n_common > 0, err, RSD_ERR_CORRUPT, "%s and %s have nothing in common at a delay of %lld samples",
          pair->ref, pair->dist, (long long)s->alignment.lag_samples);
    if ((double)llabs(s->n_ref - s->n_dist) > NOTED_DIFFERENCE_S * s->rate_hz)
        eval_note(notes, "%s: %.2f s against %.2f s, %.2f s compared", pair->name, (double)s->n_ref / s->rate_hz,
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
    if (s->turn)
        pthread_mutex_unlock(&s->turn->mutex);
    s->turn = NULL;
}

/* ---- metrics ---- */

static bool metric_at(EvalMetric *metric, size_t i)
{
    const AudioMetric *audio = audio_metric_at(i);

    if (!audio)
        return false;
    *metric = (EvalMetric){.name = audio->name,
                           .title = audio->title,
                           .unit = audio->unit,
                           .summary = audio->summary,
                           .better = audio->better,
                           .n_digits = audio->n_digits,
                           .usual = audio->usual,
                           .by_channel = audio->function != NULL,
                           .of_kind = audio};
    return true;
}

static RsdStatus metric_check(const EvalMetric *metric, const EvalOptions *options, RsdError *err)
{
    (void)metric, (void)options, (void)err;
    return RSD_OK;
}

/* Values of stretches of frame_s. */
static RsdStatus measure_frames(EvalResult *r, const MetricChannels *both, const EvalSet *set, const EvalOptions *options,
                                RsdError *err)
{
    const int64_t len = (int64_t)ceil(options->frame_s * both->rate_hz), n = both->n > len ? both->n / len : 1;
    RsdStatus status = RSD_OK;

    r->audio.frame_len = len;
    TRY(eval_parts_open(&r->places, n, set, err));
    for (int64_t i = 0; i < n; i++) {
        MetricChannels frame = *both;

        frame.ref += i * len;
        frame.dist += i * len;
        frame.n = i + 1 < n ? len : both->n - i * len;
        for (size_t m = 0; m < set->n; m++)
            TRY(audio_metric_measure(&r->places.values[(size_t)i * set->n + m], NULL, set->items[m].of_kind, &frame, err));
    }
fail:
    return status;
}

static bool is_stoi(const EvalMetric *metric)
{
    return ((const AudioMetric *)metric->of_kind)->function == metric_stoi;
}

/* Of STOI, over the channels. */
static RsdStatus measure_bands(EvalResult *r, const MetricChannels *both, const EvalSet *set, RsdError *err)
{
    MetricMean means[STOI_N_BANDS] = {0};
    MetricValue bands[STOI_N_BANDS];
    RsdStatus status = RSD_OK;

    TRY(eval_parts_open(&r->bands, STOI_N_BANDS, set, err));
    for (int c = 0; c < both->channels; c++) {
        const MetricSignals one = {both->ref + (size_t)c * both->ref_stride, both->dist + (size_t)c * both->dist_stride, both->n,
                                   both->rate_hz, both->aids};

        TRY(metric_stoi_bands(bands, &one, err));
        for (int b = 0; b < STOI_N_BANDS; b++)
            metric_mean_add(&means[b], &bands[b]);
    }
    for (size_t m = 0; m < set->n; m++)
        for (int b = 0; b < STOI_N_BANDS; b++)
            r->bands.values[(size_t)b * set->n + m] =
                is_stoi(&set->items[m]) ? metric_mean_value(&means[b]) : (MetricValue){.flags = METRIC_NOT_APPLICABLE};
fail:
    return status;
}

static bool has_bands(const EvalSet *set)
{
    for (size_t m = 0; m < set->n; m++)
        if (is_stoi(&set->items[m]))
            return true;
    return false;
}

static RsdStatus measure_signals(EvalResult *r, const EvalSignals *s, const EvalSet *set, const EvalOptions *options,
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
        TRY(audio_metric_measure(&r->values[m], each, set->items[m].of_kind, &both, err));
        for (int c = 0; c < s->channels; c++)
            r->each[(size_t)c * set->n + m] = each[c];
    }
    if (options->frame_s > 0)
        TRY(measure_frames(r, &both, set, options, err));
    if (options->frame_s > 0 && has_bands(set))
        TRY(measure_bands(r, &both, set, err));
    TRY(loudness_measure(&r->audio.ref_loudness, both.ref, both.ref_stride, both.channels, both.n, both.rate_hz, err));
    TRY(loudness_measure(&r->audio.dist_loudness, both.dist, both.dist_stride, both.channels, both.n, both.rate_hz, err));
fail:
    mem_free(&each);
    return status;
}

static RsdStatus measure(EvalResult *r, const Pair *pair, const EvalSet *set, const EvalOptions *options, Tape *tape,
                         RsdError *err)
{
    EvalSignals s = {0};
    RsdStatus status = RSD_OK;

    (void)tape;
    TRY(eval_signals_load(&s, pair, options, r->notes, err));
    r->channels = s.channels;
    r->audio.rate_hz = s.rate_hz;
    r->audio.n_ref = s.n_ref;
    r->audio.n_dist = s.n_dist;
    r->audio.n_common = s.n_common;
    r->audio.alignment = s.alignment;
    TRY(measure_signals(r, &s, set, options, err));
fail:
    eval_signals_clear(&s);
    return status;
}

/* ---- what else there is to say ---- */

static double delay_ms(const EvalResult *r)
{
    return 1000.0 * (double)r->audio.alignment.lag_samples / r->audio.rate_hz;
}

static const char *column_text(char text[EVAL_TEXT_SIZE], const EvalResult *r)
{
    snprintf(text, EVAL_TEXT_SIZE, "%.2f", delay_ms(r));
    return text;
}

static void print_facts(const EvalResult *r)
{
    const EvalAudioFacts *a = &r->audio;
    char rate[RATE_TEXT_SIZE], channels[CHANNELS_TEXT_SIZE];

    printf("%s %s, %.2f s compared, delay %.2f ms\n", rate_text(rate, a->rate_hz), channels_text(channels, r->channels),
           (double)a->n_common / a->rate_hz, delay_ms(r));
    printf("loudness %.1f LUFS against %.1f LUFS, true peak %.1f dBTP against %.1f dBTP\n", a->dist_loudness.lufs,
           a->ref_loudness.lufs, a->dist_loudness.true_peak_db, a->ref_loudness.true_peak_db);
}

static const char *channel_name(char text[EVAL_TEXT_SIZE], const EvalResult *r, int channel)
{
    (void)r;
    snprintf(text, EVAL_TEXT_SIZE, "%d", channel + 1);
    return text;
}

static const char *place_name(char text[EVAL_TEXT_SIZE], const EvalResult *r, int64_t place)
{
    snprintf(text, EVAL_TEXT_SIZE, "%.3f s", (double)(place * r->audio.frame_len) / r->audio.rate_hz);
    return text;
}

static const char *band_name(char text[EVAL_TEXT_SIZE], const EvalResult *r, int64_t band)
{
    (void)r;
    snprintf(text, EVAL_TEXT_SIZE, "%.0f Hz", stoi_band_hz((int)band));
    return text;
}

static void json_places(JsonLine *line, const EvalResult *r)
{
    json_line_real(line, "length_s", (double)r->audio.frame_len / r->audio.rate_hz);
    if (r->bands.n) {
        json_line_open(line, "band_hz", '[');
        for (int b = 0; b < STOI_N_BANDS; b++)
            json_line_real(line, NULL, stoi_band_hz(b));
        json_line_close(line, ']');
    }
}

static void json_facts(JsonLine *line, const EvalResult *r)
{
    const EvalAudioFacts *a = &r->audio;

    json_line_integer(line, "rate_hz", a->rate_hz);
    json_line_integer(line, "channels", r->channels);
    json_line_integer(line, "samples", a->n_common);
    json_line_integer(line, "ref_samples", a->n_ref);
    json_line_integer(line, "dist_samples", a->n_dist);
    json_line_integer(line, "delay_samples", a->alignment.lag_samples);
    json_line_number(line, "correlation", a->alignment.correlation, 4);
    json_line_real(line, "ref_loudness_lufs", a->ref_loudness.lufs);
    json_line_real(line, "dist_loudness_lufs", a->dist_loudness.lufs);
    json_line_real(line, "ref_true_peak_dbtp", a->ref_loudness.true_peak_db);
    json_line_real(line, "dist_true_peak_dbtp", a->dist_loudness.true_peak_db);
}

static void csv_facts(const EvalResult *r)
{
    printf(",%d,%d,%lld,%lld", r->audio.rate_hz, r->channels, (long long)r->audio.n_common,
           (long long)r->audio.alignment.lag_samples);
}

const EvalKind eval_kind_audio = {
    .name = "audio",
    .things = "recordings",
    .thing = "recording",
    .rank = "mel",
    .tiny = "too short",
    .metric_at = metric_at,
    .metric_check = metric_check,
    .measure = measure,
    .column = "delay ms",
    .column_text = column_text,
    .print_facts = print_facts,
    .channel_name = channel_name,
    .places = "frames",
    .place_name = place_name,
    .band_name = band_name,
    .json_places = json_places,
    .json_facts = json_facts,
    .csv_columns = ",rate_hz,channels,samples,delay_samples",
    .csv_facts = csv_facts,
    .detail_key = "sound",
    .detail = sound_detail,
};
