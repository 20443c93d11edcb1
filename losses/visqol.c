/* visqol.c - the steps of the published tool, in order.
 *
 *   mono, 48 or 16 kHz -> level -> spectrograms in dB with common floors -> patches of the reference -> for each
 *   the best place in the other -> aligned once more by itself -> similarity of each band -> score
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/visqol.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/dsp/window.h"
#include "losses/envelope_lag.h"
#include "losses/gammatone.h"
#include "losses/nsim.h"
#include "losses/octave_resample.h"
#include "losses/svr.h"

#define LOWEST_HZ 50.0
#define FRAME_S 0.08
#define HOPS_PER_FRAME 4
#define FLOOR_DB (-45.0) /* absolute, and below the louder of both frames */
#define SEARCH_PATCHES 1
#define VOICE_CHUNK_S 0.02
#define VOICE_RMS 5000.0 /* of 16-bit samples whose maximum is full scale */
#define VOICE_HANGOVER 2 /* chunks */
#define LOWEST_NSIM 0.15 /* less is a score of 1 */
/* exponential fit of the speech mode; the scale makes a similarity of 1 a score of 5 */
#define FIT_A (-262.847869)
#define FIT_B 0.0154302525
#define FIT_X0 361.063949
#define FIT_SCALE 1.245063

typedef struct Mode {
    int rate_hz, n_bands, patch_frames, first_frame;
    bool speech;
} Mode;

static const Mode audio_mode = {48000, VISQOL_AUDIO_BANDS, 30, 14, false};
static const Mode speech_mode = {16000, 21, 20, 9, true};

/* Frame t begins at t * NSIM_MAX_BANDS. */
typedef struct EarSpectrum {
    double *levels;
    int64_t n_frames;
} EarSpectrum;

typedef struct Visqol {
    const Mode *mode;
    Gammatone *bank;
    int frame_len, hop_len;
    double *window, *frame; /* [frame_len] */
    double *ref, *dist;     /* [n_ref], [n_dist], mono at the mode's rate */
    int64_t n_ref, n_dist;
    EarSpectrum ref_raw, dist_raw; /* without floors */
    EarSpectrum ref_spectrum, dist_spectrum;
    int64_t *starts; /* [n_patches] frames of the reference */
    int64_t n_patches;
} Visqol;

static void clear(Visqol *v)
{
    gammatone_destroy(&v->bank);
    mem_free(&v->window);
    mem_free(&v->frame);
    mem_free(&v->ref);
    mem_free(&v->dist);
    mem_free(&v->ref_raw.levels);
    mem_free(&v->dist_raw.levels);
    mem_free(&v->ref_spectrum.levels);
    mem_free(&v->dist_spectrum.levels);
    mem_free(&v->starts);
}

/* ---- signals ---- */

static RsdStatus load(double **out, int64_t *n_out, const float *x, size_t stride, const MetricChannels *s, int rate_hz,
                      RsdError *err)
{
    float *mono = NULL;
    RsdStatus status = RSD_OK;

    TRY(mem_alloc(&mono, (size_t)s->n, sizeof *mono, err));
    for (int64_t i = 0; i < s->n; i++) {
        double sum = 0;

        for (int c = 0; c < s->channels; c++)
            sum += x[(size_t)c * stride + (size_t)i];
        mono[i] = (float)(sum / s->channels);
    }
    TRY(octave_resample(mono, s->n, s->rate_hz, rate_hz, out, n_out, err));
fail:
    mem_free(&mono);
    return status;
}

static double rms_of(const double *x, int64_t n)
{
    double sum = 0;

    for (int64_t i = 0; i < n; i++)
        sum += x[i] * x[i];
    return sqrt(sum / (double)n);
}

static void set_level(Visqol *v)
{
    double ref_rms = rms_of(v->ref, v->n_ref), dist_rms = rms_of(v->dist, v->n_dist);

    for (int64_t i = 0; dist_rms > 0 && i < v->n_dist; i++)
        v->dist[i] *= ref_rms / dist_rms;
}

/* ---- spectrograms ---- */

static int64_t count_frames(const Visqol *v, int64_t n)
{
    return n < v->frame_len ? 0 : 1 + (n - v->frame_len) / v->hop_len;
}

static void analyse_frame(Visqol *v, const double *x, double *levels)
{
    for (int i = 0; i < v->frame_len; i++)
        v->frame[i] = v->window[i] * x[i];
    gammatone_levels(v->bank, v->frame, v->frame_len, levels);
    for (int b = 0; b < v->mode->n_bands; b++)
        levels[b] = fmax(FLOOR_DB, 10 * log10(levels[b] > 0 ? levels[b] : DBL_EPSILON));
}

