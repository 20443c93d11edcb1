/* eval.c - `residua eval REF DIST`: how far a recording or a picture is from its original.
 *
 * Pairs are found (pairs.c) and divided by kind (eval_kind.h). Recordings are read at one rate and one number of channels, the
 * delay between them is found and taken away, and each metric looks at what they have in common (eval_audio.c); pictures are
 * read as RGB (eval_image.c). The pairs of a kind are shared out among threads (eval_run.c) and printed in their order
 * (eval_print.c).
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/eval_audio.h"
#include "cli/eval_embeddings.h"
#include "cli/eval_image.h"
#include "cli/heatmap.h"
#include "cli/outputs.h"
#include "cli/report.h"
#include "cli/spectrogram.h"
#include "engine/base/atomic_file.h"
#include "engine/base/mem.h"
#include "losses/svr.h"

#define DEFAULT_MAX_DELAY_S 0.5
#define DEFAULT_DETAILS 12

typedef struct EvalRequest {
    CommonRequest common;
    EvalWishes wishes;
    TextList weights;
    double rate_hz, max_delay_s, heatmap_top, frame_s, tile_side;
    const char *shard, *report, *spectrogram, *heatmap, *visqol_model;
    int n_threads, n_details, kind, heatmap_of;
    bool no_align, per_channel, json, csv, force, embeddings, fmd;
} EvalRequest;

static const EvalRequest DEFAULTS = {
    .max_delay_s = DEFAULT_MAX_DELAY_S, .n_details = DEFAULT_DETAILS, .heatmap_top = HEATMAP_TOP};
static const char *const HEATMAPS[] = {"ciede2000", "butteraugli", NULL}; /* as HeatmapOf */
static const char *const KINDS[] = {"all", "audio", "image", NULL};

