/* media_list.h - the recordings below a set of folders: found, opened once, measured and reported.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_MEDIA_LIST_H
#define RESIDUA_MEDIA_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/base/threads.h"

typedef struct MediaFile {
    char *path;
    int64_t n_samples; /* mono at the asked rate; an estimate for formats that do not say */
    int source_rate_hz, source_channels;
    char codec[32];
} MediaFile;

typedef struct MediaList {
    MediaFile *files; /* sorted by path */
    size_t n_files, capacity;
    size_t n_broken, n_other; /* files that could not be opened; files whose name is not that of a recording */
    size_t n_unread;          /* left out, with one warning for all: the module that reads them is missing */
    int rate_hz;
} MediaList;

/* By the ending of its name alone. */
bool media_list_is_recording(const char *path);

/* Walks each folder (or takes a single file) and opens every file whose name ends like a recording's. Links to folders
 * and hidden files are passed over. Broken files are named once as a warning. The list is the same for any thread
 * count. Errors: RSD_ERR_IO (a folder cannot be read), RSD_ERR_CORRUPT (nothing usable found), RSD_ERR_MODULE (nothing but
 * what it reads), RSD_ERR_MEMORY. */
RsdStatus media_list_scan(MediaList **out, const char *const *paths, size_t n_paths, int rate_hz, RsdThreads *threads,
                          RsdError *err);
void media_list_destroy(MediaList **list);

/* Moves every k-th file (k >= 2) into *held_out, which is a new list. Errors: RSD_ERR_MEMORY. */
RsdStatus media_list_split(MediaList *list, int every_kth, MediaList **held_out, RsdError *err);

/* Leaves files `index`, index + n, index + 2 n, ... */
void media_list_keep_part(MediaList *list, size_t index, size_t n);

double media_list_hours(const MediaList *list);
/* A number that changes when files are added, removed or replaced: a resumed run compares it. */
uint32_t media_list_fingerprint(const MediaList *list);

/* "1400 files, 2.05 h (16 kHz 433, 44.1 kHz 648, ...; opus 640, vorbis 725, ...), 3 broken". Returns `text`. */
#define MEDIA_REPORT_SIZE 512
const char *media_list_report(char text[MEDIA_REPORT_SIZE], const MediaList *list);

#endif
