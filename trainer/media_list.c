/* media_list.c - walks folders and opens each recording once.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trainer/media_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "engine/base/checksum.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "media/audio_reader.h"
#include "trainer/folder_walk.h"

#define COUNT_BLOCK 8192

static const char *const ENDINGS[] = {"wav",  "wave", "flac", "g722", "ogg", "oga", "opus", "mp3", "m4a",
                                      "mp4",  "aac",  "aif",  "aiff", "au",  "snd", "caf",  "w64", "rf64",
                                      "webm", "mka",  "mkv",  "mov",  "wma", "amr", "spx"};
#define N_ENDINGS (sizeof ENDINGS / sizeof *ENDINGS)

bool media_list_is_recording(const char *path)
{
    const char *dot = strrchr(path, '.');

    for (size_t i = 0; dot && i < N_ENDINGS; i++)
        if (!strcasecmp(dot + 1, ENDINGS[i]))
            return true;
    return false;
}

/* A file that the user names is tried whatever its ending. */
static RsdStatus add_path(void *ctx, const char *path, int64_t size, bool named, RsdError *err)
{
    MediaList *list = ctx;
    RsdStatus status = RSD_OK;

    (void)size;
    if (!named && !media_list_is_recording(path)) {
        list->n_other++;
        return RSD_OK;
    }
    if (list->n_files == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 256;

        TRY(mem_resize(&list->files, list->capacity, capacity, sizeof *list->files, err));
        list->capacity = capacity;
    }
    list->files[list->n_files] = (MediaFile){0};
    TRY(mem_strdup(&list->files[list->n_files].path, path, err));
    list->n_files++;
fail:
    return status;
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(((const MediaFile *)a)->path, ((const MediaFile *)b)->path);
}

/* Counts by decoding, for formats that do not tell their length. */
static RsdStatus count_samples(AudioReader *reader, int64_t *n_samples, RsdError *err)
{
    float block[COUNT_BLOCK];
    size_t n_read = 1;
    RsdStatus status = RSD_OK;

    *n_samples = 0;
    while (status == RSD_OK && n_read) {
        status = audio_reader_read(reader, block, COUNT_BLOCK, &n_read, err);
        *n_samples += (int64_t)n_read;
    }
    /* Damage later on: what comes before it can be used. */
    return *n_samples ? RSD_OK : status;
}

static RsdStatus open_file(MediaFile *file, int rate_hz, RsdError *err)
{
    AudioReader *reader = NULL;
    AudioReaderOptions options = {.rate_hz = rate_hz, .channels = 1};
    const AudioInfo *info;
    RsdStatus status = RSD_OK;

    TRY(audio_reader_open(&reader, file->path, &options, err));
    info = audio_reader_info(reader);
    file->n_samples = info->n_samples;
    file->source_rate_hz = info->source_rate_hz;
    file->source_channels = info->source_channels;
    snprintf(file->codec, sizeof file->codec, "%s", info->codec);
    if (file->n_samples < 0)
        TRY(count_samples(reader, &file->n_samples, err));
    CHECK(file->n_samples > 0, err, RSD_ERR_CORRUPT, "%s: holds no samples", file->path);
fail:
    audio_reader_close(&reader);
    return status;
}

typedef struct OpenJob {
    MediaList *list;
    RsdError *reasons; /* [n_files], all zero: the file is sound */
} OpenJob;

static void open_task(void *ctx, int64_t i, int worker)
{
    OpenJob *job = ctx;
    RsdError *reason = &job->reasons[i];

    (void)worker;
    if (open_file(&job->list->files[i], job->list->rate_hz, reason) == RSD_OK)
        *reason = (RsdError){0};
    else if (!reason->text[0])
        error_set(reason, RSD_ERR_CORRUPT, "%s: cannot be opened", job->list->files[i].path);
}

/* A broken file is named; that the module is missing is said once, for it concerns many. */
static RsdStatus open_all(MediaList *list, RsdThreads *threads, RsdError *err)
{
    OpenJob job = {.list = list};
    const RsdError *unread = NULL;
    size_t n_kept = 0;
    RsdStatus status = RSD_OK;

    TRY(mem_calloc(&job.reasons, list->n_files, sizeof *job.reasons, err));
    threads_for(threads, (int64_t)list->n_files, open_task, &job);
    for (size_t i = 0; i < list->n_files; i++) {
        const RsdError *reason = &job.reasons[i];

        if (reason->status == RSD_OK) {
            list->files[n_kept++] = list->files[i];
            continue;
        }
        mem_free(&list->files[i].path);
        if (reason->status == RSD_ERR_MODULE) {
            unread = unread ? unread : reason;
            list->n_unread++;
        } else {
            log_note(LOG_WARNING, "%s; the file is left out", reason->text);
            list->n_broken++;
        }
    }
    list->n_files = n_kept;
    CHECK(n_kept || !unread, err, RSD_ERR_MODULE, "none of %zu recordings can be read: %s", list->n_unread, unread->text);
    if (unread)
        log_note(LOG_WARNING, "%zu of %zu recordings are left out: %s", list->n_unread, list->n_unread + n_kept, unread->text);
fail:
    mem_free(&job.reasons);
    return status;
}

static void drop_doubles(MediaList *list)
{
    size_t n_kept = 0;

    for (size_t i = 0; i < list->n_files; i++) {
        if (n_kept && !strcmp(list->files[n_kept - 1].path, list->files[i].path))
            mem_free(&list->files[i].path);
        else
            list->files[n_kept++] = list->files[i];
    }
    list->n_files = n_kept;
}

