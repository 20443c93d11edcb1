/* loader.h - batches made ahead of time by background threads.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_LOADER_H
#define RESIDUA_LOADER_H

#include "trainer/dataset.h"

typedef struct Loader Loader;

/* Batches of cfg->batch crops of segment_len samples for steps first_step, first_step + 1, ... are made by cfg->workers
 * threads, at most cfg->prefetch batches ahead; workers 0 makes them in loader_next. Crops are number first_sample
 * and following ones of their step: the members of a group have different ones. dataset is borrowed until destroy.
 * Errors: RSD_ERR_MEMORY. */
RsdStatus loader_create(Loader **out, Dataset *dataset, const DataConfig *cfg, size_t segment_len, uint64_t seed,
                        uint64_t first_step, uint32_t first_sample, RsdError *err);
void loader_destroy(Loader **loader);

/* The next step's batch [batch, segment_len], valid until the next call. Waits when it is not ready. One thread.
 * Errors: those of dataset_crop. */
RsdStatus loader_next(Loader *loader, const float **batch, RsdError *err);

#endif