static const Option OPTIONS[] = {
    {.letter = 'm',
     .name = "metrics",
     .kind = OPTION_TEXT,
     .value = "NAMES",
     .offset = offsetof(EvalRequest, wishes.metrics),
     .help = "names divided by commas, or all; `residua losses` lists them (default: a usual choice)"},
    {.name = "kind",
     .kind = OPTION_CHOICE,
     .value = "KIND",
     .choices = KINDS,
     .offset = offsetof(EvalRequest, kind),
     .help = "of folders: compare audio or image files alone (default all)"},
    {.name = "weights",
     .kind = OPTION_LIST,
     .value = "NAME=FILE",
     .offset = offsetof(EvalRequest, weights),
     .help = "a network that metrics of pictures look through: squeeze, alex, vgg16, vgg19, lpips_squeeze, lpips_alex, "
             "lpips_vgg or dists, from its published torch or safetensors file (may be repeated); without them lpips and "
             "dists do not apply"},
    {.name = "rate",
     .kind = OPTION_QUANTITY,
     .value = "RATE",
     .unit = UNIT_HZ,
     .min = 1000,
     .max = 384000,
     .offset = offsetof(EvalRequest, rate_hz),
     .help = "compare at this sampling rate (default that of REF)"},
    {.name = "max-delay",
     .kind = OPTION_QUANTITY,
     .value = "TIME",
     .unit = UNIT_SECONDS,
     .min = 0,
     .max = 10,
     .offset = offsetof(EvalRequest, max_delay_s),
     .help = "look for a delay up to this (default 0.5s)"},
    {.name = "no-align",
     .offset = offsetof(EvalRequest, no_align),
     .help = "compare sample by sample, without a search"},
    {.name = "visqol-model",
     .kind = OPTION_TEXT,
     .value = "FILE",
     .offset = offsetof(EvalRequest, visqol_model),
     .help =
         "the regression model of ViSQOL's audio mode, libsvm_nu_svr_model.txt of github.com/google/visqol; without it "
         "the metric visqol does not apply"},
    {.letter = 'c',
     .name = "per-channel",
     .offset = offsetof(EvalRequest, per_channel),
     .help = "show the values of single channels too (--json always does)"},
    {.name = "per-frame",
     .kind = OPTION_QUANTITY,
     .value = "TIME",
     .unit = UNIT_SECONDS,
     .min = 0.001,
     .max = 3600,
     .offset = offsetof(EvalRequest, frame_s),
     .help = "of recordings: values of each stretch of this length too, their quantiles, and STOI of each band of frequency"},
    {.name = "per-tile",
     .kind = OPTION_QUANTITY,
     .value = "PIXELS",
     .min = 8,
     .max = 65536,
     .offset = offsetof(EvalRequest, tile_side),
     .help = "of pictures: values of each tile of this many pixels a side too, and their quantiles"},
    {.name = "fail-below",
     .kind = OPTION_LIST,
     .value = "NAME=VALUE",
     .offset = offsetof(EvalRequest, wishes.below),
     .help = "exit 1 when the mean of that metric is lower, or when one value is -inf, as SI-SDR of silence is (may be repeated)"},
    {.name = "fail-above",
     .kind = OPTION_LIST,
     .value = "NAME=VALUE",
     .offset = offsetof(EvalRequest, wishes.above),
     .help = "exit 1 when it is higher, or one value inf; of metrics that are best near 0 the mean magnitude counts"},
    THREADS_OPTION(EvalRequest,
                   "pairs measured at once; 0, the default, takes one per processor; values do not depend on it"),
    {.name = "report",
     .kind = OPTION_TEXT,
     .value = "FILE",
     .offset = offsetof(EvalRequest, report),
     .help = "write a page for a browser: means, distributions, a table that sorts, spectrograms and players, or pictures "
             "with a slider and maps of their errors"},
    {.name = "report-details",
     .kind = OPTION_COUNT,
     .value = "N",
     .min = 0,
     .max = 1000,
     .offset = offsetof(EvalRequest, n_details),
     .help = "how many of the worst pairs get pictures and players on it, 1 to 3 MB each (default 12)"},
    {.name = "spectrogram",
     .kind = OPTION_TEXT,
     .value = "FILE",
     .offset = offsetof(EvalRequest, spectrogram),
     .help = "of one pair: write a PNG with the spectrograms of REF and DIST, and below them the difference, red where "
             "DIST has more"},
    {.name = "heatmap",
     .kind = OPTION_TEXT,
     .value = "FILE",
     .offset = offsetof(EvalRequest, heatmap),
     .help = "of one pair of pictures: write a PNG of the same size that shows the difference of each pixel, from black for 0 "
             "over violet, red and orange to light yellow"},
    {.name = "heatmap-of",
     .kind = OPTION_CHOICE,
     .value = "METRIC",
     .choices = HEATMAPS,
     .offset = offsetof(EvalRequest, heatmap_of),
     .help = "which difference: ciede2000, of single pixels, or butteraugli, which knows what their surroundings hide (default "
             "ciede2000)"},
    {.name = "heatmap-top",
     .kind = OPTION_QUANTITY,
     .value = "N",
     .min = 0.01,
     .max = 100,
     .offset = offsetof(EvalRequest, heatmap_top),
     .help = "the difference that gets the lightest colour; 1 is just noticeable (default 10)"},
    {.name = "embeddings",
     .offset = offsetof(EvalRequest, embeddings),
     .help = "REF and DIST are .npy files of embeddings, [rows, numbers] from a network of yours: print the Frechet distance (FID, FAD) "
             "and, of at most 10000 rows, the unbiased kernel distance (KID), which is better for fewer than 5000; it compares each row "
             "with each, which takes minutes for 10000 of 2048 numbers; with --json, -t, -q and -v only"},
    {.name = "fmd",
     .offset = offsetof(EvalRequest, fmd),
     .help = "REF and DIST are recordings or folders of them, not paired: print the Frechet and the kernel distance of log mel "
             "statistics of every 0.96 s, as --embeddings (not the FAD of the literature, which needs a trained network)"},
    {.letter = 'f', .name = "force", .offset = offsetof(EvalRequest, force), .help = "overwrite files that exist"},
    {.name = "json",
     .offset = offsetof(EvalRequest, json),
     .help = "one JSON object per pair, and one of the means, on standard output"},
    {.name = "csv", .offset = offsetof(EvalRequest, csv), .help = "a table for spreadsheets on standard output"},
    SHARD_OPTION(EvalRequest),
    COMMON_OPTIONS(EvalRequest),
};

