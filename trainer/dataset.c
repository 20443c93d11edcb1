/* dataset.c - cache of decoded recordings and the choice of crops.
 *
 * Each file passes through these states; the lock protects states and sizes, never a decode:
 *
 *   FILE_UNREAD --room in the cache--> FILE_DECODING --> FILE_CACHED
 *        |                                  |
 *        +--no room: decoded each time      +--not one sample--> FILE_BROKEN
 *
 * Samples are rounded to 16 bits on every path, so that a crop has the same bits cached or not.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trainer/dataset.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "media/audio_reader.h"

#define READ_BLOCK 4096
#define N_TRIES 8       /* draws until a crop is loud enough */
#define N_FILE_TRIES 64 /* draws until a file is sound; then the next one in order that is */

typedef enum FileState { FILE_UNREAD, FILE_DECODING, FILE_CACHED, FILE_BROKEN } FileState;

typedef struct CachedFile {
    FileState state;
    bool damage_named;
    int16_t *samples;
    int64_t n_samples;
} CachedFile;

struct Dataset {
    const MediaList *list;
    DataConfig config;
    CachedFile *files;
    int64_t *ends; /* ends[i]: samples of files 0 .. i */
    pthread_mutex_t lock;
    pthread_cond_t decoded;
    size_t cached_size;
    int n_broken;
};

RsdStatus dataset_create(Dataset **out, const MediaList *list, const DataConfig *cfg, RsdError *err)
{
    Dataset *dataset = NULL;
    int64_t end = 0;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&dataset, 1, sizeof *dataset, err));
    dataset->list = list;
    dataset->config = *cfg;
    pthread_mutex_init(&dataset->lock, NULL);
    pthread_cond_init(&dataset->decoded, NULL);
    TRY(mem_calloc(&dataset->files, list->n_files, sizeof *dataset->files, err));
    TRY(mem_calloc(&dataset->ends, list->n_files, sizeof *dataset->ends, err));
    for (size_t i = 0; i < list->n_files; i++)
        dataset->ends[i] = end += list->files[i].n_samples;
    *out = dataset;
    return RSD_OK;
fail:
    dataset_destroy(&dataset);
    return status;
}

void dataset_destroy(Dataset **dataset)
{
    Dataset *d = *dataset;

    if (!d)
        return;
    for (size_t i = 0; d->files && i < d->list->n_files; i++)
        mem_free(&d->files[i].samples);
    mem_free(&d->files);
    mem_free(&d->ends);
    pthread_cond_destroy(&d->decoded);
    pthread_mutex_destroy(&d->lock);
    mem_free(dataset);
}

size_t dataset_cached_size(Dataset *dataset)
{
    size_t size;

    pthread_mutex_lock(&dataset->lock);
    size = dataset->cached_size;
    pthread_mutex_unlock(&dataset->lock);
    return size;
}

static int16_t round_sample(float x)
{
    float scaled = x * 32768.0f;

    return scaled >= 32767.0f ? 32767 : scaled <= -32768.0f ? -32768 : (int16_t)lrintf(scaled);
}

/* Decodes a file from its start and keeps samples start .. start + n - 1 in dst; *n_kept of them exist. Damage after
 * some sound samples ends the file there; it is reported by *damaged and err, not by the status. */
static RsdStatus decode(const char *path, int rate_hz, int64_t start, size_t n, int16_t *dst, size_t *n_kept,
                        bool *damaged, RsdError *err)
{
    AudioReader *reader = NULL;
    AudioReaderOptions options = {.rate_hz = rate_hz, .channels = 1};
    float block[READ_BLOCK];
    int64_t position = 0, end = start + (int64_t)n;
    size_t n_read = 1;
    RsdStatus status = RSD_OK, of_read = RSD_OK;

    *n_kept = 0;
    *damaged = false;
    TRY(audio_reader_open(&reader, path, &options, err));
    while (position < end && n_read && of_read == RSD_OK) {
        of_read = audio_reader_read(reader, block, READ_BLOCK, &n_read, err); /* damage: n_read samples before it are sound */
        for (size_t i = 0; i < n_read; i++, position++)
            if (position >= start && position < end)
                dst[(*n_kept)++] = round_sample(block[i]);
    }
    *damaged = of_read != RSD_OK;
    if (position == 0 || of_read == RSD_ERR_MEMORY)
        TRY(of_read);
    CHECK(position > 0, err, RSD_ERR_CORRUPT, "%s: holds no samples", path);
fail:
    audio_reader_close(&reader);
    return status;
}

/* Names a damaged file once. Called with the lock held. */
static void name_damage(Dataset *dataset, size_t file, const char *reason, const char *consequence)
{
    if (!dataset->files[file].damage_named)
        log_note(LOG_WARNING, "%s; %s", reason, consequence);
    dataset->files[file].damage_named = true;
}