static RsdStatus analyse(EarSpectrum *out, Visqol *v, const double *x, int64_t n, RsdError *err)
{
    RsdStatus status = RSD_OK;

    out->n_frames = count_frames(v, n);
    TRY(mem_calloc(&out->levels, (size_t)out->n_frames * NSIM_MAX_BANDS, sizeof *out->levels, err));
    for (int64_t t = 0; t < out->n_frames; t++)
        analyse_frame(v, x + t * v->hop_len, out->levels + t * NSIM_MAX_BANDS);
fail:
    return status;
}

static RsdStatus copy_frames(EarSpectrum *out, const EarSpectrum *from, int64_t first, int64_t n_frames, RsdError *err)
{
    RsdStatus status = mem_alloc(&out->levels, (size_t)n_frames * NSIM_MAX_BANDS, sizeof *out->levels, err);

    out->n_frames = n_frames;
    if (status == RSD_OK)
        memcpy(out->levels, from->levels + first * NSIM_MAX_BANDS, (size_t)n_frames * NSIM_MAX_BANDS * sizeof *out->levels);
    return status;
}

/* Of the stretch x [n] of `whole`, whose frames `raw` are: where they begin alike they are the same. */
static RsdStatus analyse_part(EarSpectrum *out, Visqol *v, const EarSpectrum *raw, const double *whole, const double *x, int64_t n,
                              RsdError *err)
{
    const int64_t from = x - whole;

    return from % v->hop_len == 0 ? copy_frames(out, raw, from / v->hop_len, count_frames(v, n), err) : analyse(out, v, x, n, err);
}

static double highest(const double *levels, int n_bands)
{
    double most = levels[0];

    for (int b = 1; b < n_bands; b++)
        most = fmax(most, levels[b]);
    return most;
}

/* Floors of each frame by the louder of both, then the minimum of everything becomes 0. */
static void set_floors(EarSpectrum *ref, EarSpectrum *dist, int n_bands)
{
    int64_t n_common = ref->n_frames < dist->n_frames ? ref->n_frames : dist->n_frames;
    EarSpectrum *both[2] = {ref, dist};
    double least = INFINITY;

    for (int64_t t = 0; t < n_common; t++) {
        double *r = ref->levels + t * NSIM_MAX_BANDS, *d = dist->levels + t * NSIM_MAX_BANDS;
        double floor_db = fmax(highest(r, n_bands), highest(d, n_bands)) + FLOOR_DB;

        for (int b = 0; b < n_bands; b++) {
            r[b] = fmax(r[b], floor_db);
            d[b] = fmax(d[b], floor_db);
        }
    }
    for (int i = 0; i < 2; i++)
        for (int64_t t = 0; t < both[i]->n_frames; t++)
            for (int b = 0; b < n_bands; b++)
                least = fmin(least, both[i]->levels[t * NSIM_MAX_BANDS + b]);
    for (int i = 0; i < 2; i++)
        for (int64_t t = 0; t < both[i]->n_frames; t++)
            for (int b = 0; b < n_bands; b++)
                both[i]->levels[t * NSIM_MAX_BANDS + b] -= least;
}

/* ---- patches ---- */

static double peak_of(const double *x, int64_t n)
{
    double most = 0;

    for (int64_t i = 0; i < n; i++)
        most = fmax(most, fabs(x[i]));
    return most;
}

/* Loud within the chunk, or in one of the two before it. */
static bool has_voice(const Visqol *v, int64_t chunk, double peak)
{
    int64_t len = llround(VOICE_CHUNK_S * v->mode->rate_hz);

    if (chunk < VOICE_HANGOVER)
        return true;
    for (int64_t c = chunk - VOICE_HANGOVER; c <= chunk; c++) {
        int64_t from = c * len, count = v->n_ref - from < len ? v->n_ref - from : len;

        if (count > 0 && rms_of(v->ref + from, count) / peak * 32768 >= VOICE_RMS)
            return true;
    }
    return false;
}

static bool patch_has_voice(const Visqol *v, int64_t start, double peak)
{
    for (int64_t t = start; t < start + v->mode->patch_frames; t++)
        if (has_voice(v, t, peak))
            return true;
    return false;
}