static const Explained EXAMPLES[] = {
    {"talk.wav decoded.wav", "the usual metrics of one recording"},
    {"-m estoi,mel --rate 16k originals decoded", "two of them for two folders paired by name"},
    {"-q --fail-below estoi=0.9 originals decoded", "for scripts: exit 1 when the mean is lower"},
    {"--report page.html originals decoded", "to look at and to listen"},
    {"-m psnr,ms-ssim --fail-below ms-ssim=0.98 photo.png photo.jpg", "two metrics of a picture"},
    {"--weights squeeze=squeezenet1_1.pth --weights lpips_squeeze=squeeze.pth -m lpips photo.png photo.jpg",
     "through a network"},
    {"--heatmap errors.png photo.png photo.jpg", "where it is wrong"},
    {"-m all --csv originals decoded > values.csv", "everything, for a spreadsheet"},
    {"--per-frame 0.5s -m snr,lsd,stoi --csv talk.wav decoded.wav > over-time.csv", "how values change over time"},
    {"--fmd originals decoded", "Frechet distance of log mel statistics of two folders"},
    {"--embeddings originals.npy decoded.npy", "Frechet and kernel distance of two sets of embeddings"},
    {NULL, NULL},
};

static const Explained JSON_FIELDS[] = {
    {"schema", "1; a field changes its meaning only together with this number"},
    {"type", "pair or summary, or embeddings or fmd with ref_rows, dist_rows, dim, frechet and kernel (null of more than 10000 rows)"},
    {"kind", "audio or image; with both there are two summaries"},
    {"name, ref, dist", "of a pair"},
    {"rate_hz, channels, samples", "of recordings: of what was compared, samples per channel"},
    {"ref_samples, dist_samples", "of recordings: lengths at that rate"},
    {"delay_samples, correlation", "of recordings: by how much dist is late, and how alike they are there"},
    {"ref_loudness_lufs, dist_loudness_lufs, ref_true_peak_dbtp, dist_true_peak_dbtp",
     "of recordings: by BS.1770; null for silence"},
    {"width, height, channels", "of pictures: pixels; 1 when both are grey, else 3"},
    {"ref_format, dist_format, ref_bits, dist_bits", "of pictures: png, jpeg, ..; bits of a sample in the files"},
    {"alpha_l1", "of pictures: mean absolute difference of alpha, null without any"},
    {"frames", "with --per-frame: n, length_s (the last takes the rest too) and band_hz, the centres of the bands of STOI"},
    {"tiles", "with --per-tile: n, side and columns; tiles are listed row by row, the last of each takes the rest too"},
    {"metrics", "for each name an object: value (null when infinite or not applicable), unit, flag (why the value is a "
                "convention: too short, too small, silent reference, identical, not applicable; else null), channels (values "
                "of single channels, or of red, green and blue, where there are several and the metric has them), and with "
                "--per-frame or --per-tile frames or tiles (their values, null where a convention), quantiles (p5, p25, p50, p75 "
                "and p95 of them) and bands (of stoi)"},
    {"status, error", "instead of the rest when the pair could not be compared"},
    {"shard", "of the summary of a part of the pairs: 2/4"},
    {"pairs, failed, limits_missed", "of the summary; its metrics have mean, half_width_95, quantiles (p5, p25, p50, p75 and p95 over "
                                      "pairs), n, unit and better"},
    {NULL, NULL},
};

/* ---- files besides the values ---- */