static void mark_broken(Dataset *dataset, size_t file, const char *reason)
{
    if (dataset->files[file].state != FILE_BROKEN)
        dataset->n_broken++;
    dataset->files[file].state = FILE_BROKEN;
    name_damage(dataset, file, reason, "the file is left out");
}

/* The file's samples into the cache. The caller has set FILE_DECODING and reserved the size. */
static RsdStatus fill_cache(Dataset *dataset, size_t file, RsdError *err)
{
    const MediaFile *source = &dataset->list->files[file];
    CachedFile *cached = &dataset->files[file];
    int16_t *samples = NULL;
    size_t n_kept = 0;
    bool damaged = false;
    RsdError reason = {0};
    RsdStatus status = mem_alloc(&samples, (size_t)source->n_samples, sizeof *samples, &reason);

    if (status == RSD_OK)
        status = decode(source->path, dataset->list->rate_hz, 0, (size_t)source->n_samples, samples, &n_kept, &damaged,
                        &reason);
    pthread_mutex_lock(&dataset->lock);
    if (status == RSD_OK) {
        cached->samples = samples;
        cached->n_samples = (int64_t)n_kept;
        cached->state = FILE_CACHED;
        if (damaged)
            name_damage(dataset, file, reason.text, "the part before it is used");
    } else {
        mem_free(&samples);
        dataset->cached_size -= (size_t)source->n_samples * sizeof *samples;
        if (status == RSD_ERR_MEMORY)
            cached->state = FILE_UNREAD;
        else
            mark_broken(dataset, file, reason.text);
        if (err)
            *err = reason;
    }
    pthread_cond_broadcast(&dataset->decoded);
    pthread_mutex_unlock(&dataset->lock);
    return status;
}

static RsdStatus read_uncached(Dataset *dataset, size_t file, int64_t start, size_t n, float *dst, size_t *n_present,
                               RsdError *err)
{
    int16_t *samples = NULL;
    bool damaged = false;
    RsdError reason = {0};
    RsdStatus status = RSD_OK;

    TRY(mem_alloc(&samples, n, sizeof *samples, &reason));
    TRY(decode(dataset->list->files[file].path, dataset->list->rate_hz, start, n, samples, n_present, &damaged,
               &reason));
    for (size_t i = 0; i < *n_present; i++)
        dst[i] = (float)samples[i] * (1.0f / 32768.0f);
fail:
    mem_free(&samples);
    pthread_mutex_lock(&dataset->lock);
    if (status != RSD_OK && status != RSD_ERR_MEMORY)
        mark_broken(dataset, file, reason.text);
    else if (damaged)
        name_damage(dataset, file, reason.text, "the part before it is used");
    pthread_mutex_unlock(&dataset->lock);
    if (status != RSD_OK && err)
        *err = reason;
    return status;
}

/* After this the file is FILE_CACHED, FILE_BROKEN, or FILE_UNREAD with no room for it. */
static RsdStatus settle(Dataset *dataset, size_t file, FileState *state, RsdError *err)
{
    CachedFile *cached = &dataset->files[file];
    size_t size = (size_t)dataset->list->files[file].n_samples * sizeof *cached->samples;
    bool fill;
    RsdStatus status = RSD_OK;

    pthread_mutex_lock(&dataset->lock);
    while (cached->state == FILE_DECODING)
        pthread_cond_wait(&dataset->decoded, &dataset->lock);
    fill = cached->state == FILE_UNREAD && dataset->cached_size + size <= (size_t)dataset->config.cache_size;
    if (fill) {
        cached->state = FILE_DECODING;
        dataset->cached_size += size;
    }
    *state = cached->state;
    pthread_mutex_unlock(&dataset->lock);
    if (fill) {
        TRY(fill_cache(dataset, file, err));
        *state = FILE_CACHED;
    }
fail:
    return status;
}

RsdStatus dataset_read(Dataset *dataset, size_t file, int64_t start, size_t n, float *dst, size_t *n_present,
                       RsdError *err)
{
    const CachedFile *cached = &dataset->files[file];
    const int64_t n_left = dataset->list->files[file].n_samples - start; /* a file may hold more than it states, the cache does not */
    const size_t n_wanted = n_left <= 0 ? 0 : n_left < (int64_t)n ? (size_t)n_left : n;
    FileState state;
    RsdStatus status = RSD_OK;

    *n_present = 0;
    TRY(settle(dataset, file, &state, err));
    CHECK(state != FILE_BROKEN, err, RSD_ERR_CORRUPT, "%s: was found to be broken", dataset->list->files[file].path);
    if (state == FILE_CACHED) {
        /* Once cached, a file never changes again: no lock is needed to read it. */
        for (size_t i = 0; i < n_wanted && start + (int64_t)i < cached->n_samples; i++)
            dst[(*n_present)++] = (float)cached->samples[start + (int64_t)i] * (1.0f / 32768.0f);
    } else if (n_wanted) {
        TRY(read_uncached(dataset, file, start, n_wanted, dst, n_present, err));
    }
    memset(dst + *n_present, 0, (n - *n_present) * sizeof *dst);
fail:
    return status;
}

