/* png_data.c - parts of lines, each filtered and compressed by itself.
 *
 *   IDAT   [zlib's header | part 0]   [part 1]   ...   [last part | Adler-32 of all]
 *
 * A part ends at a byte with an empty block (Z_SYNC_FLUSH), the last one with zlib's end, so that one after the other is one stream.
 * Only run lengths are looked for, which do not reach back into the part before; photographs have few other repetitions. One filter
 * for all lines: to try them all takes three times as long and gains little.
 *
 * SPDX-License-Identifier: MIT
 */
#include "media/png_data.h"

#include <string.h>

#include "config.h"

#if RESIDUA_HAVE_PNG

#include <zlib.h>

#include "engine/base/bytes.h"
#include "engine/base/mem.h"
#include "media/image_samples.h"

#define PART_SIZE ((size_t)1 << 17) /* bytes of lines, about */
#define PAETH 4
#define HEAD_SIZE 2 /* of a zlib stream */
#define TAIL_SIZE 4
#define RAW_WINDOW (-15) /* deflate without header and checksum */

typedef struct Part {
    uint8_t *packed; /* HEAD_SIZE, compressed bytes, TAIL_SIZE */
    size_t size;     /* of the compressed bytes */
    size_t n_filtered;
    uLong adler;
} Part;

typedef struct Worker {
    z_stream stream;
    bool is_open, has_failed;
    uint8_t *lines[2]; /* [1 + line]: samples behind the number of the filter */
    uint8_t *filtered; /* [1 + line] */
} Worker;

struct PngData {
    const Image *shape;
    bool with_alpha;
    RsdThreads *threads;
    int n_workers, n_pixel; /* bytes of a pixel */
    size_t n_line, capacity;
    int64_t part_lines, n_done;
    uint8_t *above; /* line before the band */
    uLong adler;
    Worker *workers;
    Part *parts; /* as many as workers */

    const Image *band; /* in work */
    int64_t n_wanted, first;
};

RsdStatus png_data_create(PngData **out, const Image *shape, bool with_alpha, RsdThreads *threads, RsdError *err)
{
    PngData *data = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&data, 1, sizeof *data, err));
    data->shape = shape;
    data->with_alpha = with_alpha;
    data->threads = threads;
    data->n_workers = rsd_threads_count(threads);
    data->n_pixel = (shape->channels + (with_alpha ? 1 : 0)) * shape->bits / 8;
    data->n_line = (size_t)shape->width * (size_t)data->n_pixel;
    data->part_lines = (int64_t)(PART_SIZE / data->n_line) + 1;
    data->adler = adler32(0, NULL, 0);
    TRY(mem_calloc(&data->above, data->n_line, 1, err));
    TRY(mem_calloc(&data->workers, (size_t)data->n_workers, sizeof *data->workers, err));
    TRY(mem_calloc(&data->parts, (size_t)data->n_workers, sizeof *data->parts, err));
    for (int i = 0; i < data->n_workers; i++) {
        Worker *worker = &data->workers[i];

        worker->is_open = deflateInit2(&worker->stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, RAW_WINDOW, 8, Z_RLE) == Z_OK;
        CHECK(worker->is_open, err, RSD_ERR_MEMORY, "no memory for zlib");
        data->capacity = deflateBound(&worker->stream, (uLong)data->part_lines * (data->n_line + 1)) + 16; /* and an empty block */
        for (int k = 0; k < 2; k++)
            TRY(mem_calloc(&worker->lines[k], data->n_line, 1, err));
        TRY(mem_alloc(&worker->filtered, data->n_line + 1, 1, err));
        TRY(mem_alloc(&data->parts[i].packed, HEAD_SIZE + data->capacity + TAIL_SIZE, 1, err));
    }
    *out = data;
    return RSD_OK;
fail:
    png_data_destroy(&data);
    return status;
}

void png_data_destroy(PngData **data)
{
    PngData *old = *data;

    if (!old)
        return;
    for (int i = 0; old->workers && old->parts && i < old->n_workers; i++) {
        Worker *worker = &old->workers[i];

        if (worker->is_open)
            deflateEnd(&worker->stream);
        mem_free(&worker->lines[0]);
        mem_free(&worker->lines[1]);
        mem_free(&worker->filtered);
        mem_free(&old->parts[i].packed);
    }
    mem_free(&old->workers);
    mem_free(&old->parts);
    mem_free(&old->above);
    mem_free(data);
}

/* --- one part ------------------------------------------------------------------------------------------------------- */

