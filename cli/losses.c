/* losses.c - `residua losses`: every loss that a configuration may name and every metric of `residua eval`, explained.
 *
 * Everything is in the tables of losses/, but for the formulas, ranges and costs of audio losses and metrics, which stand here. A
 * test finds names without an entry.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/eval_set.h"
#include "cli/json_line.h"
#include "cli/losses.h"
#include "losses/audio_loss.h"
#include "losses/image_loss.h"
#include "losses/image_metric.h"

typedef struct LossesRequest {
    CommonRequest common;
    bool json;
} LossesRequest;

static const Option OPTIONS[] = {
    {.name = "json", .offset = offsetof(LossesRequest, json), .help = "one JSON object per loss and metric"},
    COMMON_OPTIONS(LossesRequest),
};

static const Explained EXAMPLES[] = {
    {"", "all of them"},
    {"mel_dac estoi", "two of them"},
    {NULL, NULL},
};

static const Explained JSON_FIELDS[] = {
    {"name, kind, of", "kind: loss or metric, of: audio or image; a name may be several of them"},
    {"summary, formula, range, needs, cost", "texts for people"},
    {"min_side", "of pictures: smaller ones are extended by their mirror image"},
    {"unit, better", "of metrics"},
    {NULL, NULL},
};

/* x: estimate or distorted signal, y: target or reference. Costs are transforms or passes per signal. */
static const LossCard LOSS_CARDS[] = {
    {"l1", "mean |x - y|", "0 ..", "", "one pass"},
    {"mse", "mean (x - y)^2", "0 ..", "", "one pass"},
    {"mel_dac", "sum_w mean |log10 max(M x, 1e-5) - log10 max(M y, 1e-5)|, M: Slaney mel of |STFT|", "0 ..", "",
     "STFT at 7 windows"},
    {"msspec", "mean_w (mean |d| + mean (d log10)^2) of mel powers", "0 ..", "", "STFT at 5 windows"},
    {"msspec_paper", "sum_w (mean |d| + mean (d log10)^2) of mel powers", "0 ..", "", "STFT at 7 windows"},
    {"mel_l1", "mean |log M x - log M y|", "0 ..", "", "STFT at 1 window"},
    {"mrstft", "mean_w (|| |X| - |Y| || / || |Y| || + mean |ln |X| - ln |Y||) / 2", "0 ..", "",
     "STFT at 3 windows, double"},
    {"stft", "0.1 (spectral convergence + mean |d ln||)", "0 ..", "", "STFT at 1 window, double"},
    {"stft_dac", "sum_w (mean |d log10 |X|^2| + mean |d |X||)", "0 ..", "", "STFT at 2 windows, double"},
    {"cstft", "sum_w mean |d (X |X|^-0.7)|, real and imaginary parts", "0 ..", "", "STFT at 2 windows"},
    {"sisnr", "-10 log10 (|a y|^2 / |x - a y|^2), means removed, segments of 5 s", "any, dB", "", "three passes"},
    {"sisdr", "-10 log10 (|a y|^2 / |x - a y|^2), means removed", "any, dB", "", "three passes"},
};