static RsdStatus choose_patches(Visqol *v, RsdError *err)
{
    const Mode *mode = v->mode;
    int64_t n_frames = v->ref_spectrum.n_frames, length = mode->patch_frames;
    double peak = peak_of(v->ref, v->n_ref);
    RsdStatus status = RSD_OK;

    TRY(mem_alloc(&v->starts, (size_t)(n_frames / length) + 1, sizeof *v->starts, err));
    for (int64_t i = mode->first_frame; mode->speech ? i + length <= n_frames : i < n_frames - length; i += length)
        if (!mode->speech || (peak > 0 && patch_has_voice(v, i, peak)))
            v->starts[v->n_patches++] = i;
    while (v->n_patches && v->starts[v->n_patches - 1] - length / 2 > v->dist_spectrum.n_frames)
        v->n_patches--;
fail:
    return status;
}

/* ---- matching ---- */

/* patch [length, NSIM_MAX_BANDS] from frame `at`, silence behind the end. */
static void cut_patch(const EarSpectrum *s, int64_t at, int length, double *patch)
{
    for (int t = 0; t < length; t++) {
        double *dst = patch + t * NSIM_MAX_BANDS;

        if (at + t < s->n_frames)
            memcpy(dst, s->levels + (at + t) * NSIM_MAX_BANDS, NSIM_MAX_BANDS * sizeof *dst);
        else
            memset(dst, 0, NSIM_MAX_BANDS * sizeof *dst);
    }
}

/* Where each patch lies in dist, so that the sum of similarities is largest and places rise. A row for each patch covers
 * the places around its own start: sums, and the place of the patch before; the same place means "not found". */
typedef struct Matches {
    int64_t reach, width; /* width = 2 reach + 1 */
    double *sums;         /* [n_patches, width] */
    int64_t *before;      /* [n_patches, width] */
} Matches;

static int64_t first_place(const Visqol *v, const Matches *m, int64_t p)
{
    return v->starts[p] - m->reach > 0 ? v->starts[p] - m->reach : 0;
}

static int64_t last_place(const Visqol *v, const Matches *m, int64_t p)
{
    int64_t last = v->starts[p] + m->reach;

    return last < v->dist_spectrum.n_frames ? last : v->dist_spectrum.n_frames - 1;
}

/* Of a place that was not looked at: 0. */
static double sum_at(const Visqol *v, const Matches *m, int64_t p, int64_t at)
{
    int64_t first = first_place(v, m, p);

    return at < first || at > last_place(v, m, p) ? 0 : m->sums[p * m->width + at - first];
}

static void match_place(const Visqol *v, Matches *m, int64_t p, int64_t at, double similarity)
{
    int64_t slot = p * m->width + at - first_place(v, m, p), last = -1;
    double most = -INFINITY;

    if (p > 0) {
        for (int64_t k = at - 1 < last_place(v, m, p - 1) ? at - 1 : last_place(v, m, p - 1);
             k >= first_place(v, m, p - 1); k--)
            if (sum_at(v, m, p - 1, k) > most) {
                most = sum_at(v, m, p - 1, k);
                last = k;
            }
        similarity += most;
        if (sum_at(v, m, p - 1, at) > similarity) {
            similarity = sum_at(v, m, p - 1, at);
            last = at;
        }
    }
    m->sums[slot] = similarity;
    m->before[slot] = last;
}

static void fill_matches(const Visqol *v, Matches *m)
{
    double ref[NSIM_MAX_FRAMES * NSIM_MAX_BANDS], dist[NSIM_MAX_FRAMES * NSIM_MAX_BANDS], bands[NSIM_MAX_BANDS];
    int length = v->mode->patch_frames;

    for (int64_t p = 0; p < v->n_patches; p++) {
        cut_patch(&v->ref_spectrum, v->starts[p], length, ref);
        for (int64_t at = first_place(v, m, p); at <= last_place(v, m, p); at++) {
            cut_patch(&v->dist_spectrum, at, length, dist);
            match_place(v, m, p, at, nsim_patch(ref, dist, v->mode->n_bands, length, bands));
        }
    }
}

/* The last patch must not run over the end. -1: no place at all. */
static int64_t find_last_match(const Visqol *v, const Matches *m)
{
    int64_t p = v->n_patches - 1, found = -1;
    double most = -INFINITY;

    for (int64_t at = first_place(v, m, p); at <= last_place(v, m, p); at++)
        if (at < v->dist_spectrum.n_frames - v->mode->patch_frames && sum_at(v, m, p, at) > most) {
            most = sum_at(v, m, p, at);
            found = at;
        }
    return found >= 0 ? found : first_place(v, m, p) <= last_place(v, m, p) ? first_place(v, m, p) : -1;
}

