/* bench.c - `residua bench rd FOLDER`: rate and distortion of our codec beside others, on the user's own recordings or pictures.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/outputs.h"
#include "cli/picture_job.h"
#include "cli/rd_run.h"
#include "cli/rd_trials.h"
#include "cli/report.h"
#include "cli/shard.h"
#include "engine/base/atomic_file.h"
#include "engine/base/mem.h"
#include "trainer/folder_walk.h"
#include "trainer/media_list.h"
#include "trainer/pictures.h"

#define DEFAULT_SECONDS 10.0

typedef struct BenchRequest {
    CommonRequest common;
    const char *shard, *kind, *metrics, *codecs, *model, *tune, *anchor, *report, *svg, *csv_file, *trials, *efforts, *levels;
    double rate_hz, seconds, max_bpp;
    int n_threads;
    bool json, csv, force;
} BenchRequest;

static const Option OPTIONS[] = {
    {.letter = 'm',
     .name = "metrics",
     .kind = OPTION_TEXT,
     .value = "NAMES",
     .offset = offsetof(BenchRequest, metrics),
     .help = "names divided by commas, as for residua eval (default estoi,mel,lsd,segsnr; psnr,ms-ssim,ssimulacra2)"},
    {.name = "kind",
     .kind = OPTION_TEXT,
     .value = "KIND",
     .offset = offsetof(BenchRequest, kind),
     .help = "audio or image, for folders that hold both"},
    {.name = "codecs",
     .kind = OPTION_TEXT,
     .value = "NAMES",
     .offset = offsetof(BenchRequest, codecs),
     .help = "some of residua, opus, opus-speech, aac, mp3, vorbis, or of residua, jpeg, webp, jpeg2000, jxl, avif, "
             "divided by commas (default all)"},
    {.name = "model",
     .kind = OPTION_TEXT,
     .value = "MODEL",
     .offset = offsetof(BenchRequest, model),
     .help = "name of a built-in model, or a model file"},
    {.name = "tune",
     .kind = OPTION_TEXT,
     .value = "LOSS",
     .offset = offsetof(BenchRequest, tune),
     .help = "pictures: our model made for this loss, as residua encode takes it, and what searches follow (default mse)"},
    {.name = "effort",
     .kind = OPTION_TEXT,
     .value = "N[,N...]",
     .offset = offsetof(BenchRequest, efforts),
     .help = "pictures: our model at up to 3 efforts of residua encode (1 to 9), too, each a codec of its own named residua "
             "effort N beside residua, which is effort 2; searches take seconds to minutes for a million pixels at each setting"},
    {.name = "levels",
     .kind = OPTION_TEXT,
     .value = "N[,N...]",
     .offset = offsetof(BenchRequest, levels),
     .help = "pictures: our model at these levels, in steps of 1/16 (default 0,1,2.. to its highest); four across the range give a first "
             "comparison of a slow effort, and --trials keeps them for the rest"},
    {.name = "anchor",
     .kind = OPTION_TEXT,
     .value = "NAMES",
     .offset = offsetof(BenchRequest, anchor),
     .help = "the codecs whose bits the others are compared with, up to 4 (default opus or avif, or the first)"},
    {.name = "rate",
     .kind = OPTION_QUANTITY,
     .value = "RATE",
     .unit = UNIT_HZ,
     .min = 8000,
     .max = 48000,
     .offset = offsetof(BenchRequest, rate_hz),
     .help = "recordings: code and compare at this sampling rate (default that of the model, else 48k)"},
    {.name = "seconds",
     .kind = OPTION_QUANTITY,
     .value = "TIME",
     .unit = UNIT_SECONDS,
     .min = 0.5,
     .max = 600,
     .offset = offsetof(BenchRequest, seconds),
     .help = "recordings: use so much of each (default 10s)"},
    {.name = "max-bpp",
     .kind = OPTION_QUANTITY,
     .value = "BITS",
     .unit = UNIT_NONE,
     .min = 0.01,
     .max = 24,
     .offset = offsetof(BenchRequest, max_bpp),
     .help = "pictures: leave out settings that take more bits per pixel in the mean; searches of settings that are far above are not begun"},
    THREADS_OPTION(BenchRequest,
                   "codecs at work at once, each on one thread; 0, the default, takes one per processor"),
    {.name = "report",
     .kind = OPTION_TEXT,
     .value = "FILE",
     .offset = offsetof(BenchRequest, report),
     .help = "write a page for a browser with the curves"},
    {.name = "svg",
     .kind = OPTION_TEXT,
     .value = "FILE",
     .offset = offsetof(BenchRequest, svg),
     .help = "draw the curves as an SVG picture"},
    {.name = "csv-file",
     .kind = OPTION_TEXT,
     .value = "FILE",
     .offset = offsetof(BenchRequest, csv_file),
     .help = "write what --csv prints to a file, beside the table"},
    {.name = "trials",
     .kind = OPTION_TEXT,
     .value = "FILE",
     .offset = offsetof(BenchRequest, trials),
     .help = "keep what came of each file at each setting there as soon as it is known, and take it from there when run again"},
    {.letter = 'f', .name = "force", .offset = offsetof(BenchRequest, force), .help = "overwrite files that exist"},
    {.name = "json",
     .offset = offsetof(BenchRequest, json),
     .help = "one JSON object per codec, per point, per equal rate and per comparison on standard output"},
    {.name = "csv", .offset = offsetof(BenchRequest, csv), .help = "a table for spreadsheets on standard output"},
    SHARD_OPTION(BenchRequest),
    COMMON_OPTIONS(BenchRequest),
};

static const Explained EXAMPLES[] = {
    {"rd --report curves.html recordings", "all codecs on every recording of a folder"},
    {"rd --codecs residua,opus -m estoi talk.wav", "two of them on one recording"},
    {"rd --codecs opus,aac,mp3,vorbis --rate 48k music", "only the others, in full band"},
    {"rd --svg curves.svg photos", "our model of pictures beside JPEG, WebP, AVIF and others"},
    {"rd --codecs residua,avif --effort 5,8 photos", "what searching for a smaller file gains"},
    {"rd --codecs residua,avif --tune ms-ssim --effort 5 -m ms-ssim photos", "the model made for MS-SSIM, and a search that follows it"},
    {"rd --codecs residua,avif --effort 8 --trials night.jsonl photos", "stopped and run again, it goes on where it was"},
    {"rd --codecs webp,avif,jpeg --anchor jpeg,avif photos", "two comparisons of three codecs"},
    {NULL, NULL},
};

static const Explained JSON_FIELDS[] = {
    {"schema", "1; a field changes its meaning only together with this number"},
    {"type", "codec, point, equal_rate or bd_rate"},
    {"title, settings, kind, files", "of a codec: encoder and options; audio or image; how many were coded"},
    {"shard", "of a codec, when the files are a part of those named: 2/4"},
    {"codec, setting, bitrate_bps", "of a point of sound: all bytes of all files by their duration"},
    {"bpp", "instead of bitrate_bps for pictures: bits per pixel, the mean of the pictures"},
    {"encode_speed, decode_speed", "seconds of sound, or million pixels, for each second of one processor"},
    {"encode_s, decode_s", "mean processor time of one recording or picture"},
    {"metrics", "for each name an object: mean over the files, half_width_95, unit"},
    {"error", "instead of the rest when a codec refuses the setting, or it is above --max-bpp"},
    {"metric, of_means",
     "of an equal rate, which is its bpp or bitrate_bps, not of metrics that are best near 0: quality read off the curve of the means, or null"},
    {"each_mean, each_n",
     "the same of each file's own curve: mean with each_half_width_95, over the each_n files that every codec reaches there"},
    {"anchor, metric, percent", "of a comparison: bits more (below 0: less) than the anchor at equal quality, or null"},
    {"from, to, overlap, why", "the values both reach, their share of the shorter range, and the reason for null"},
    {"each_percent, each_n", "mean of what each file gives alone, each_half_width_95, and of how many files"},
    {NULL, NULL},
};

/* ---- codecs ---- */