static const LossCard METRIC_CARDS[] = {
    {"snr", "10 log10 (sum y^2 / sum (x - y)^2)", "any", "", "one pass"},
    {"segsnr", "mean of 10 log10 (sum y^2 / sum (x - y)^2) over frames", "-10 .. 35", "30 ms", "eight passes"},
    {"sisdr", "10 log10 (|a y|^2 / |x - a y|^2), a = <x, y> / |y|^2", "any", "", "two passes"},
    {"mel", "as the loss mel_dac, in double precision", "0 ..", "1025 samples", "STFT at 7 windows"},
    {"lsd", "mean_t sqrt(mean_f (log10 |X|^2 - log10 |Y|^2)^2)", "0 ..", "1025 samples", "STFT at 1 window"},
    {"lsd_hf", "as lsd, over the bins above a quarter of the sampling rate", "0 ..", "1025 samples", "STFT at 1 window"},
    {"stoi", "mean correlation of clipped third-octave envelopes over 384 ms", "-1 .. 1", "0.4 s of speech",
     "resampling to 10 kHz, STFT at 1 window"},
    {"estoi", "mean correlation of normalised third-octave spectrograms over 384 ms", "-1 .. 1", "0.4 s of speech",
     "resampling to 10 kHz, STFT at 1 window"},
    {"l1", "mean |x - y|", "0 ..", "", "one pass"},
    {"stft", "as the loss stft_dac", "0 ..", "1025 samples", "STFT at 2 windows"},
    {"mrstft", "as the loss mrstft", "0 ..", "1025 samples", "STFT at 3 windows"},
    {"loudness", "L(x) - L(y), L: ITU-R BS.1770-4, gated", "any", "0.4 s, else padded", "filters and 4 times the rate"},
    {"truepeak", "20 log10 max |x| - 20 log10 max |y| at 4 times the rate", "any", "", "filters and 4 times the rate"},
    {"level", "10 log10 (sum x^2 / sum y^2)", "any", "", "one pass"},
    {"visqol", "support vector regression of the similarities of 32 bands", "1 .. 5", "0.94 s; --visqol-model FILE",
     "about 250 operations for each sample at 48 kHz and band"},
    {"visqol_speech", "1.245 (-262.85 + exp(0.01543 (NSIM + 361.06)))", "1 .. 5", "0.64 s with voice",
     "about 250 operations for each sample at 16 kHz and band"},
    {"vnsim", "mean NSIM of 0.6 s patches of 32 gammatone bands", "0 .. 1", "0.94 s", "as visqol"},
    {"sp_level", "mean |C_ii / tr C - C'_ii / tr C'|, C: covariance of a tile", "0 .. 1", "2 to 16 channels",
     "STFT at 2 windows, covariances"},
    {"sp_coherence", "mean | |gamma| - |gamma'| |, gamma = C_ij / sqrt(C_ii C_jj)", "0 .. 1", "2 to 16 channels",
     "STFT at 2 windows, covariances"},
    {"sp_phase", "mean (1 - cos(arg C_ij - arg C'_ij)), weighted by coherence and low frequency", "0 .. 2",
     "2 to 16 channels", "STFT at 2 windows, covariances"},
    {"sp_angle", "mean angle between Re(W* (X, Y, Z)), weighted by directness", "0 .. 180", "4, 9 or 16 channels, ACN",
     "STFT at 2 windows, covariances"},
    {"sp_beam", "mean_q mel of beams b_q = sum_n w_n (2 n + 1) sum_m Y_nm(q) a_nm / sum_n w_n (2 n + 1), w: max-rE", "0 ..",
     "4, 9 or 16 channels, ACN, SN3D", "24 times that of mel"},
};

static const LossCard *find_card(const LossCard *cards, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(cards[i].name, name))
            return &cards[i];
    return NULL;
}

const LossCard *loss_card(const char *name)
{
    return find_card(LOSS_CARDS, sizeof LOSS_CARDS / sizeof *LOSS_CARDS, name);
}

const LossCard *metric_card(const char *name)
{
    return find_card(METRIC_CARDS, sizeof METRIC_CARDS / sizeof *METRIC_CARDS, name);
}

static void print_text(const char *label, const char *text)
{
    if (text && *text)
        printf("    %-8s %s\n", label, text);
}

static bool is_wanted(const char *name, char **names, size_t n_names)
{
    for (size_t i = 0; i < n_names; i++)
        if (!strcmp(names[i], name))
            return true;
    return n_names == 0;
}

/* One loss or metric as it is shown. */
typedef struct Entry {
    const char *of, *kind, *name, *summary;
    const LossCard *card;
    const char *unit, *better; /* of metrics */
    int min_side;              /* of pictures, 0 for none */
} Entry;

static void print_entry(const Entry *e)
{
    printf("  %s: %s\n", e->name, e->summary);
    if (e->card) {
        print_text("formula", e->card->formula);
        print_text("range", e->card->range);
        print_text("needs", e->card->needs);
        print_text("cost", e->card->cost);
    }
    if (e->min_side > 1)
        printf("    %-8s %d x %d pixels, smaller pictures are extended by their mirror image\n", "size", e->min_side,
               e->min_side);
    print_text("unit", e->unit);
    print_text("better", e->better);
}

static void json_entry(const Entry *e)
{
    JsonLine line;

    json_line_begin(&line, stdout);
    json_line_text(&line, "name", e->name);
    json_line_text(&line, "kind", e->kind);
    json_line_text(&line, "of", e->of);
    json_line_text(&line, "summary", e->summary);
    json_line_text(&line, "formula", e->card ? e->card->formula : NULL);
    json_line_text(&line, "range", e->card ? e->card->range : NULL);
    json_line_text(&line, "needs", e->card ? e->card->needs : NULL);
    json_line_text(&line, "cost", e->card ? e->card->cost : NULL);
    if (e->min_side)
        json_line_integer(&line, "min_side", e->min_side);
    if (e->better) {
        json_line_text(&line, "unit", e->unit);
        json_line_text(&line, "better", e->better);
    }
    json_line_end(&line);
}