/* Draws a place in all recordings laid end to end, so that files count by their duration. */
static size_t draw_file(const Dataset *dataset, Rng *rng)
{
    int64_t total = dataset->ends[dataset->list->n_files - 1];
    uint64_t high = rng_u32(rng);
    int64_t place = (int64_t)((high << 32 | rng_u32(rng)) % (uint64_t)total);
    size_t low = 0, n = dataset->list->n_files;

    while (n > 1) {
        size_t half = n / 2;

        if (place >= dataset->ends[low + half - 1])
            low += half, n -= half;
        else
            n = half;
    }
    return low;
}

static RsdStatus check_broken(Dataset *dataset, RsdError *err)
{
    const size_t n_files = dataset->list->n_files;
    int n_broken;
    RsdStatus status = RSD_OK;

    pthread_mutex_lock(&dataset->lock);
    n_broken = dataset->n_broken;
    pthread_mutex_unlock(&dataset->lock);
    CHECK(n_broken <= dataset->config.max_broken, err, RSD_ERR_CORRUPT,
          "%d of %zu recordings are broken, more than data.max_broken = %d; repair or remove them", n_broken, n_files,
          dataset->config.max_broken);
    CHECK((size_t)n_broken < n_files, err, RSD_ERR_CORRUPT, "none of %zu recordings can be read", n_files);
fail:
    return status;
}

/* A crop from a random place. A file shorter than the crop lies at a random place between zeros. */
static RsdStatus crop_file(Dataset *dataset, size_t file, Rng *rng, size_t n, float *dst, RsdError *err)
{
    const int64_t n_file = dataset->list->files[file].n_samples;
    const uint32_t draw = rng_u32(rng);
    size_t n_present, n_before = 0;
    int64_t start = 0;

    if (n_file > (int64_t)n)
        start = (int64_t)((double)draw * 0x1p-32 * (double)(n_file - (int64_t)n + 1));
    else
        n_before = (size_t)((double)draw * 0x1p-32 * (double)((int64_t)n - n_file + 1));
    memset(dst, 0, n_before * sizeof *dst);
    return dataset_read(dataset, file, start, n - n_before, dst + n_before, &n_present, err);
}

static RsdStatus draw_crop(Dataset *dataset, Rng *rng, size_t n, float *dst, RsdError *err)
{
    size_t file = 0;
    RsdStatus status;

    for (size_t i = 0;; i++) {
        file = i < N_FILE_TRIES ? draw_file(dataset, rng) : (file + 1) % dataset->list->n_files;
        status = crop_file(dataset, file, rng, n, dst, err);
        if (status == RSD_OK || status == RSD_ERR_MEMORY)
            return status;
        TRY(check_broken(dataset, err));
    }
fail:
    return status;
}

static RsdStatus draw_loud_crop(Dataset *dataset, Rng *rng, size_t n, float *dst, RsdError *err)
{
    for (int attempt = 0; attempt < N_TRIES; attempt++) {
        RsdStatus status = draw_crop(dataset, rng, n, dst, err);

        if (status != RSD_OK)
            return status;
        if (augment_active_level_db(dst, n, dataset->list->rate_hz) >= dataset->config.min_level_db)
            break;
    }
    return RSD_OK;
}

RsdStatus dataset_crop(Dataset *dataset, uint64_t seed, uint64_t step, uint32_t sample, size_t n, float *dst,
                       RsdError *err)
{
    Rng choice = rng_at(seed, RNG_DATA, step, sample), change = rng_at(seed, RNG_AUGMENT, step, sample);
    const AugmentConfig *augment = &dataset->config.augment;
    float *other = NULL;
    RsdStatus status = RSD_OK;

    TRY(draw_loud_crop(dataset, &choice, n, dst, err));
    if (rng_uniform(&change) < augment->mix_probability) {
        TRY(mem_alloc(&other, n, sizeof *other, err));
        TRY(draw_loud_crop(dataset, &choice, n, other, err));
        augment_mix(dst, other, n, dataset->list->rate_hz, augment, &change);
    }
    augment_crop(dst, n, dataset->list->rate_hz, augment, &change);
fail:
    mem_free(&other);
    return status;
}