static bool is_named(const char *list, const char *name)
{
    size_t len = strlen(name);

    if (!list)
        return true;
    for (const char *at = list; *at; at += strcspn(at, ",") + (at[strcspn(at, ",")] == ','))
        if (strcspn(at, ",") == len && !strncmp(at, name, len))
            return true;
    return false;
}

#define OURS_AT RD_OURS " effort "

/* A name of a list must be that of a codec of this kind. */
static RsdStatus check_name(const char *name, const char *option, const RdKind *kind, RsdError *err)
{
    const char *names[RD_MAX_CODECS] = {RD_OURS}, *near;
    char all[160] = RD_OURS;
    size_t n = 1;

    if (strcmp(name, RD_OURS) == 0)
        return RSD_OK;
    for (size_t i = 0; rd_peer_at(i); i++) {
        const RdCodec *peer = rd_peer_at(i);

        if (strcmp(peer->name, name) == 0)
            return peer->kind == kind->eval
                       ? RSD_OK
                       : error_set(err, RSD_ERR_ARG, "%s: %s codes %s, and these are %s", option, name,
                                   peer->kind->things, kind->eval->things);
        if (peer->kind != kind->eval || n == RD_MAX_CODECS)
            continue;
        names[n++] = peer->name;
        snprintf(all + strlen(all), sizeof all - strlen(all), ", %s", peer->name);
    }
    near = text_nearest(name, names, n);
    return error_set(err, RSD_ERR_ARG, "%s: there is no codec '%s'%s%s%s", option, name,
                     near ? "; did you mean " : "; there are ", near ? near : all, near ? "?" : "");
}

