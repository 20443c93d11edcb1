/* loader.h - batches made ahead of time by background threads.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_LOADER_H
#define RESIDUA_LOADER_H

#include "trainer/dataset.h"

/* Where crops come from: make fills dst [len] with crop `sample` of step `step`, on any thread. */
typedef struct CropSource {
    void *ctx;
    RsdStatus (*make)(void *ctx, uint64_t step, uint32_t sample, float *dst, RsdError *err);
    size_t len;
    uint32_t first_sample; /* number of the first crop of a step: the members of a group have different ones */
} CropSource;

typedef struct Loader Loader;

/* Batches of cfg->batch crops for steps first_step, first_step + 1, ... are made by cfg->workers threads, at most
 * cfg->prefetch batches ahead; workers 0 makes them in loader_next. source is copied. Errors: RSD_ERR_MEMORY. */
RsdStatus loader_create(Loader **out, const CropSource *source, const DataConfig *cfg, uint64_t first_step, RsdError *err);
void loader_destroy(Loader **loader);

/* The next step's batch [batch, len], valid until the next call. Waits when it is not ready. One thread.
 * Errors: those of make. */
RsdStatus loader_next(Loader *loader, const float **batch, RsdError *err);

#endif
