/* eval_embeddings.c - two sets of rows, from .npy files or made of recordings, and their distances.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/eval_embeddings.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/json_line.h"
#include "engine/base/bytes.h"
#include "engine/base/file_map.h"
#include "engine/base/mem.h"
#include "engine/weights/npy.h"
#include "losses/frechet.h"
#include "losses/mel_embedding.h"
#include "media/audio_reader.h"
#include "trainer/media_list.h"

static RsdStatus read_header(NpyHeader *header, const FileMap *map, RsdError *err)
{
    size_t size;
    RsdStatus status = RSD_OK;

    CHECK(map->size >= NPY_PREFIX_SIZE, err, RSD_ERR_CORRUPT, "%zu bytes are no .npy file", map->size);
    TRY(npy_probe(&size, map->data, err));
    CHECK(size <= map->size, err, RSD_ERR_CORRUPT, "the file ends inside its header");
    TRY(npy_parse(header, map->data, size, err));
    CHECK(header->type == 'f' && (header->item_size == 4 || header->item_size == 8) && !header->big_endian &&
              !header->fortran_order, err, RSD_ERR_UNSUPPORTED,
          "embeddings must be float32 or float64 in C order; save them with numpy.save(path, numpy.ascontiguousarray(x, "
          "numpy.float32))");
    CHECK(header->n_dims == 2 && header->shape[0] >= 1 && header->shape[1] >= 1, err, RSD_ERR_ARG,
          "embeddings must be [rows, numbers], not %d-dimensional%s", header->n_dims, header->count == 0 ? " and empty" : "");
    CHECK((uint64_t)header->count * (uint64_t)header->item_size <= map->size - header->size, err, RSD_ERR_CORRUPT,
          "the file ends before the last of %lld numbers", (long long)header->count);
fail:
    return status;
}

static RsdStatus open_embeddings(Embeddings *e, double **rows, const char *path, RsdError *err)
{
    FileMap map = {0};
    NpyHeader header;
    RsdStatus status = RSD_OK;

    TRY(file_map_open(&map, path, err));
    status = read_header(&header, &map, err);
    if (status != RSD_OK) {
        error_prefix(err, status, "%s", path);
        goto fail;
    }
    TRY(mem_alloc(rows, (size_t)header.count, sizeof **rows, err));
    for (int64_t i = 0; i < header.count; i++) {
        const uint8_t *at = map.data + header.size + (size_t)i * (size_t)header.item_size;
        const uint64_t wide = header.item_size == 8 ? get_u64le(at) : 0;
        const uint32_t narrow = header.item_size == 4 ? get_u32le(at) : 0;
        float single;

        memcpy(&(*rows)[i], &wide, sizeof wide);
        memcpy(&single, &narrow, sizeof single);
        if (header.item_size == 4)
            (*rows)[i] = (double)single;
    }
    *e = (Embeddings){*rows, header.shape[0], header.shape[1]};
fail:
    file_map_close(&map);
    return status;
}

static void print(const char *type, const Embeddings *a, const Embeddings *b, double frechet, double kernel, bool json)
{
    JsonLine line;

    if (!json) {
        printf("%-11s %lld and %lld of %lld numbers\nFrechet     %.6g\n", type, (long long)a->n, (long long)b->n, (long long)a->dim, frechet);
        if (isnan(kernel))
            printf("kernel      - (more than %d rows)\n", KERNEL_MAX_ROWS);
        else
            printf("kernel      %.6g\n", kernel);
        return;
    }
    json_line_begin(&line, stdout);
    json_line_integer(&line, "schema", 1);
    json_line_text(&line, "type", type);
    json_line_integer(&line, "ref_rows", a->n);
    json_line_integer(&line, "dist_rows", b->n);
    json_line_integer(&line, "dim", a->dim);
    json_line_real(&line, "frechet", frechet);
    json_line_real(&line, "kernel", kernel);
    json_line_end(&line);
}

static RsdStatus compare(const char *type, const Embeddings *a, const Embeddings *b, bool json, RsdError *err)
{
    double frechet, kernel = NAN;
    RsdStatus status = RSD_OK;

    TRY(frechet_distance(&frechet, a, b, err));
    if (a->n <= KERNEL_MAX_ROWS && b->n <= KERNEL_MAX_ROWS)
        TRY(kernel_distance(&kernel, a, b, err));
    print(type, a, b, frechet, kernel, json);
fail:
    return status;
}

RsdStatus eval_embeddings(const char *ref_path, const char *dist_path, bool json, RsdError *err)
{
    Embeddings a, b;
    double *ref = NULL, *dist = NULL;
    RsdStatus status = RSD_OK;

    TRY(open_embeddings(&a, &ref, ref_path, err));
    TRY(open_embeddings(&b, &dist, dist_path, err));
    TRY(compare("embeddings", &a, &b, json, err));
fail:
    mem_free(&ref);
    mem_free(&dist);
    return status;
}

/* ---- log mel statistics ---- */

#define MAX_SAMPLES ((int64_t)1 << 28) /* of a recording: more than four hours */

static RsdStatus add_recording(Embeddings *e, double **rows, const char *path, RsdError *err)
{
    const AudioReaderOptions form = {.rate_hz = MEL_EMBEDDING_RATE_HZ, .channels = 1};
    double *more = NULL;
    float *samples = NULL;
    int64_t n_samples, n;
    RsdStatus status = RSD_OK;

    TRY(audio_read_all(path, &form, MAX_SAMPLES, &samples, &n_samples, NULL, err));
    TRY(mel_embedding(&more, &n, samples, n_samples, err));
    if (n) {
        TRY(mem_resize(rows, (size_t)(e->n * e->dim), (size_t)((e->n + n) * e->dim), sizeof **rows, err));
        memcpy(*rows + e->n * e->dim, more, (size_t)(n * e->dim) * sizeof **rows);
        e->n += n;
    }
    e->rows = *rows;
fail:
    mem_free(&samples);
    mem_free(&more);
    return status;
}

static RsdStatus read_statistics(Embeddings *e, double **rows, const char *path, RsdThreads *threads, RsdError *err)
{
    MediaList *list = NULL;
    RsdStatus status = RSD_OK;

    *e = (Embeddings){.dim = MEL_EMBEDDING_DIM};
    TRY(media_list_scan(&list, &path, 1, MEL_EMBEDDING_RATE_HZ, threads, err));
    for (size_t i = 0; i < list->n_files; i++)
        TRY(add_recording(e, rows, list->files[i].path, err));
    CHECK(e->n >= 2, err, RSD_ERR_ARG, "%s: %lld stretches of 0.96 s; at least 2 are needed", path, (long long)e->n);
fail:
    media_list_destroy(&list);
    return status;
}

RsdStatus eval_fmd(const char *ref_path, const char *dist_path, int n_threads, bool json, RsdError *err)
{
    Embeddings a, b;
    RsdThreads *threads = NULL;
    double *ref = NULL, *dist = NULL;
    RsdStatus status = RSD_OK;

    TRY(rsd_threads_create(&threads, n_threads, err));
    TRY(read_statistics(&a, &ref, ref_path, threads, err));
    TRY(read_statistics(&b, &dist, dist_path, threads, err));
    TRY(compare("fmd", &a, &b, json, err));
fail:
    rsd_threads_destroy(&threads);
    mem_free(&ref);
    mem_free(&dist);
    return status;
}