static RsdStatus check_names(const char *list, const char *option, bool with_efforts, const RdKind *kind, RsdError *err)
{
    RsdStatus status = RSD_OK;

    for (const char *at = list; at && *at;) {
        char name[40];
        size_t len = strcspn(at, ",");

        snprintf(name, sizeof name, "%.*s", (int)(len < sizeof name ? len : sizeof name - 1), at);
        if (strncmp(name, OURS_AT, strlen(OURS_AT)) != 0)
            TRY(check_name(name, option, kind, err));
        else
            CHECK(with_efforts, err, RSD_ERR_ARG, "%s: '%s' is %s with --effort %s", option, name, RD_OURS, name + strlen(OURS_AT));
        at += len + (at[len] == ',');
    }
fail:
    return status;
}

typedef struct Ours {
    int efforts[1 + RD_MAX_EFFORTS]; /* the usual one first */
    size_t n_efforts;
    char settings[1 + RD_MAX_EFFORTS][RD_SETTINGS_SIZE];
} Ours;

static RsdStatus add_effort(Ours *ours, const char *text, size_t len, RsdError *err)
{
    const int effort = len == 1 ? *text - '0' : 0;
    size_t i = 0;
    RsdStatus status = RSD_OK;

    CHECK(effort >= 1 && effort <= SEARCH_LAST_EFFORT, err, RSD_ERR_ARG, "--effort: '%.*s' is not a number of 1 to %d", (int)len, text,
          SEARCH_LAST_EFFORT);
    while (i < ours->n_efforts && ours->efforts[i] != effort)
        i++;
    if (i < ours->n_efforts)
        return RSD_OK;
    CHECK(i <= RD_MAX_EFFORTS, err, RSD_ERR_ARG, "--effort: at most %d besides %d", RD_MAX_EFFORTS, PICTURE_EFFORT_USUAL);
    ours->efforts[ours->n_efforts++] = effort;
fail:
    return status;
}

static RsdStatus list_efforts(Ours *ours, const BenchRequest *r, const RdKind *kind, RsdError *err)
{
    RsdStatus status = RSD_OK;

    ours->efforts[ours->n_efforts++] = PICTURE_EFFORT_USUAL;
    if (!r->efforts)
        return RSD_OK;
    CHECK(kind == &rd_kind_picture, err, RSD_ERR_ARG, "--effort is for pictures, and these are recordings");
    CHECK(is_named(r->codecs, RD_OURS), err, RSD_ERR_ARG, "--effort is of %s, which is not among --codecs", RD_OURS);
    for (const char *at = r->efforts;;) {
        const size_t len = strcspn(at, ",");

        TRY(add_effort(ours, at, len, err));
        if (!at[len])
            break;
        at += len + 1;
    }
fail:
    return status;
}