/* The only pair, if it is of that kind. */
static RsdStatus only_pair(const Pair **pair, const PairList *pairs, const EvalKind *kind, const char *option, RsdError *err)
{
    if (pairs->n_items != 1)
        return error_set(err, RSD_ERR_ARG, "%s shows one pair, and there are %zu; --report shows many", option,
                         pairs->n_items);
    *pair = &pairs->items[0];
    if ((*pair)->kind != kind)
        return error_set(err, RSD_ERR_ARG, "%s is for %s, and %s is a %s", option, kind->things, (*pair)->ref,
                         (*pair)->kind->thing);
    return RSD_OK;
}

static RsdStatus write_spectrogram(const EvalRequest *r, const Pair *pair, const EvalOptions *options, RsdError *err)
{
    EvalSignals s = {0};
    SpectrogramSet set = {0};
    uint8_t *bytes = NULL;
    size_t size;
    RsdStatus status = RSD_OK;

    TRY(eval_signals_load(&s, pair, options, NULL, err));
    TRY(spectrogram_create(&set, s.ref + s.ref_from, s.dist + s.dist_from, s.n_common, s.rate_hz, err));
    TRY(spectrogram_png(&bytes, &size, &set, err));
    TRY(atomic_file_write_whole(r->spectrogram, r->force, bytes, size, err));
fail:
    mem_free(&bytes);
    spectrogram_clear(&set);
    eval_signals_clear(&s);
    return status;
}

static RsdStatus write_heatmap(const EvalRequest *r, const Pair *pair, const EvalOptions *options, RsdThreads *threads,
                               Console *console, RsdError *err)
{
    EvalPictures p = {0};
    Heatmap map = {0};
    uint8_t *bytes = NULL;
    size_t size;
    RsdStatus status = RSD_OK;

    TRY(eval_pictures_load(&p, pair, options, NULL, err));
    TRY(heatmap_create(&map, &(ImagePair){p.ref, p.dist, p.height, p.width, threads}, (HeatmapOf)r->heatmap_of, threads, err));
    TRY(heatmap_png(&bytes, &size, &map, 0, 0, p.width, p.height, r->heatmap_top, err));
    TRY(atomic_file_write_whole(r->heatmap, r->force, bytes, size, err));
    console_say(console, LOG_INFO, "%s: %s, black 0 to light yellow %g and more; the largest is %.2f at column %lld of "
                "row %lld", r->heatmap, HEATMAPS[r->heatmap_of], r->heatmap_top, (double)map.most, (long long)map.most_column, (long long)map.most_row);
fail:
    mem_free(&bytes);
    heatmap_clear(&map);
    eval_pictures_clear(&p);
    return status;
}

/* The metric that says which pairs are worst: the first that was chosen, else the usual one. */
static size_t rank_of(const EvalRun *run, const EvalWishes *wishes)
{
    for (size_t m = 0; !wishes->metrics && m < run->set->n; m++)
        if (!strcmp(run->set->items[m].name, run->set->kind->rank))
            return m;
    return 0;
}

/* Before hours of work, not after them. */
static RsdStatus check_outputs(const EvalRequest *r, const PairList *pairs, RsdError *err)
{
    const char *const paths[] = {r->report, r->spectrogram, r->heatmap};
    const Pair *pair;
    RsdStatus status = RSD_OK;

    TRY(outputs_check(paths, sizeof paths / sizeof *paths, r->force, err));
    if (r->report || r->spectrogram || r->heatmap)
        TRY(png_is_available(err));
    if (r->spectrogram)
        TRY(only_pair(&pair, pairs, &eval_kind_audio, "--spectrogram", err));
    if (r->heatmap)
        TRY(only_pair(&pair, pairs, &eval_kind_image, "--heatmap", err));
fail:
    return status;
}

/* ---- the command ---- */

/* Pairs of each kind, and what comes of them. */
typedef struct Comparison {
    PairList *pairs;
    EvalSet sets[EVAL_N_KINDS];
    EvalLimits limits[EVAL_N_KINDS];
    EvalRun runs[EVAL_N_KINDS];
    size_t n_runs;
    EvalOptions options;
    EvalTurn turn;
    const char *shard; /* "2/4", or NULL */
} Comparison;

