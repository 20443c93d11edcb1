/* pictures.h - the pictures below a set of folders, and random training crops from them.
 *
 * A crop depends only on (seed, step, sample): neither on the thread that makes it nor on what was read before. Pictures are
 * read when first needed, in any format that media/image_reader.h knows, and kept with 8 bits a sample; they are told by
 * their first bytes, not by their names.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_PICTURES_H
#define RESIDUA_PICTURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "trainer/config.h"

typedef struct PictureFile {
    char *path;
    char format[16];
    int64_t size; /* bytes */
} PictureFile;

typedef struct PictureList {
    PictureFile *files; /* sorted by path */
    size_t n_files, capacity, n_other;
    size_t n_unread; /* left out, with one warning for all: the module that reads them is missing */
} PictureList;

/* Walks each folder, or takes a single file. Links to folders and hidden files are passed over. Errors: RSD_ERR_IO (a
 * folder cannot be read), RSD_ERR_CORRUPT (no picture found), RSD_ERR_MODULE (only such as it reads), RSD_ERR_MEMORY. */
RsdStatus picture_list_scan(PictureList **out, const char *const *paths, size_t n_paths, RsdError *err);
void picture_list_destroy(PictureList **list);
/* Moves every k-th file (k >= 2) into *held_out. Errors: RSD_ERR_MEMORY. */
RsdStatus picture_list_split(PictureList *list, int every_kth, PictureList **held_out, RsdError *err);
/* Changes when files are added, removed or replaced by others of another size. */
uint32_t picture_list_fingerprint(const PictureList *list);
/* "299 pictures (jpeg 280, png 19), 28 MB". Returns `text`. */
#define PICTURE_REPORT_SIZE 256
const char *picture_list_report(char text[PICTURE_REPORT_SIZE], const PictureList *list);

typedef struct Pictures Pictures;

/* list and cfg: borrowed until destroy. Errors: RSD_ERR_MEMORY. */
RsdStatus pictures_create(Pictures **out, const PictureList *list, const TrainConfig *cfg, RsdError *err);
void pictures_destroy(Pictures **pictures);

/* One crop [3, crop, crop] in 0 .. 1, augmented. A broken file is named once and another is drawn; how many are smaller than a crop is
 * told once, when all have been read. Any thread. Errors: RSD_ERR_CORRUPT (more than data.max_broken files are broken, or not one can be
 * used), RSD_ERR_MEMORY. */
RsdStatus pictures_crop(Pictures *pictures, uint64_t step, uint32_t sample, float *dst, RsdError *err);

/* The middle of a file, in sides that are multiples of 64 and at most picture.valid_side: *pixels
 * [3, h, w] is the caller's (mem_free). Errors: those of image_read; RSD_ERR_ARG when it is smaller than 64 pixels. */
RsdStatus pictures_middle(const PictureFile *file, const TrainConfig *cfg, float **pixels, int64_t *h, int64_t *w,
                          RsdError *err);

#endif
