/* loader.c - a ring of batches, filled crop by crop.
 *
 *   slots   [ step 7 ][ step 8 ][ step 9 ]     slot of a step = step % n_slots
 *              ^ used by the caller
 *                        ^ ^ ^ crops are handed out to the workers one by one, in order
 *
 * SPDX-License-Identifier: MIT
 */
#include "trainer/loader.h"

#include <pthread.h>
#include <stdbool.h>

#include "engine/base/mem.h"

#define N_WORKERS_MAX 64

typedef struct Slot {
    float *crops;
    int n_done;
} Slot;

struct Loader {
    CropSource source;
    uint64_t step, first_step; /* step: the next one to be handed to the caller */
    int batch, n_slots, n_workers;
    uint64_t next_crop; /* counts crops from first_step on */
    bool stop, started; /* started: the caller holds the batch of step - 1 */
    RsdStatus status;   /* the first failure of a worker */
    RsdError error;
    Slot *slots;
    pthread_t workers[N_WORKERS_MAX];
    pthread_mutex_t lock;
    pthread_cond_t changed;
};

static Slot *slot_of(const Loader *loader, uint64_t step)
{
    return &loader->slots[step % (uint64_t)loader->n_slots];
}

/* First step whose slot is still in use. */
static uint64_t oldest_step(const Loader *loader)
{
    return loader->started ? loader->step - 1 : loader->step;
}

static void *worker_main(void *arg)
{
    Loader *loader = arg;

    pthread_mutex_lock(&loader->lock);
    for (;;) {
        uint64_t step = loader->first_step + loader->next_crop / (uint64_t)loader->batch;
        uint32_t sample = (uint32_t)(loader->next_crop % (uint64_t)loader->batch);
        Slot *slot = slot_of(loader, step);
        RsdError error = {0};
        RsdStatus status;

        if (loader->stop)
            break;
        if (step >= oldest_step(loader) + (uint64_t)loader->n_slots) {
            pthread_cond_wait(&loader->changed, &loader->lock);
            continue;
        }
        loader->next_crop++;
        pthread_mutex_unlock(&loader->lock);
        status = loader->source.make(loader->source.ctx, step, loader->source.first_sample + sample,
                                     slot->crops + (size_t)sample * loader->source.len, &error);
        pthread_mutex_lock(&loader->lock);
        if (status != RSD_OK && loader->status == RSD_OK) {
            loader->status = status;
            loader->error = error;
        }
        slot->n_done++;
        if (slot->n_done == loader->batch || status != RSD_OK)
            pthread_cond_broadcast(&loader->changed);
    }
    pthread_mutex_unlock(&loader->lock);
    return NULL;
}

RsdStatus loader_create(Loader **out, const CropSource *source, const DataConfig *cfg, uint64_t first_step, RsdError *err)
{
    Loader *loader = NULL;
    int n_workers = cfg->workers < N_WORKERS_MAX ? cfg->workers : N_WORKERS_MAX;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&loader, 1, sizeof *loader, err));
    loader->source = *source;
    loader->step = loader->first_step = first_step;
    loader->batch = cfg->batch;
    loader->n_slots = n_workers ? cfg->prefetch + 1 : 1;
    pthread_mutex_init(&loader->lock, NULL);
    pthread_cond_init(&loader->changed, NULL);
    TRY(mem_calloc(&loader->slots, (size_t)loader->n_slots, sizeof *loader->slots, err));
    for (int i = 0; i < loader->n_slots; i++)
        TRY(mem_calloc(&loader->slots[i].crops, (size_t)cfg->batch * source->len, sizeof(float), err));
    for (int i = 0; i < n_workers; i++) {
        CHECK(pthread_create(&loader->workers[i], NULL, worker_main, loader) == 0, err, RSD_ERR_MEMORY,
              "cannot start data thread %d of %d", i + 1, n_workers);
        loader->n_workers++;
    }
    *out = loader;
    return RSD_OK;
fail:
    loader_destroy(&loader);
    return status;
}

void loader_destroy(Loader **loader)
{
    Loader *l = *loader;

    if (!l)
        return;
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
    for (int i = 0; i < l->n_workers; i++)
        pthread_join(l->workers[i], NULL);
    for (int i = 0; l->slots && i < l->n_slots; i++)
        mem_free(&l->slots[i].crops);
    mem_free(&l->slots);
    pthread_cond_destroy(&l->changed);
    pthread_mutex_destroy(&l->lock);
    mem_free(loader);
}

static RsdStatus make_now(Loader *loader, RsdError *err)
{
    Slot *slot = slot_of(loader, loader->step);

    for (int i = 0; i < loader->batch; i++) {
        RsdStatus status = loader->source.make(loader->source.ctx, loader->step, loader->source.first_sample + (uint32_t)i,
                                               slot->crops + (size_t)i * loader->source.len, err);

        if (status != RSD_OK)
            return status;
    }
    return RSD_OK;
}

RsdStatus loader_next(Loader *loader, const float **batch, RsdError *err)
{
    RsdStatus status = RSD_OK;

    *batch = NULL;
    if (!loader->n_workers) {
        TRY(make_now(loader, err));
        *batch = slot_of(loader, loader->step++)->crops;
        return RSD_OK;
    }
    pthread_mutex_lock(&loader->lock);
    if (loader->started)
        slot_of(loader, loader->step - 1)->n_done = 0;
    loader->started = false; /* the old slot is free for a new step */
    pthread_cond_broadcast(&loader->changed);
    while (slot_of(loader, loader->step)->n_done < loader->batch && loader->status == RSD_OK)
        pthread_cond_wait(&loader->changed, &loader->lock);
    status = loader->status;
    if (status == RSD_OK) {
        *batch = slot_of(loader, loader->step)->crops;
        loader->step++;
        loader->started = true;
    } else if (err) {
        *err = loader->error;
    }
    pthread_mutex_unlock(&loader->lock);
fail:
    return status;
}