static int64_t place_before(const Visqol *v, const Matches *m, int64_t p, int64_t at)
{
    int64_t first = first_place(v, m, p);

    return at < first || at > last_place(v, m, p) ? -1 : m->before[p * m->width + at - first];
}

/* ---- fine alignment ---- */

/* Both cuts begin together and have one length afterwards. Positive lag: dist is early. */
static void trim(const double **ref, int64_t *n_ref, const double **dist, int64_t *n_dist, int64_t lag)
{
    if (lag > 0) {
        *ref += lag;
        *n_ref -= lag;
    } else {
        *dist -= lag;
        *n_dist += lag;
    }
    *n_ref = *n_dist = *n_ref < *n_dist ? *n_ref : *n_dist;
}

/* Spectra of the two pieces of sound by themselves; keeps their similarity when it is larger. */
static RsdStatus realign(double *bands, double *similarity, Visqol *v, int64_t ref_frame, int64_t dist_frame,
                         RsdError *err)
{
    int64_t len = (int64_t)v->mode->patch_frames * v->hop_len, n_ref, n_dist, lag;
    const double *ref = v->ref + ref_frame * v->hop_len, *dist = v->dist + dist_frame * v->hop_len;
    EarSpectrum r = {0}, d = {0};
    double own_bands[NSIM_MAX_BANDS], own;
    RsdStatus status = RSD_OK;

    n_ref = v->n_ref - ref_frame * v->hop_len < len ? v->n_ref - ref_frame * v->hop_len : len;
    n_dist = v->n_dist - dist_frame * v->hop_len < len ? v->n_dist - dist_frame * v->hop_len : len;
    if (n_dist < v->frame_len)
        return RSD_OK;
    TRY(envelope_lag(&lag, ref, n_ref, dist, n_dist, err));
    if ((lag < 0 ? -lag : lag) > n_ref / 2)
        lag = 0;
    trim(&ref, &n_ref, &dist, &n_dist, lag);
    if (n_ref < v->frame_len)
        return RSD_OK;
    TRY(analyse_part(&r, v, &v->ref_raw, v->ref, ref, n_ref, err));
    TRY(analyse_part(&d, v, &v->dist_raw, v->dist, dist, n_dist, err));
    set_floors(&r, &d, v->mode->n_bands);
    own = nsim_patch(r.levels, d.levels, v->mode->n_bands, (int)r.n_frames, own_bands);
    if (own > *similarity) {
        *similarity = own;
        memcpy(bands, own_bands, sizeof own_bands);
    }
fail:
    mem_free(&r.levels);
    mem_free(&d.levels);
    return status;
}

static RsdStatus compare_patches(VisqolSimilarity *out, Visqol *v, RsdError *err)
{
    double ref[NSIM_MAX_FRAMES * NSIM_MAX_BANDS], dist[NSIM_MAX_FRAMES * NSIM_MAX_BANDS], bands[NSIM_MAX_BANDS];
    int length = v->mode->patch_frames;
    Matches m = {.reach = SEARCH_PATCHES * length, .width = 2 * SEARCH_PATCHES * length + 1};
    int64_t at, last;
    RsdStatus status = RSD_OK;

    TRY(mem_calloc(&m.sums, (size_t)(v->n_patches * m.width), sizeof *m.sums, err));
    TRY(mem_calloc(&m.before, (size_t)(v->n_patches * m.width), sizeof *m.before, err));
    fill_matches(v, &m);
    at = find_last_match(v, &m);
    for (int64_t p = v->n_patches - 1; p >= 0 && at >= 0; p--, at = last) {
        double similarity;

        last = place_before(v, &m, p, at);
        if (last == at)
            continue; /* not found: counts as nothing alike */
        cut_patch(&v->ref_spectrum, v->starts[p], length, ref);
        cut_patch(&v->dist_spectrum, at, length, dist);
        similarity = nsim_patch(ref, dist, v->mode->n_bands, length, bands);
        TRY(realign(bands, &similarity, v, v->starts[p], at, err));
        for (int b = 0; b < v->mode->n_bands; b++)
            out->bands[b] += bands[b] / (double)v->n_patches;
    }
    for (int b = 0; b < v->mode->n_bands; b++)
        out->mean += out->bands[b] / v->mode->n_bands;
fail:
    mem_free(&m.sums);
    mem_free(&m.before);
    return status;
}

/* ---- all of it ---- */