/* A model's level, as one of the ladder's. */
static RsdStatus add_level(RdCodec *codec, const char *text, size_t len, int highest, RsdError *err)
{
    const double last = codec->n_settings ? codec->ladder[codec->n_settings - 1].quality : -1;
    char number[24];
    double level;
    RsdStatus status = RSD_OK;

    snprintf(number, sizeof number, "%.*s", (int)len, text);
    CHECK(len > 0 && len < sizeof number, err, RSD_ERR_ARG, "--levels: '%.*s' is not a level", (int)(len < 60 ? len : 60), text);
    status = text_parse_quantity(&level, number, UNIT_NONE, err);
    if (status != RSD_OK)
        return error_prefix(err, status, "--levels");
    CHECK(level >= 0 && level <= highest / 16.0 && floor(16 * level) == 16 * level, err, RSD_ERR_ARG,
          "--levels: %s is not a level of the model: 0 to %g, in steps of 1/16", number, highest / 16.0);
    CHECK(level > last, err, RSD_ERR_ARG, "--levels: %s comes after %g: give them in rising order", number, last);
    CHECK(codec->n_settings < RD_MAX_SETTINGS, err, RSD_ERR_ARG, "--levels: more than %d", RD_MAX_SETTINGS);
    codec->ladder[codec->n_settings++] = (RdSetting){.quality = level};
fail:
    return status;
}

/* Instead of the whole ones. */
static RsdStatus choose_levels(RdCodec *codec, const char *list, const ImageCodec *model, RsdError *err)
{
    RsdStatus status = RSD_OK;

    codec->n_settings = 0;
    for (const char *at = list;;) {
        const size_t len = strcspn(at, ",");

        TRY(add_level(codec, at, len, image_codec_level_max(&model->config), err));
        if (!at[len])
            break;
        at += len + 1;
    }
fail:
    return status;
}

/* Ours at its efforts, if it is among the codecs asked for. */
static RsdStatus add_ours(RdRun *run, RdCodec *codecs, Ours *ours, const BenchRequest *r, RsdError *err)
{
    bool follows_loss;
    RsdStatus status = RSD_OK;

    TRY(list_efforts(ours, r, run->kind, err));
    CHECK(!r->tune || run->kind == &rd_kind_picture, err, RSD_ERR_ARG, "--tune is for pictures, and these are recordings");
    CHECK(!r->tune || is_named(r->codecs, RD_OURS), err, RSD_ERR_ARG, "--tune is of %s, which is not among --codecs", RD_OURS);
    CHECK(!r->levels || run->kind == &rd_kind_picture, err, RSD_ERR_ARG, "--levels is for pictures, and these are recordings");
    CHECK(!r->levels || is_named(r->codecs, RD_OURS), err, RSD_ERR_ARG, "--levels is of %s, which is not among --codecs", RD_OURS);
    if (!is_named(r->codecs, RD_OURS))
        return RSD_OK;
    TRY(rd_model_open(&run->model, run->kind->eval, r->model, r->tune, err));
    follows_loss = !run->model.loss.named || picture_is_twin(run->model.image, r->tune);
    for (size_t i = 0; i < ours->n_efforts; i++) {
        follows_loss |= ours->efforts[i] >= SEARCH_FIRST_EFFORT;
        CHECK(ours->efforts[i] < SEARCH_FIRST_EFFORT || run->model.image->config.quantizer == IMAGE_SCALAR, err, RSD_ERR_ARG,
              "--effort %d: model %s codes vectors, which efforts from %d on cannot search", ours->efforts[i],
              run->model.image->config.name, SEARCH_FIRST_EFFORT);
        rd_describe_ours(&codecs[run->n_codecs], &run->model, ours->efforts[i], ours->settings[i]);
        if (r->levels)
            TRY(choose_levels(&codecs[run->n_codecs], r->levels, run->model.image, err));
        run->n_codecs++;
    }
    CHECK(follows_loss, err, RSD_ERR_ARG, "--tune %s: model %s was not made for it, and nothing searches: give --effort %d or more, too", r->tune,
          run->model.image->config.name, SEARCH_FIRST_EFFORT);
fail:
    return status;
}