static bool audio_loss_entry(Entry *e, LossCard *card, size_t i)
{
    const char *name = audio_loss_name(i);

    (void)card;
    if (name)
        *e = (Entry){.of = "audio", .kind = "loss", .name = name, .summary = audio_loss_summary(name), .card = loss_card(name)};
    return name != NULL;
}

static bool audio_metric_entry(Entry *e, LossCard *card, size_t i)
{
    const AudioMetric *m = audio_metric_at(i);

    (void)card;
    if (m)
        *e = (Entry){.of = "audio",
                     .kind = "metric",
                     .name = m->name,
                     .summary = m->summary,
                     .card = metric_card(m->name),
                     .unit = m->unit,
                     .better = eval_better_text(m->better)};
    return m != NULL;
}

static bool image_loss_entry(Entry *e, LossCard *card, size_t i)
{
    const ImageLossInfo *l = image_loss_at(i);

    if (l) {
        *card = (LossCard){l->name, l->formula, l->range, l->needs, l->cost};
        *e = (Entry){.of = "image", .kind = "loss", .name = l->name, .summary = l->summary, .card = card, .min_side = l->min_side};
    }
    return l != NULL;
}

static bool image_metric_entry(Entry *e, LossCard *card, size_t i)
{
    const ImageMetric *m = image_metric_at(i);

    if (m) {
        *card = (LossCard){m->name, m->formula, m->range, m->needs, m->cost};
        *e = (Entry){.of = "image",
                     .kind = "metric",
                     .name = m->name,
                     .summary = m->summary,
                     .card = card,
                     .unit = m->unit,
                     .better = m->higher_is_better ? "higher" : "lower",
                     .min_side = m->min_side};
    }
    return m != NULL;
}

static const struct {
    const char *title;
    bool (*entry)(Entry *e, LossCard *card, size_t i); /* false past the end */
} LISTS[] = {
    {"Losses of sound, for [loss] of a training configuration (name = weight); x estimate, y target; lower is better",
     audio_loss_entry},
    {"Metrics of sound, for residua eval -m and residua bench -m; x decoded, y original", audio_metric_entry},
    {"Losses of pictures (RGB from 0 to 1); d difference; lower is better", image_loss_entry},
    {"Metrics of pictures, for residua eval -m and residua bench -m; d difference; needs: networks for --weights",
     image_metric_entry},
};

static size_t show_list(size_t list, bool json, char **names, size_t n_names)
{
    size_t n_shown = 0;
    Entry e;
    LossCard card;

    for (size_t i = 0; LISTS[list].entry(&e, &card, i); i++) {
        if (!is_wanted(e.name, names, n_names))
            continue;
        if (!json && !n_shown)
            printf("%s%s\n", list && !n_names ? "\n" : "", LISTS[list].title);
        (json ? json_entry : print_entry)(&e);
        n_shown++;
    }
    return n_shown;
}

static int run(int argc, char **argv)
{
    LossesRequest r = {0};
    Console console;
    size_t n_names, n_shown = 0;
    int code = EXIT_DONE;

    if (!command_begin(&cli_losses, &r, argc, argv, &n_names, &console, &code))
        return code;
    for (size_t i = 0; i < sizeof LISTS / sizeof *LISTS; i++)
        n_shown += show_list(i, r.json, argv, n_names);
    if (n_names && !n_shown)
        code = command_misused(&cli_losses, "there is no loss and no metric '%.60s'; without a name all are listed",
                               argv[0]);
    console_close(&console);
    return code;
}

const Command cli_losses = {
    .name = "losses",
    .summary = "losses and metrics, explained",
    .usage = "[options] [NAME]...",
    .description =
        "Lists the losses that a training configuration may name under [loss], those of pictures, and the metrics of residua "
        "eval, each with its formula, its range, what it needs and what it costs.",
    .options = OPTIONS,
    .n_options = sizeof OPTIONS / sizeof *OPTIONS,
    .examples = EXAMPLES,
    .json = JSON_FIELDS,
    .run = run,
};