static RsdStatus prepare(Visqol *v, const MetricChannels *s, RsdError *err)
{
    const Mode *mode = v->mode;
    RsdStatus status = RSD_OK;

    v->frame_len = (int)lround(FRAME_S * mode->rate_hz);
    v->hop_len = v->frame_len / HOPS_PER_FRAME;
    TRY(gammatone_create(&v->bank, mode->n_bands, LOWEST_HZ, mode->rate_hz, err));
    TRY(mem_alloc(&v->window, (size_t)v->frame_len, sizeof *v->window, err));
    TRY(mem_alloc(&v->frame, (size_t)v->frame_len, sizeof *v->frame, err));
    window_hann_f64(v->window, (size_t)v->frame_len, WINDOW_SYMMETRIC);
    TRY(load(&v->ref, &v->n_ref, s->ref, s->ref_stride, s, mode->rate_hz, err));
    TRY(load(&v->dist, &v->n_dist, s->dist, s->dist_stride, s, mode->rate_hz, err));
    set_level(v);
fail:
    return status;
}

RsdStatus visqol_similarity(VisqolSimilarity *out, const MetricChannels *s, bool speech, RsdError *err)
{
    Visqol v = {.mode = speech ? &speech_mode : &audio_mode};
    RsdStatus status = RSD_OK;

    *out = (VisqolSimilarity){.n_bands = v.mode->n_bands};
    TRY(prepare(&v, s, err));
    out->silent_reference = rms_of(v.ref, v.n_ref) == 0;
    TRY(analyse(&v.ref_raw, &v, v.ref, v.n_ref, err));
    TRY(analyse(&v.dist_raw, &v, v.dist, v.n_dist, err));
    TRY(copy_frames(&v.ref_spectrum, &v.ref_raw, 0, v.ref_raw.n_frames, err));
    TRY(copy_frames(&v.dist_spectrum, &v.dist_raw, 0, v.dist_raw.n_frames, err));
    if (v.ref_spectrum.n_frames && v.dist_spectrum.n_frames) {
        set_floors(&v.ref_spectrum, &v.dist_spectrum, v.mode->n_bands);
        TRY(choose_patches(&v, err));
        if (v.n_patches)
            TRY(compare_patches(out, &v, err));
        out->n_patches = (int)v.n_patches;
    }
fail:
    clear(&v);
    return status;
}

static unsigned flags_of(const VisqolSimilarity *similarity)
{
    return (similarity->n_patches ? 0u : METRIC_TOO_SHORT) | (similarity->silent_reference ? METRIC_SILENT_REFERENCE : 0u);
}

static double limit_score(double score, const VisqolSimilarity *similarity)
{
    if (similarity->mean < LOWEST_NSIM)
        return 1;
    return fmin(5, fmax(1, score));
}

RsdStatus metric_visqol(MetricValue *out, const MetricChannels *s, RsdError *err)
{
    const Svr *svr = s->aids->visqol;
    VisqolSimilarity similarity;
    RsdStatus status = RSD_OK;

    *out = (MetricValue){.flags = METRIC_NOT_APPLICABLE};
    if (!svr)
        return RSD_OK;
    CHECK(svr->n_features == VISQOL_AUDIO_BANDS, err, RSD_ERR_MODEL,
          "the model of ViSQOL has %zu features; that of audio mode has %d", svr->n_features, VISQOL_AUDIO_BANDS);
    TRY(visqol_similarity(&similarity, s, false, err));
    *out = (MetricValue){1, flags_of(&similarity)};
    if (similarity.n_patches)
        out->value = limit_score(svr_predict(svr, similarity.bands), &similarity);
fail:
    return status;
}

RsdStatus metric_visqol_speech(MetricValue *out, const MetricChannels *s, RsdError *err)
{
    VisqolSimilarity similarity;
    RsdStatus status = visqol_similarity(&similarity, s, true, err);

    *out = (MetricValue){1, flags_of(&similarity)};
    if (status == RSD_OK && similarity.n_patches)
        out->value = limit_score(FIT_SCALE * (FIT_A + exp(FIT_B * (similarity.mean + FIT_X0))), &similarity);
    return status;
}

RsdStatus metric_vnsim(MetricValue *out, const MetricChannels *s, RsdError *err)
{
    VisqolSimilarity similarity;
    RsdStatus status = visqol_similarity(&similarity, s, false, err);

    if (status == RSD_OK)
        *out = (MetricValue){similarity.mean, flags_of(&similarity)};
    return status;
}