static RsdStatus choose_anchors(RdRun *run, const BenchRequest *r, RsdError *err)
{
    const char *names = r->anchor ? r->anchor : run->kind->anchor;
    RsdStatus status = RSD_OK;

    for (const char *at = names; *at;) {
        const size_t len = strcspn(at, ",");
        size_t i = 0;

        while (i < run->n_codecs && (strlen(run->codecs[i].name) != len || strncmp(run->codecs[i].name, at, len) != 0))
            i++;
        CHECK(i < run->n_codecs || !r->anchor, err, RSD_ERR_ARG, "--anchor: %.*s is not among the codecs", (int)len, at);
        CHECK(run->n_anchors < RD_MAX_ANCHORS, err, RSD_ERR_ARG, "--anchor: more than %d names", RD_MAX_ANCHORS);
        run->anchors[run->n_anchors++] = i < run->n_codecs ? i : 0;
        at += len + (at[len] == ',');
    }
    CHECK(run->n_anchors, err, RSD_ERR_ARG, "--anchor: no name was given");
fail:
    return status;
}

static RsdStatus choose_codecs(RdRun *run, RdCodec *codecs, Ours *ours, const BenchRequest *r, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(check_names(r->codecs, "--codecs", false, run->kind, err));
    TRY(check_names(r->anchor, "--anchor", true, run->kind, err)); /* are the efforts among the codecs? */
    run->codecs = codecs;
    TRY(add_ours(run, codecs, ours, r, err));
    for (size_t k = 0; rd_peer_at(k); k++)
        if (rd_peer_at(k)->kind == run->kind->eval && is_named(r->codecs, rd_peer_at(k)->name))
            codecs[run->n_codecs++] = *rd_peer_at(k);
    CHECK(run->n_codecs, err, RSD_ERR_ARG, "--codecs: no name was given");
    TRY(choose_anchors(run, r, err));
fail:
    return status;
}

/* ---- recordings or pictures ---- */

typedef struct Census {
    size_t n_sounds, n_pictures;
} Census;

static RsdStatus count_file(void *ctx, const char *path, int64_t size, bool named, RsdError *err)
{
    Census *census = ctx;

    (void)size, (void)err;
    if (eval_kind_of(path) == &eval_kind_image)
        census->n_pictures++;
    else if (named || media_list_is_recording(path))
        census->n_sounds++;
    return RSD_OK;
}

static RsdStatus choose_kind(const RdKind **kind, const BenchRequest *r, const char *const *paths, size_t n_paths, RsdError *err)
{
    Census census = {0};
    RsdStatus status = RSD_OK;

    if (r->kind) {
        *kind = strcmp(r->kind, eval_kind_audio.name) == 0   ? &rd_kind_sound
                : strcmp(r->kind, eval_kind_image.name) == 0 ? &rd_kind_picture
                                                             : NULL;
        CHECK(*kind, err, RSD_ERR_ARG, "--kind %s: there are audio and image", r->kind);
    } else {
        TRY(folder_walk(paths, n_paths, count_file, &census, err));
        CHECK(!census.n_sounds || !census.n_pictures, err, RSD_ERR_ARG,
              "%zu recordings and %zu pictures cannot be compared at once: --kind audio or --kind image takes one of them",
              census.n_sounds, census.n_pictures);
        *kind = census.n_pictures ? &rd_kind_picture : &rd_kind_sound;
    }
    CHECK(*kind == &rd_kind_sound || (r->rate_hz <= 0 && r->seconds <= 0), err, RSD_ERR_ARG,
          "--rate and --seconds are for recordings, and these are pictures");
    CHECK(*kind == &rd_kind_picture || r->max_bpp <= 0, err, RSD_ERR_ARG,
          "--max-bpp is for pictures, and these are recordings");
fail:
    return status;
}