static int exit_code(const Comparison *c)
{
    bool bad = false;

    if (c->pairs->n_items == 1 && c->runs[0].n_failed)
        return cli_exit_code(c->runs[0].results[0].status);
    for (size_t i = 0; i < c->n_runs; i++)
        bad = bad || c->runs[i].n_failed || c->runs[i].n_missed;
    return bad ? EXIT_SOME_FAILED : EXIT_DONE;
}

static RsdStatus load_weights(ImageNets **nets, const TextList *weights, RsdError *err)
{
    char name[32];
    RsdStatus status = RSD_OK;

    if (weights->n)
        TRY(image_nets_create(nets, err));
    for (size_t i = 0; i < weights->n; i++) {
        const char *text = weights->items[i], *equals = strchr(text, '=');

        CHECK(equals && equals > text && equals[1], err, RSD_ERR_ARG,
              "--weights %.60s: NAME=FILE is needed, such as squeeze=squeezenet1_1.pth", text);
        snprintf(name, sizeof name, "%.*s", (int)(equals - text < 31 ? equals - text : 31), text);
        TRY(image_nets_load(*nets, name, equals + 1, err));
    }
fail:
    return status;
}

static size_t list_kinds(const EvalKind *kinds[EVAL_N_KINDS], const PairList *pairs)
{
    size_t n = 0;

    for (size_t i = 0; i < pairs->n_items; i++)
        if (!n || kinds[n - 1] != pairs->items[i].kind)
            kinds[n++] = pairs->items[i].kind;
    return n;
}

/* Of all pairs, also those of other parts: every part is refused or none. */
static RsdStatus check_wishes(const PairList *pairs, const EvalRequest *r, RsdError *err)
{
    const EvalKind *kinds[EVAL_N_KINDS];
    size_t n_kinds = list_kinds(kinds, pairs);
    RsdStatus status = RSD_OK;

    TRY(eval_wishes_check(&r->wishes, kinds, n_kinds, err));
    CHECK(n_kinds == 1 || !r->csv, err, RSD_ERR_ARG,
          "--csv is a table of one kind, and there are recordings and pictures: choose with --kind audio or --kind image");
fail:
    return status;
}

/* One run for each kind that is there and that a metric was asked for. */
static RsdStatus plan_runs(Comparison *c, const EvalRequest *r, Console *console, RsdError *err)
{
    const EvalKind *kinds[EVAL_N_KINDS];
    size_t n_kinds = list_kinds(kinds, c->pairs);
    RsdStatus status = RSD_OK;

    for (size_t k = 0, from = 0, n; k < n_kinds; k++, from += n) {
        EvalRun *run = &c->runs[c->n_runs];

        for (n = 0; from + n < c->pairs->n_items && c->pairs->items[from + n].kind == kinds[k];)
            n++;
        TRY(eval_set_choose(&c->sets[c->n_runs], &c->limits[c->n_runs], kinds[k], &r->wishes, &c->options, err));
        if (!c->sets[c->n_runs].n) {
            console_say(console, LOG_WARNING, "%zu %s left out: none of the metrics is for %s", n,
                        n == 1 ? kinds[k]->thing : kinds[k]->things, n == 1 ? "it" : "them");
            continue;
        }
        *run = (EvalRun){.pairs = {c->pairs->items + from, n},
                         .set = &c->sets[c->n_runs],
                         .limits = &c->limits[c->n_runs],
                         .options = c->options,
                         .form = r->json  ? EVAL_JSON
                                 : r->csv ? EVAL_CSV
                                          : EVAL_TABLE,
                         .per_channel = r->per_channel,
                         .shard = c->shard,
                         .console = console};
        c->n_runs++;
    }
fail:
    return status;
}

