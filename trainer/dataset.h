/* dataset.h - random training crops from a list of recordings.
 *
 * A crop depends only on (seed, step, sample): neither on the thread that makes it, nor on what was decoded before, nor
 * on whether its file is in the cache. That is what lets a run be resumed exactly.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_DATASET_H
#define RESIDUA_DATASET_H

#include "trainer/augment.h"
#include "trainer/media_list.h"

#define VALID_SHORTEST_S 0.5 /* a clip in a validation */

typedef struct DataConfig {
    int batch;             /* crops per step */
    double segment_s;      /* length of a crop */
    float min_level_db;    /* crops quieter than this are drawn again a few times */
    int64_t cache_size;    /* bytes of decoded audio kept, 2 per sample */
    int max_broken;        /* files that may turn out to be broken before the run stops */
    int workers, prefetch; /* threads that make crops; batches made ahead */
    int valid_every;       /* every k-th file is held out; 0: none */
    int valid_clips;       /* held-out clips that are evaluated */
    double valid_clip_s;   /* from the start of their files */
    AugmentConfig augment;
} DataConfig;

typedef struct Dataset Dataset;

/* list: borrowed until destroy. Files are decoded when first needed, and kept as 16-bit samples until cache_size is
 * reached; later ones are decoded each time. Errors: RSD_ERR_MEMORY. */
RsdStatus dataset_create(Dataset **out, const MediaList *list, const DataConfig *cfg, RsdError *err);
void dataset_destroy(Dataset **dataset);

/* Samples start .. start + n - 1 of a file, zeros outside. *n_present: how many exist. Any thread. Errors: those of the
 * reader when not one sample can be decoded, RSD_ERR_MEMORY. */
RsdStatus dataset_read(Dataset *dataset, size_t file, int64_t start, size_t n, float *dst, size_t *n_present,
                       RsdError *err);

/* One crop [n], chosen with probability by duration, augmented. A broken file is named once and another one is drawn.
 * Any thread. Errors: RSD_ERR_CORRUPT (more than max_broken files are broken), RSD_ERR_MEMORY. */
RsdStatus dataset_crop(Dataset *dataset, uint64_t seed, uint64_t step, uint32_t sample, size_t n, float *dst,
                       RsdError *err);

size_t dataset_cached_size(Dataset *dataset); /* bytes */

#endif