typedef struct Files {
    MediaList *sounds;
    PictureList *pictures;
    const char **paths;
} Files;

/* Those of this process. */
static RsdStatus list_files(Files *files, RdRun *run, const Shard *shard, const char *const *paths, size_t n_paths,
                            RsdThreads *threads, RsdError *err)
{
    size_t n_all;
    RsdStatus status = RSD_OK;

    if (run->kind == &rd_kind_sound)
        TRY(media_list_scan(&files->sounds, paths, n_paths, run->rate_hz, threads, err));
    else
        TRY(picture_list_scan(&files->pictures, paths, n_paths, err));
    n_all = files->sounds ? files->sounds->n_files : files->pictures->n_files;
    TRY(mem_alloc(&files->paths, n_all, sizeof *files->paths, err));
    for (size_t i = 0; i < n_all; i++)
        if (shard_has(shard, i))
            files->paths[run->n_files++] = files->sounds ? files->sounds->files[i].path : files->pictures->files[i].path;
    run->paths = files->paths;
fail:
    return status;
}

static void clear_files(Files *files)
{
    media_list_destroy(&files->sounds);
    picture_list_destroy(&files->pictures);
    mem_free(&files->paths);
}

/* ---- results ---- */

static RsdStatus check_outputs(const BenchRequest *r, RsdError *err)
{
    const char *const paths[] = {r->report, r->svg, r->csv_file, r->trials};
    const size_t n = sizeof paths / sizeof *paths;
    RsdStatus status = RSD_OK;

    TRY(outputs_differ(paths, n, err));
    TRY(outputs_check(paths, n - 1, r->force, err)); /* that of trials goes on */
fail:
    return status;
}

/* What `print` prints, at `path` (NULL: nowhere), complete or not at all. */
static RsdStatus save(const char *path, bool overwrite, void (*print)(const RdRun *, FILE *), const RdRun *run, RsdError *err)
{
    FILE *memory = NULL;
    char *text = NULL;
    size_t size = 0;
    RsdStatus status = RSD_OK;

    if (!path)
        return RSD_OK;
    memory = open_memstream(&text, &size);
    CHECK(memory, err, RSD_ERR_MEMORY, "%s: no memory", path);
    print(run, memory);
    CHECK(fclose(memory) == 0, err, RSD_ERR_MEMORY, "%s: no memory", path);
    TRY(atomic_file_write_whole(path, overwrite, text, size, err));
fail:
    free(text);
    return status;
}

static RsdStatus write_files(const BenchRequest *r, RdRun *run, Console *console, RsdError *err)
{
    RsdError why = {0};
    RsdStatus status = save(r->svg, r->force, rd_print_svg, run, err);

    outputs_add(&status, err, save(r->csv_file, r->force, rd_print_csv, run, &why), &why, console);
    if (r->report)
        outputs_add(&status, err, report_write(r->report, r->force, REPORT_RD, rd_fill_report, run, &why), &why, console);
    return status;
}

