/* picture_list.c - looks at the first bytes of each file below some folders.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/checksum.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "media/image_reader.h"
#include "trainer/folder_walk.h"
#include "trainer/pictures.h"

#define HEAD_SIZE 16
#define N_FORMATS_MAX 16

static RsdStatus add_file(void *ctx, const char *path, int64_t size, bool named, RsdError *err)
{
    PictureList *list = ctx;
    FILE *file = fopen(path, "rb");
    uint8_t head[HEAD_SIZE];
    const char *format = NULL;
    RsdStatus status = RSD_OK;

    (void)named;
    if (file) {
        format = image_format_of(head, fread(head, 1, sizeof head, file));
        fclose(file);
    }
    if (!format) {
        list->n_other++;
        return RSD_OK;
    }
    if (list->n_files == list->capacity) {
        const size_t capacity = list->capacity ? 2 * list->capacity : 256;

        TRY(mem_resize(&list->files, list->capacity, capacity, sizeof *list->files, err));
        list->capacity = capacity;
    }
    list->files[list->n_files] = (PictureFile){.size = size};
    TRY(mem_strdup(&list->files[list->n_files].path, path, err));
    snprintf(list->files[list->n_files].format, sizeof list->files[0].format, "%s", format);
    list->n_files++;
fail:
    return status;
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(((const PictureFile *)a)->path, ((const PictureFile *)b)->path);
}

/* A module that is missing is no fault of the files: that is said once, of all of them. */
static RsdStatus drop_unread(PictureList *list, RsdError *err)
{
    RsdError reason = {0};
    size_t n_kept = 0;
    RsdStatus status = RSD_OK;

    for (size_t i = 0; i < list->n_files; i++) {
        RsdError *why = list->n_unread ? NULL : &reason;

        if (image_format_check(list->files[i].format, why) == RSD_OK) {
            list->files[n_kept++] = list->files[i];
            continue;
        }
        error_prefix(why, RSD_ERR_MODULE, "%s", list->files[i].path);
        mem_free(&list->files[i].path);
        list->n_unread++;
    }
    list->n_files = n_kept;
    CHECK(n_kept, err, RSD_ERR_MODULE, "none of %zu pictures can be read: %s", list->n_unread, reason.text);
    if (list->n_unread)
        log_note(LOG_WARNING, "%zu of %zu pictures are left out: %s", list->n_unread, list->n_unread + n_kept, reason.text);
fail:
    return status;
}

RsdStatus picture_list_scan(PictureList **out, const char *const *paths, size_t n_paths, RsdError *err)
{
    PictureList *list = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&list, 1, sizeof *list, err));
    TRY(folder_walk(paths, n_paths, add_file, list, err));
    CHECK(list->n_files, err, RSD_ERR_CORRUPT, "%s: holds no picture (%zu other files)", n_paths ? paths[0] : "nothing",
          list->n_other);
    qsort(list->files, list->n_files, sizeof *list->files, compare_paths);
    TRY(drop_unread(list, err));
    *out = list;
    return RSD_OK;
fail:
    picture_list_destroy(&list);
    return status;
}

void picture_list_destroy(PictureList **list)
{
    if (!*list)
        return;
    for (size_t i = 0; i < (*list)->n_files; i++)
        mem_free(&(*list)->files[i].path);
    mem_free(&(*list)->files);
    mem_free(list);
}

RsdStatus picture_list_split(PictureList *list, int every_kth, PictureList **held_out, RsdError *err)
{
    const size_t k = (size_t)every_kth, n = list->n_files / k;
    PictureList *out = NULL;
    size_t n_kept = 0;
    RsdStatus status = RSD_OK;

    *held_out = NULL;
    TRY(mem_calloc(&out, 1, sizeof *out, err));
    TRY(mem_calloc(&out->files, n, sizeof *out->files, err));
    out->capacity = n;
    for (size_t i = 0; i < list->n_files; i++)
        if (i % k == k - 1)
            out->files[out->n_files++] = list->files[i];
        else
            list->files[n_kept++] = list->files[i];
    list->n_files = n_kept;
    *held_out = out;
    return RSD_OK;
fail:
    picture_list_destroy(&out);
    return status;
}

uint32_t picture_list_fingerprint(const PictureList *list)
{
    uint32_t crc = 0;

    for (size_t i = 0; i < list->n_files; i++) {
        const char *slash = strrchr(list->files[i].path, '/'), *name = slash ? slash + 1 : list->files[i].path;
        char text[WALK_PATH_SIZE];
        const int len = snprintf(text, sizeof text, "%s %lld\n", name, (long long)list->files[i].size);

        crc = crc32_update(crc, text, (size_t)(len < (int)sizeof text ? len : (int)sizeof text - 1));
    }
    return crc;
}

const char *picture_list_report(char text[PICTURE_REPORT_SIZE], const PictureList *list)
{
    const char *formats[N_FORMATS_MAX];
    size_t counts[N_FORMATS_MAX] = {0}, n = 0, used;
    double size = 0;

    for (size_t i = 0; i < list->n_files; i++) {
        size_t k = 0;

        while (k < n && strcmp(formats[k], list->files[i].format))
            k++;
        if (k == n && n < N_FORMATS_MAX)
            formats[n++] = list->files[i].format;
        if (k < n)
            counts[k]++;
        size += (double)list->files[i].size;
    }
    used = (size_t)snprintf(text, PICTURE_REPORT_SIZE, "%zu picture%s (", list->n_files, list->n_files == 1 ? "" : "s");
    for (size_t k = 0; k < n && used < PICTURE_REPORT_SIZE; k++)
        used += (size_t)snprintf(text + used, PICTURE_REPORT_SIZE - used, "%s%s %zu", k ? ", " : "", formats[k], counts[k]);
    if (used < PICTURE_REPORT_SIZE)
        snprintf(text + used, PICTURE_REPORT_SIZE - used, "), %.1f MB", size / 1e6);
    return text;
}