/* The nearest of left, above and above left to left + above - above left; among equals the first. */
static uint8_t paeth(int left, int above, int corner)
{
    const int by_left = above - corner, by_above = left - corner, by_corner = by_left + by_above;
    const int far_left = by_left < 0 ? -by_left : by_left, far_above = by_above < 0 ? -by_above : by_above;
    const int far_corner = by_corner < 0 ? -by_corner : by_corner;
    const int nearer = far_left <= far_above ? left : above, far = far_left <= far_above ? far_left : far_above;

    return (uint8_t)(far <= far_corner ? nearer : corner);
}

/* to: [1 + n] */
static void filter_line(const uint8_t *line, const uint8_t *above, size_t n, size_t n_pixel, uint8_t *to)
{
    *to++ = PAETH;
    for (size_t i = 0; i < n_pixel; i++)
        to[i] = (uint8_t)(line[i] - above[i]);
    for (size_t i = n_pixel; i < n; i++)
        to[i] = (uint8_t)(line[i] - paeth(line[i - n_pixel], above[i], above[i - n_pixel]));
}

static void pack_part(void *ctx, int64_t i, int index)
{
    PngData *data = ctx;
    Worker *worker = &data->workers[index];
    z_stream *stream = &worker->stream;
    Part *part = &data->parts[i];
    const int64_t begin = data->first + i * data->part_lines;
    const int64_t end = begin + data->part_lines < data->n_wanted ? begin + data->part_lines : data->n_wanted;
    const bool is_last = data->n_done + end == data->shape->height;
    uint8_t *line = worker->lines[0], *above = worker->lines[1];

    deflateReset(stream);
    stream->next_out = part->packed + HEAD_SIZE;
    stream->avail_out = (uInt)data->capacity;
    part->adler = adler32(0, NULL, 0);
    part->n_filtered = (size_t)(end - begin) * (data->n_line + 1);
    if (begin > 0)
        image_samples_join(above, data->band, data->with_alpha, begin - 1);
    else
        memcpy(above, data->above, data->n_line);
    for (int64_t y = begin; y < end; y++) {
        uint8_t *swapped = above;
        int result;

        image_samples_join(line, data->band, data->with_alpha, y);
        filter_line(line, above, data->n_line, (size_t)data->n_pixel, worker->filtered);
        part->adler = adler32(part->adler, worker->filtered, (uInt)(data->n_line + 1));
        stream->next_in = worker->filtered;
        stream->avail_in = (uInt)(data->n_line + 1);
        result = deflate(stream, y + 1 < end ? Z_NO_FLUSH : is_last ? Z_FINISH : Z_SYNC_FLUSH);
        worker->has_failed |= stream->avail_in > 0 || (is_last && y + 1 == end && result != Z_STREAM_END);
        above = line;
        line = swapped;
    }
    part->size = data->capacity - stream->avail_out;
}

/* --- all of them ---------------------------------------------------------------------------------------------------- */

/* What a part has before and behind it goes into its own bytes. */
static RsdStatus give_part(PngData *data, Part *part, bool is_first, bool is_last, PngDataFn write, void *ctx, RsdError *err)
{
    uint8_t *from = part->packed + HEAD_SIZE;
    size_t size = part->size;

    data->adler = adler32_combine(data->adler, part->adler, (z_off_t)part->n_filtered);
    if (is_last) {
        put_u32be(from + size, (uint32_t)data->adler);
        size += TAIL_SIZE;
    }
    if (is_first) { /* 32 KiB window, fast */
        from -= HEAD_SIZE;
        size += HEAD_SIZE;
        from[0] = 0x78;
        from[1] = 0x01;
    }
    return write(ctx, from, size, err);
}

RsdStatus png_data_lines(PngData *data, const Image *band, int64_t n, PngDataFn write, void *ctx, RsdError *err)
{
    const int64_t n_parts = (n + data->part_lines - 1) / data->part_lines;
    RsdStatus status = RSD_OK;

    data->band = band;
    data->n_wanted = n;
    for (int64_t done = 0; done < n_parts; done += data->n_workers) {
        const int64_t n_now = n_parts - done < data->n_workers ? n_parts - done : data->n_workers;

        data->first = done * data->part_lines;
        threads_for(data->threads, n_now, pack_part, data);
        for (int i = 0; i < data->n_workers; i++)
            CHECK(!data->workers[i].has_failed, err, RSD_ERR_MEMORY, "zlib cannot compress the pixels");
        for (int64_t i = 0; i < n_now; i++)
            TRY(give_part(data, &data->parts[i], data->n_done == 0 && done + i == 0,
                          done + i + 1 == n_parts && data->n_done + n == data->shape->height, write, ctx, err));
    }
    if (n > 0)
        image_samples_join(data->above, band, data->with_alpha, n - 1);
    data->n_done += n;
fail:
    return status;
}

#endif