static RsdStatus bench_rd(const BenchRequest *r, char **operands, size_t n_paths, Console *console, RsdError *err)
{
    const char *const *paths = (const char *const *)operands;
    RdCodec codecs[RD_MAX_CODECS];
    Ours ours = {0};
    EvalSet set;
    EvalLimits limits;
    EvalWishes wishes = {.metrics = r->metrics};
    const EvalOptions options = {0};
    Files files = {0};
    RsdThreads *threads = NULL;
    BenchRequest mine = *r;
    char buffers[3][SHARD_PATH_SIZE];
    Shard shard;
    RdRun run = {.set = &set, .console = console, .channels = 1, .max_rate = r->max_bpp};
    RsdStatus status = RSD_OK;

    TRY(shard_parse(&shard, r->shard, err));
    run.shard = shard.text[0] ? shard.text : NULL;
    mine.report = shard_path(&shard, r->report, buffers[0]);
    mine.svg = shard_path(&shard, r->svg, buffers[1]);
    mine.csv_file = shard_path(&shard, r->csv_file, buffers[2]);
    TRY(check_outputs(&mine, err));
    TRY(choose_kind(&run.kind, r, paths, n_paths, err));
    if (!r->metrics)
        wishes.metrics = run.kind->metrics;
    TRY(eval_wishes_check(&wishes, &run.kind->eval, 1, err));
    TRY(eval_set_choose(&set, &limits, run.kind->eval, &wishes, &options, err));
    TRY(choose_codecs(&run, codecs, &ours, r, err));
    TRY(rsd_threads_create(&threads, r->n_threads, err));
    run.seconds = r->seconds > 0 ? r->seconds : DEFAULT_SECONDS;
    run.rate_hz = r->rate_hz > 0 ? (int)r->rate_hz : run.model.sound ? rsd_model_info(run.model.sound)->rate_hz : 48000;
    if (run.model.sound)
        run.channels = rsd_model_info(run.model.sound)->channels;
    TRY(list_files(&files, &run, &shard, paths, n_paths, threads, err));
    if (!run.n_files) {
        console_say(console, LOG_INFO, "--shard %s: there are fewer %s than parts, and none is in this one", shard.text, run.kind->eval->things);
        goto fail;
    }
    if (r->trials) {
        TRY(rd_trials_open(&run.trials, r->trials, err));
        if (rd_trials_count(run.trials) > 0)
            console_say(console, LOG_INFO, "%s: %zu trials are known", r->trials, rd_trials_count(run.trials));
    }
    TRY(rd_run(&run, threads, err));
    (r->json ? rd_print_json : r->csv ? rd_print_csv : rd_print_table)(&run, stdout);
    fflush(stdout);
    TRY(write_files(&mine, &run, console, err));
fail:
    rd_trials_close(&run.trials);
    rd_run_clear(&run);
    rd_model_close(&run.model);
    clear_files(&files);
    rsd_threads_destroy(&threads);
    return status;
}

static int run(int argc, char **argv)
{
    BenchRequest r = {0};
    Console console;
    size_t n_operands;
    int code;
    RsdError err = {0};
    RsdStatus status = RSD_OK;

    if (!command_begin(&cli_bench, &r, argc, argv, &n_operands, &console, &code))
        return code;
    if (n_operands < 2 || strcmp(argv[0], "rd") != 0)
        code = command_misused(&cli_bench, "what and on which recordings or pictures: residua bench %s", cli_bench.usage);
    else if (r.json && r.csv)
        code = command_misused(&cli_bench, "--json and --csv both write to standard output: give one of them");
    else {
        status = bench_rd(&r, argv + 1, n_operands - 1, &console, &err);
        code = cli_exit_code(status);
    }
    if (status != RSD_OK)
        console_say(&console, LOG_ERROR, "%s", err.text);
    console_close(&console);
    return code;
}

const Command cli_bench = {
    .name = "bench",
    .summary = "rate and distortion beside other codecs",
    .usage = "rd [options] FOLDER...",
    .description = "Codes every recording or picture of the folders (or those named) with our model and with others, each at "
                   "several "
                   "settings, decodes the files again and measures them: recordings with Opus, AAC, MP3 and Vorbis, pictures "
                   "with JPEG, "
                   "WebP, JPEG 2000, JPEG XL and AVIF. Rates are those of whole files. The table ends with the quality of each "
                   "codec at equal rates, from the means at each setting and from each file's own curve (only the second "
                   "compares a dial that is a rate, the same for every file, with one that is a quality), the bits that each needs for the same quality as the anchor (BD-rate) where the curves overlap, and "
                   "the settings of "
                   "each encoder.\n\nAll codecs get the same samples: recordings at the rate and the channels of the model "
                   "(--codecs "
                   "without residua: 48 kHz, mono), pictures with 8 bits and without opacity, which is laid on grey.",
    .options = OPTIONS,
    .n_options = sizeof OPTIONS / sizeof *OPTIONS,
    .examples = EXAMPLES,
    .json = JSON_FIELDS,
    .run = run,
};