static RsdStatus run_all(Comparison *c, RsdThreads *threads, Console *console, RsdError *err)
{
    size_t n_failed = 0, n_pairs = 0;
    RsdStatus status = RSD_OK;

    for (size_t i = 0; i < c->n_runs; i++) {
        if (i && c->runs[i].form == EVAL_TABLE)
            putchar('\n');
        TRY(eval_run(&c->runs[i], threads, err));
        n_failed += c->runs[i].n_failed;
        n_pairs += c->runs[i].pairs.n_items;
    }
    if (n_pairs > 1)
        console_say(console, LOG_INFO, "%zu pairs compared, %zu failed", n_pairs - n_failed, n_failed);
fail:
    return status;
}

static RsdStatus write_files(const Comparison *c, const EvalRequest *r, char **operands, RsdThreads *threads, Console *console,
                             RsdError *err)
{
    EvalReport report = {
        .ref = operands[0], .dist = operands[1], .shard = c->shard, .n_details = r->n_details, .threads = threads,
        .n_parts = c->n_runs};
    bool failed = c->runs[0].n_failed > 0;
    RsdError why = {0};
    RsdStatus status = RSD_OK;

    for (size_t i = 0; i < c->n_runs; i++)
        report.parts[i] = (EvalReportPart){&c->runs[i], rank_of(&c->runs[i], &r->wishes)};
    if (r->report)
        status = report_write(r->report, r->force, REPORT_EVAL, report_fill_eval, &report, err);
    if (r->spectrogram && !failed)
        outputs_add(&status, err, write_spectrogram(r, &c->pairs->items[0], &c->options, &why), &why, console);
    if (r->heatmap && !failed)
        outputs_add(&status, err, write_heatmap(r, &c->pairs->items[0], &c->options, threads, console, &why), &why, console);
    return status;
}

static RsdStatus evaluate(const EvalRequest *r, char **operands, Console *console, int *code, RsdError *err)
{
    Comparison c = {.options = {.rate_hz = r->rate_hz, .max_delay_s = r->max_delay_s, .no_align = r->no_align,
                                .frame_s = r->frame_s, .tile_side = (int64_t)r->tile_side}};
    RsdThreads *threads = NULL;
    Svr *visqol = NULL;
    ImageNets *nets = NULL;
    EvalRequest mine = *r;
    char page[SHARD_PATH_SIZE];
    Shard shard;
    RsdStatus status = RSD_OK;

    TRY(pairs_find(&c.pairs, operands[0], operands[1], r->kind ? eval_kind_at((size_t)r->kind - 1) : NULL, console, err));
    if (r->visqol_model)
        TRY(svr_open(&visqol, r->visqol_model, err));
    TRY(shard_parse(&shard, r->shard, err));
    TRY(check_wishes(c.pairs, r, err));
    pairs_keep_shard(c.pairs, &shard);
    if (!c.pairs->n_items) {
        console_say(console, LOG_INFO, "--shard %s: there are fewer pairs than parts, and none is in this one", shard.text);
        goto fail;
    }
    c.shard = shard.text[0] ? shard.text : NULL;
    mine.report = shard_path(&shard, r->report, page);
    TRY(load_weights(&nets, &r->weights, err));
    c.options.aids.visqol = visqol;
    c.options.nets = nets;
    if (c.pairs->n_items > 1) {
        TRY(eval_turn_open(&c.turn, err));
        c.options.turn = &c.turn;
    }
    TRY(plan_runs(&c, r, console, err));
    if (!c.n_runs)
        goto fail; /* of this part */
    TRY(check_outputs(&mine, c.pairs, err));
    TRY(rsd_threads_create(&threads, r->n_threads, err));
    TRY(run_all(&c, threads, console, err));
    TRY(write_files(&c, &mine, operands, threads, console, err));
    *code = exit_code(&c);
fail:
    for (size_t i = 0; i < c.n_runs; i++)
        eval_run_clear(&c.runs[i]);
    eval_turn_close(&c.turn);
    rsd_threads_destroy(&threads);
    pairs_destroy(&c.pairs);
    svr_close(&visqol);
    image_nets_destroy(&nets);
    return status;
}