RsdStatus media_list_scan(MediaList **out, const char *const *paths, size_t n_paths, int rate_hz, RsdThreads *threads,
                          RsdError *err)
{
    MediaList *list = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&list, 1, sizeof *list, err));
    list->rate_hz = rate_hz;
    TRY(folder_walk(paths, n_paths, add_path, list, err));
    if (list->n_files) {
        qsort(list->files, list->n_files, sizeof *list->files, compare_paths);
        drop_doubles(list);
        TRY(open_all(list, threads, err));
    }
    CHECK(list->n_files, err, RSD_ERR_CORRUPT,
          "%s%s: no usable recording found (%zu broken, %zu files of other kinds); give folders with WAV, FLAC, Ogg, "
          "Opus or MP3 files",
          n_paths ? paths[0] : "no folder given", n_paths > 1 ? " and the other folders" : "", list->n_broken,
          list->n_other);
    *out = list;
    return RSD_OK;
fail:
    media_list_destroy(&list);
    return status;
}

void media_list_destroy(MediaList **list)
{
    if (!*list)
        return;
    for (size_t i = 0; i < (*list)->n_files; i++)
        mem_free(&(*list)->files[i].path);
    mem_free(&(*list)->files);
    mem_free(list);
}

RsdStatus media_list_split(MediaList *list, int every_kth, MediaList **held_out, RsdError *err)
{
    MediaList *other = NULL;
    size_t n_kept = 0, k = (size_t)every_kth;
    RsdStatus status = RSD_OK;

    *held_out = NULL;
    TRY(mem_calloc(&other, 1, sizeof *other, err));
    other->rate_hz = list->rate_hz;
    TRY(mem_calloc(&other->files, list->n_files / k + 1, sizeof *other->files, err));
    other->capacity = list->n_files / k + 1;
    for (size_t i = 0; i < list->n_files; i++) {
        if (i % k == k - 1)
            other->files[other->n_files++] = list->files[i];
        else
            list->files[n_kept++] = list->files[i];
    }
    list->n_files = n_kept;
    *held_out = other;
    return RSD_OK;
fail:
    media_list_destroy(&other);
    return status;
}

void media_list_keep_part(MediaList *list, size_t index, size_t n)
{
    size_t n_kept = 0;

    for (size_t i = 0; i < list->n_files; i++)
        if (i % n == index)
            list->files[n_kept++] = list->files[i];
        else
            mem_free(&list->files[i].path);
    list->n_files = n_kept;
}

double media_list_hours(const MediaList *list)
{
    double n_samples = 0.0;

    for (size_t i = 0; i < list->n_files; i++)
        n_samples += (double)list->files[i].n_samples;
    return n_samples / list->rate_hz / 3600.0;
}

uint32_t media_list_fingerprint(const MediaList *list)
{
    uint32_t crc = 0;

    for (size_t i = 0; i < list->n_files; i++) {
        /* The file's own name, not the folder: the same data may lie elsewhere after a move. */
        const char *slash = strrchr(list->files[i].path, '/');
        const char *name = slash ? slash + 1 : list->files[i].path;

        crc = crc32_update(crc, name, strlen(name));
        crc = crc32_update(crc, &list->files[i].n_samples, sizeof list->files[i].n_samples);
    }
    return crc;
}

#define N_KINDS_MAX 6 /* kinds shown by name; the rest are summed up */

typedef struct Kind {
    char name[32];
    size_t count;
} Kind;

static void count_kind(Kind *kinds, size_t *n_kinds, const char *name)
{
    size_t i = 0;

    while (i < *n_kinds && strcmp(kinds[i].name, name))
        i++;
    if (i == N_KINDS_MAX) {
        snprintf(kinds[i].name, sizeof kinds[i].name, "other");
    } else if (i == *n_kinds) {
        snprintf(kinds[i].name, sizeof kinds[i].name, "%s", name);
        (*n_kinds)++;
    }
    kinds[i].count++;
}

static size_t print_kinds(char *text, size_t size, const Kind *kinds)
{
    size_t used = 0;

    for (size_t i = 0; i <= N_KINDS_MAX && used < size; i++)
        if (kinds[i].count)
            used +=
                (size_t)snprintf(text + used, size - used, "%s%s %zu", used ? ", " : "", kinds[i].name, kinds[i].count);
    return used < size ? used : size - 1;
}

const char *media_list_report(char text[MEDIA_REPORT_SIZE], const MediaList *list)
{
    Kind rates[N_KINDS_MAX + 1] = {0}, codecs[N_KINDS_MAX + 1] = {0};
    size_t n_rates = 0, n_codecs = 0, used;

    for (size_t i = 0; i < list->n_files; i++) {
        char rate[32];

        snprintf(rate, sizeof rate, "%g kHz", list->files[i].source_rate_hz / 1000.0);
        count_kind(rates, &n_rates, rate);
        count_kind(codecs, &n_codecs, list->files[i].codec);
    }
    used = (size_t)snprintf(text, MEDIA_REPORT_SIZE, "%zu files, %.2f h (", list->n_files, media_list_hours(list));
    used += print_kinds(text + used, MEDIA_REPORT_SIZE - used, rates);
    used += (size_t)snprintf(text + used, MEDIA_REPORT_SIZE - used, "; ");
    used += print_kinds(text + used, MEDIA_REPORT_SIZE - used, codecs);
    snprintf(text + used, MEDIA_REPORT_SIZE - used, "), %zu broken", list->n_broken);
    return text;
}