/* The first option that is neither at its default nor one of whole sets; NULL: none. */
static const char *option_of_pairs(const EvalRequest *r)
{
    static const char *const of_sets[] = {"embeddings", "fmd", "json", "threads", "quiet", "verbose", "help"};
    static const size_t sizes[] = {
        [OPTION_SWITCH] = sizeof(bool), [OPTION_TEXT] = sizeof(char *),   [OPTION_LIST] = sizeof(TextList),
        [OPTION_COUNT] = sizeof(int),   [OPTION_QUANTITY] = sizeof(double), [OPTION_CHOICE] = sizeof(int)};

    for (size_t i = 0; i < sizeof OPTIONS / sizeof *OPTIONS; i++) {
        const Option *o = &OPTIONS[i];
        bool is_of_sets = false;

        for (size_t k = 0; k < sizeof of_sets / sizeof *of_sets; k++)
            is_of_sets = is_of_sets || !strcmp(o->name, of_sets[k]);
        if (!is_of_sets && memcmp((const char *)r + o->offset, (const char *)&DEFAULTS + o->offset, sizes[o->kind]))
            return o->name;
    }
    return NULL;
}

static int run(int argc, char **argv)
{
    EvalRequest r = DEFAULTS;
    const char *misplaced;
    Console console;
    size_t n_operands;
    int code = EXIT_DONE;
    RsdError err = {0};
    RsdStatus status = RSD_OK;

    if (!command_begin(&cli_eval, &r, argc, argv, &n_operands, &console, &code))
        return code;
    if (n_operands != 2)
        code = command_misused(&cli_eval, "two names are needed, the original and the other: residua eval %s",
                               cli_eval.usage);
    else if (r.fmd && r.embeddings)
        code = command_misused(&cli_eval, "--fmd and --embeddings compare sets of different things: give one of them");
    else if ((r.fmd || r.embeddings) && (misplaced = option_of_pairs(&r)) != NULL)
        code = command_misused(&cli_eval, "--%s is for pairs; --fmd and --embeddings compare whole sets", misplaced);
    else if (r.json && r.csv)
        code = command_misused(&cli_eval, "--json and --csv both write to standard output: give one of them");
    else if (r.fmd)
        status = eval_fmd(argv[0], argv[1], r.n_threads, r.json, &err);
    else if (r.embeddings)
        status = eval_embeddings(argv[0], argv[1], r.json, &err);
    else
        status = evaluate(&r, argv, &console, &code, &err);
    if (status != RSD_OK) {
        console_say(&console, LOG_ERROR, "%s", err.text);
        code = cli_exit_code(status);
    }
    console_close(&console);
    return code;
}

const Command cli_eval = {
    .name = "eval",
    .summary = "how far decoded sound or a decoded picture is from the original",
    .usage = "[options] REF DIST",
    .description =
        "Compares DIST with the original REF: two recordings, two pictures, or two folders whose recordings and pictures are "
        "paired by name; what is in a file decides which it is. Values in brackets are conventions (silence, too short, too "
        "small, no difference) and do not count for the mean; +- is half of its 95 % confidence interval (Student's t over "
        "files).\n\n"
        "Of recordings the delay is found and taken away first. Other rates are resampled to that of REF, and other numbers of "
        "channels mixed to mono. Pictures are compared as RGB from 0 to 1 and must have the same size; grey counts as three "
        "equal channels, CMYK becomes RGB, alpha is laid on a grey ground, of several pictures in a file the first is taken, "
        "floating-point samples are taken from 0 to 1. A sample that is not a number is an error. `residua losses` explains "
        "the metrics.\n\n"
        "The exit code is 0 when every pair was compared and every limit kept, and 1 when a pair of several failed or "
        "a limit was missed.",
    .options = OPTIONS,
    .n_options = sizeof OPTIONS / sizeof *OPTIONS,
    .examples = EXAMPLES,
    .json = JSON_FIELDS,
    .run = run,
};
