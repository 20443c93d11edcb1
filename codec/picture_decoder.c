/* picture_decoder.c - packets to latents, ahead of what is seen; latents to pixels, a tile at a time.
 *
 *   rows of latents   [ margin above | row in work | rows below ]      as many rows below as the network sees, one unless tiles are
 * small, are read and decoded before the row in work is synthesised; then its last lines join the margin above, and all move up
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "codec/picture.h"
#include "codec/picture_alpha.h"
#include "engine/base/mem.h"

/* Where a packet's payload lies in the bytes of its row; size 0: lost. */
typedef struct Payload {
    size_t at, size;
    int n_lanes;
    bool is_cut;
} Payload;

/* A row of tiles. */
typedef struct TileRow {
    int32_t *y;              /* [M, latent rows, latent_pitch] */
    int64_t first, n;        /* rows of latents; n 0: none */
    Payload *colour, *alpha; /* [n_across] */
    uint8_t *bytes;
    size_t size, capacity;
} TileRow;

typedef struct Worker {
    TileCoder *coder;
    int32_t *y; /* of a tile; NULL when rows have one tile, whose place is the row */
} Worker;

struct PictureDecoder {
    PictureDecoderOptions options;
    RsdThreads *own_threads;
    PictureReader *reader;
    const PictureInfo *info;
    const PictureModel *model;
    PicturePacket pending; /* read, but not of the row that was asked for */
    bool has_pending, at_end;
    uint8_t *chunks[PICTURE_N_CHUNKS];
    size_t chunk_sizes[PICTURE_N_CHUNKS];

    Tape *tape;
    Worker *workers; /* [n_workers] */
    int n_workers;   /* as many as threads; 1 when rows have one tile, on which they work together */
    AlphaCoder *alpha_coder;
    int64_t latent_w;
    TileRow *rows; /* [n_rows] in work; below */
    int64_t n_rows, n_rows_read;
    int32_t *above;     /* [M, margin, latent_w] the latents above the row in work */
    LatentRows *parts;  /* [1 + n_rows] all of these */
    RsdError *problems; /* [n_across] of the tiles of the row read last */
    int64_t n_unsound, n_alpha_unsound; /* lost in sound packets, which the reader cannot know */
    int64_t next; /* number of the next tile */
    uint16_t *alpha;
};

/* --- opening -------------------------------------------------------------------------------------------------------- */

static RsdStatus peek(PictureDecoder *decoder, RsdError *err)
{
    RsdStatus status = RSD_OK;

    if (decoder->has_pending || decoder->at_end)
        return RSD_OK;
    TRY(picture_reader_next(decoder->reader, &decoder->pending, &decoder->has_pending, err));
    decoder->at_end = !decoder->has_pending;
fail:
    return status;
}

/* Takes the first of each kind; chunks that are not known are passed over. */
static RsdStatus take_chunk(PictureDecoder *decoder, RsdError *err)
{
    const PicturePacket *packet = &decoder->pending;
    size_t size = packet->payload_size - PICTURE_MARK_SIZE;
    RsdStatus status = RSD_OK;

    decoder->has_pending = false;
    if (packet->type != PICTURE_PACKET_CHUNK || packet->payload_size <= PICTURE_MARK_SIZE)
        return RSD_OK;
    for (int kind = 0; kind < PICTURE_N_CHUNKS; kind++) {
        if (decoder->chunks[kind] || memcmp(packet->payload, PICTURE_CHUNK_MARKS[kind], PICTURE_MARK_SIZE) != 0)
            continue;
        TRY(mem_alloc(&decoder->chunks[kind], size, 1, err));
        memcpy(decoder->chunks[kind], packet->payload + PICTURE_MARK_SIZE, size);
        decoder->chunk_sizes[kind] = size;
    }
fail:
    return status;
}

static bool next_is_chunk(const PictureDecoder *decoder)
{
    return decoder->has_pending && decoder->pending.type >= PICTURE_PACKET_CHUNK;
}

RsdStatus picture_decoder_open(PictureDecoder **out, const PictureDecoderOptions *options, RsdError *err)
{
    PictureReaderOptions reading = {.read = options->read,
                                    .read_ctx = options->read_ctx,
                                    .name = options->name,
                                    .advice = "decode with --keep-going to fill damage with a guess",
                                    .keep_going = options->keep_going,
                                    .on_damage = options->on_damage,
                                    .damage_ctx = options->damage_ctx};
    PictureDecoder *decoder = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&decoder, 1, sizeof *decoder, err));
    decoder->options = *options;
    if (options->shrink == 0)
        decoder->options.shrink = 1;
    CHECK(decoder->options.shrink == 1 || decoder->options.shrink == 2 || decoder->options.shrink == 4, err, RSD_ERR_ARG,
          "a picture shrunk by %d; 1, 2 and 4 are possible", options->shrink);
    if (!options->threads) {
        TRY(rsd_threads_create(&decoder->own_threads, 1, err));
        decoder->options.threads = decoder->own_threads;
    }
    TRY(picture_reader_open(&decoder->reader, &reading, err));
    decoder->info = picture_reader_info(decoder->reader);
    do {
        TRY(peek(decoder, err));
        if (next_is_chunk(decoder))
            TRY(take_chunk(decoder, err));
    } while (!decoder->has_pending && !decoder->at_end);
    *out = decoder;
    return RSD_OK;
fail:
    picture_decoder_close(&decoder);
    return status;
}

void picture_decoder_close(PictureDecoder **decoder)
{
    PictureDecoder *old = *decoder;

    if (!old)
        return;
    for (int i = 0; old->workers && i < old->n_workers; i++) {
        tile_coder_destroy(&old->workers[i].coder);
        mem_free(&old->workers[i].y);
    }
    for (int64_t i = 0; old->rows && i < old->n_rows; i++) {
        mem_free(&old->rows[i].y);
        mem_free(&old->rows[i].colour);
        mem_free(&old->rows[i].alpha);
        mem_free(&old->rows[i].bytes);
    }
    tape_destroy(&old->tape);
    alpha_coder_destroy(&old->alpha_coder);
    picture_reader_close(&old->reader);
    rsd_threads_destroy(&old->own_threads);
    mem_free(&old->workers);
    mem_free(&old->rows);
    mem_free(&old->parts);
    mem_free(&old->problems);
    for (int kind = 0; kind < PICTURE_N_CHUNKS; kind++)
        mem_free(&old->chunks[kind]);
    mem_free(&old->above);
    mem_free(&old->alpha);
    mem_free(decoder);
}

const PictureInfo *picture_decoder_info(const PictureDecoder *decoder)
{
    return decoder->info;
}

PictureReport picture_decoder_report(const PictureDecoder *decoder)
{
    PictureReport report = *picture_reader_report(decoder->reader);

    report.n_tiles -= decoder->n_unsound;
    report.n_lost += decoder->n_unsound;
    report.n_alpha_lost += decoder->n_alpha_unsound;
    return report;
}

PictureChunk picture_decoder_chunk(const PictureDecoder *decoder, PictureChunkKind kind)
{
    return (PictureChunk){decoder->chunks[kind], decoder->chunk_sizes[kind]};
}

static RsdStatus check_model(const PictureDecoder *decoder, const PictureModel *model, RsdError *err)
{
    const ImageCodec *codec = model->codec;
    const char *name = picture_reader_name(decoder->reader);
    const bool known = memcmp(codec->hash, decoder->info->model_hash, MODEL_HASH_SIZE) == 0 ||
                       model_bases_have(&codec->bases, decoder->info->model_hash);
    char wanted[MODEL_HASH_TEXT_SIZE], given[MODEL_HASH_TEXT_SIZE];
    RsdStatus status = RSD_OK;

    CHECK(known || strcmp(decoder->info->model_name, codec->config.name) == 0, err, RSD_ERR_MODEL,
          "%s: needs model %s; this is %s", name, decoder->info->model_name, codec->config.name);
    model_hash_print(wanted, decoder->info->model_hash);
    model_hash_print(given, codec->hash);
    CHECK(known, err, RSD_ERR_MODEL,
          "%s: needs model %s with hash %s; this one has %s; give the model file that the stream was encoded with", name,
          codec->config.name, wanted, given);
    CHECK(decoder->info->is_staged == (codec->config.quantizer != IMAGE_SCALAR) && decoder->info->level <= picture_level_max(model), err,
          RSD_ERR_CORRUPT, "%s: header: level %d/16 %s; model %s has levels up to %d/16 and %s", name, decoder->info->level,
          decoder->info->is_staged ? "of stages" : "of latents", codec->config.name, picture_level_max(model),
          codec->config.quantizer != IMAGE_SCALAR ? "stages" : "no stages");
    status = picture_deltas_check(&decoder->info->deltas, &codec->config, err);
    if (status != RSD_OK)
        error_prefix(err, status, "%s", name);
fail:
    return status;
}

/* Below the row in work are so many that the network sees. */
static int64_t rows_seen(const PictureInfo *info, int64_t margin)
{
    const int64_t latent_h = picture_tile(info, 0).latent_h, below = (margin + latent_h - 1) / latent_h;

    return 1 + (below < info->n_down ? below : info->n_down - 1);
}

RsdStatus picture_decoder_use(PictureDecoder *decoder, const PictureModel *model, RsdError *err)
{
    PictureTile largest = picture_tile(decoder->info, 0);
    size_t m = (size_t)model->codec->config.latent, n_across = (size_t)decoder->info->n_across;
    size_t n_pixels = (size_t)(largest.w * largest.h), row_size;
    RsdStatus status = RSD_OK;

    TRY(check_model(decoder, model, err));
    decoder->model = model;
    decoder->latent_w = (decoder->info->width + PICTURE_LATENT - 1) / PICTURE_LATENT;
    row_size = m * (size_t)(largest.latent_h * decoder->latent_w);
    TRY(tape_create(&decoder->tape, decoder->options.threads, 0, err));
    decoder->n_workers = n_across > 1 ? rsd_threads_count(decoder->options.threads) : 1;
    TRY(mem_calloc(&decoder->workers, (size_t)decoder->n_workers, sizeof *decoder->workers, err));
    for (int i = 0; i < decoder->n_workers; i++) {
        TRY(tile_coder_create(&decoder->workers[i].coder, model->tiles, largest.latent_h, largest.latent_w, kernels_pick(), err));
        if (n_across > 1)
            TRY(mem_alloc(&decoder->workers[i].y, m * (size_t)(largest.latent_h * largest.latent_w), sizeof(int32_t), err));
        else
            tile_coder_share(decoder->workers[i].coder, decoder->options.threads);
    }
    TRY(mem_alloc(&decoder->problems, n_across, sizeof *decoder->problems, err));
    decoder->n_rows = rows_seen(decoder->info, model->synthesis_margin);
    TRY(mem_calloc(&decoder->rows, (size_t)decoder->n_rows, sizeof *decoder->rows, err));
    TRY(mem_calloc(&decoder->parts, (size_t)decoder->n_rows + 1, sizeof *decoder->parts, err));
    for (int64_t i = 0; i < decoder->n_rows; i++) {
        TRY(mem_alloc(&decoder->rows[i].y, row_size, sizeof(int32_t), err));
        TRY(mem_alloc(&decoder->rows[i].colour, n_across, sizeof(Payload), err));
        TRY(mem_alloc(&decoder->rows[i].alpha, n_across, sizeof(Payload), err));
    }
    TRY(mem_alloc(&decoder->above, m * (size_t)(model->synthesis_margin * decoder->latent_w), sizeof(int32_t), err));
    if (decoder->info->has_alpha) {
        TRY(mem_alloc(&decoder->alpha, n_pixels, sizeof *decoder->alpha, err));
        TRY(alpha_coder_create(&decoder->alpha_coder, largest.h, largest.w, kernels_pick()->rans, err));
    }
fail:
    return status;
}

/* --- packets of a row ----------------------------------------------------------------------------------------------- */

static RsdStatus keep_payload(TileRow *row, Payload *payload, const PicturePacket *packet, RsdError *err)
{
    RsdStatus status = RSD_OK;

    if (row->size + packet->payload_size > row->capacity) {
        size_t capacity = 2 * row->size + packet->payload_size;

        TRY(mem_resize(&row->bytes, row->capacity, capacity, 1, err));
        row->capacity = capacity;
    }
    memcpy(row->bytes + row->size, packet->payload, packet->payload_size);
    *payload = (Payload){.at = row->size, .size = packet->payload_size, .n_lanes = packet->n_lanes, .is_cut = packet->is_cut};
    row->size += packet->payload_size;
fail:
    return status;
}

static RsdStatus gather(PictureDecoder *decoder, TileRow *row, int64_t first, RsdError *err)
{
    int64_t n_across = decoder->info->n_across;
    RsdStatus status = RSD_OK;

    memset(row->colour, 0, (size_t)n_across * sizeof *row->colour);
    memset(row->alpha, 0, (size_t)n_across * sizeof *row->alpha);
    row->size = 0;
    for (;;) {
        const PicturePacket *packet = &decoder->pending;

        TRY(peek(decoder, err));
        if (next_is_chunk(decoder)) {
            decoder->has_pending = false;
            continue;
        }
        if (!decoder->has_pending || packet->number >= first + n_across)
            return RSD_OK;
        TRY(keep_payload(row,
                         (packet->type == PICTURE_PACKET_TILE ? row->colour : row->alpha) + (packet->number - first),
                         packet, err));
        decoder->has_pending = false;
    }
fail:
    return status;
}

/* --- latents of a row ----------------------------------------------------------------------------------------------- */

typedef struct RowTask {
    PictureDecoder *decoder;
    TileRow *row;
    int64_t first; /* number of its first tile */
} RowTask;

static TileCode code_of(const TileRow *row, const Payload *payload)
{
    return (TileCode){.data = payload->size > 0 ? row->bytes + payload->at : NULL, .size = payload->size, .n_lanes = payload->n_lanes};
}

/* A tile whose packet is right and whose symbols are not was made by a broken encoder, or by nobody. */
static RsdStatus name_tile(const PictureDecoder *decoder, int64_t number, RsdError *err)
{
    return error_prefix(err, RSD_ERR_CORRUPT, "%s: tile %lld of %lld", picture_reader_name(decoder->reader),
                        (long long)number + 1, (long long)decoder->info->n_tiles);
}

static void decode_task(void *ctx, int64_t i, int index)
{
    RowTask *task = ctx;
    PictureDecoder *decoder = task->decoder;
    Worker *worker = &decoder->workers[index];
    PictureTile tile = picture_tile(decoder->info, task->first + i);
    int64_t m = decoder->model->codec->config.latent;
    TileCode code = code_of(task->row, &task->row->colour[i]);
    int32_t *y = worker->y ? worker->y : task->row->y;
    RsdError *problem = &decoder->problems[i];
    RsdStatus status = RSD_ERR_CORRUPT;

    problem->status = RSD_OK;
    if (task->row->colour[i].is_cut) {
        tile_decode_part(worker->coder, decoder->info->level, &code, tile.latent_h, tile.latent_w, y);
        status = RSD_OK;
    } else if (code.size > 0) {
        status = tile_decode(worker->coder, decoder->info->level, &code, tile.latent_h, tile.latent_w, y, problem);
        if (status != RSD_OK)
            name_tile(decoder, task->first + i, problem);
    }
    if (status != RSD_OK)
        tile_conceal(worker->coder, decoder->info->level, tile.latent_h, tile.latent_w, y);
    for (int64_t c = 0; worker->y && c < m; c++)
        for (int64_t row = 0; row < tile.latent_h; row++)
            memcpy(task->row->y + (c * tile.latent_h + row) * decoder->latent_w + tile.latent_x,
                   y + (c * tile.latent_h + row) * tile.latent_w, (size_t)tile.latent_w * sizeof *y);
}

/* Of a loss: an error, or it is told and counted. */
static RsdStatus tell(PictureDecoder *decoder, const RsdError *problem, const char *consequence, int64_t *n_lost, RsdError *err)
{
    RsdError text;

    if (!decoder->options.keep_going)
        return error_set(err, problem->status, "%s", problem->text);
    error_set(&text, problem->status, "%s; %s", problem->text, consequence);
    if (decoder->options.on_damage)
        decoder->options.on_damage(decoder->options.damage_ctx, text.text);
    ++*n_lost;
    return RSD_OK;
}

static RsdStatus read_row(PictureDecoder *decoder, TileRow *row, RsdError *err)
{
    RowTask task = {decoder, row, decoder->n_rows_read * decoder->info->n_across};
    PictureTile tile = picture_tile(decoder->info, task.first);
    RsdStatus status = RSD_OK;

    TRY(gather(decoder, row, task.first, err));
    row->first = tile.latent_y;
    row->n = tile.latent_h;
    threads_for(decoder->options.threads, decoder->info->n_across, decode_task, &task);
    for (int64_t i = 0; i < decoder->info->n_across; i++)
        if (decoder->problems[i].status != RSD_OK)
            TRY(tell(decoder, &decoder->problems[i], "filled with a guess", &decoder->n_unsound, err));
    decoder->n_rows_read++;
fail:
    return status;
}

/* The row in work goes, its last lines stay in the margin; the rows below come up. */
static void move_up(PictureDecoder *decoder)
{
    TileRow row = decoder->rows[0];
    int64_t m = decoder->model->codec->config.latent, w = decoder->latent_w, margin = decoder->model->synthesis_margin;
    int64_t n_new = row.n < margin ? row.n : margin, n_old = margin - n_new;

    for (int64_t c = 0; c < m; c++) {
        int32_t *above = decoder->above + c * margin * w;

        memmove(above, above + n_new * w, (size_t)(n_old * w) * sizeof *above);
        memcpy(above + n_old * w, row.y + ((c + 1) * row.n - n_new) * w, (size_t)(n_new * w) * sizeof *above);
    }
    memmove(decoder->rows, decoder->rows + 1, (size_t)(decoder->n_rows - 1) * sizeof *decoder->rows);
    row.n = 0;
    decoder->rows[decoder->n_rows - 1] = row;
}

/* Has the row of the next tile in work, and those below it ready. */
static RsdStatus have_rows(PictureDecoder *decoder, RsdError *err)
{
    const int64_t in_work = decoder->next / decoder->info->n_across;
    RsdStatus status = RSD_OK;

    if (in_work > 0)
        move_up(decoder);
    while (decoder->n_rows_read < decoder->info->n_down && decoder->n_rows_read < in_work + decoder->n_rows)
        TRY(read_row(decoder, &decoder->rows[decoder->n_rows_read - in_work], err));
    decoder->parts[0] = (LatentRows){decoder->rows[0].first - decoder->model->synthesis_margin, decoder->model->synthesis_margin,
                                     decoder->latent_w, decoder->above};
    for (int64_t i = 0; i < decoder->n_rows; i++)
        decoder->parts[i + 1] = (LatentRows){decoder->rows[i].first, decoder->rows[i].n, decoder->latent_w, decoder->rows[i].y};
fail:
    return status;
}

/* --- pixels --------------------------------------------------------------------------------------------------------- */

static RsdStatus decode_alpha(PictureDecoder *decoder, const PictureTile *tile, const uint16_t **alpha, RsdError *err)
{
    const TileRow *row = &decoder->rows[0];
    const Payload *payload = &row->alpha[decoder->next % decoder->info->n_across];
    TileCode code = code_of(row, payload);
    RsdError problem = {RSD_OK, ""};
    RsdStatus status = RSD_OK;

    *alpha = NULL;
    if (!decoder->info->has_alpha || payload->size == 0)
        return RSD_OK;
    status = alpha_decode(decoder->alpha_coder, &code, decoder->info->bits, tile->h, tile->w, decoder->alpha, tile->w,
                          &problem);
    if (status == RSD_OK) {
        *alpha = decoder->alpha;
        return RSD_OK;
    }
    name_tile(decoder, decoder->next, &problem);
    return tell(decoder, &problem, "filled as opaque", &decoder->n_alpha_unsound, err);
}

/* Means over squares of n x n values, in place. */
static void shrink_alpha(uint16_t *alpha, int64_t h, int64_t w, int n)
{
    uint16_t *to = alpha;

    for (int64_t y = 0; y < h; y += n)
        for (int64_t x = 0; x < w; x += n) {
            int64_t n_rows = h - y < n ? h - y : n, n_cols = w - x < n ? w - x : n;
            uint32_t sum = 0, count = (uint32_t)(n_rows * n_cols);

            for (int64_t i = 0; i < n_rows * n_cols; i++)
                sum += alpha[(y + i / n_cols) * w + x + i % n_cols];
            *to++ = (uint16_t)((sum + count / 2) / count);
        }
}

static void shrink_tile(PictureTile *tile, int n)
{
    tile->x /= n;
    tile->y /= n;
    tile->w = picture_shrunk(tile->w, n);
    tile->h = picture_shrunk(tile->h, n);
}

RsdStatus picture_decoder_next(PictureDecoder *decoder, PicturePixels *pixels, bool *found, RsdError *err)
{
    const int shrink = decoder->options.shrink;
    RsdStatus status = RSD_OK;

    *found = false;
    if (decoder->next == decoder->info->n_tiles)
        return RSD_OK;
    if (decoder->next % decoder->info->n_across == 0)
        TRY(have_rows(decoder, err));
    *pixels = (PicturePixels){.tile = picture_tile(decoder->info, decoder->next)};
    TRY(picture_synthesise(decoder->model, decoder->tape, decoder->info, &pixels->tile, decoder->parts, (int)decoder->n_rows + 1, shrink,
                           &pixels->rgb, err));
    TRY(decode_alpha(decoder, &pixels->tile, &pixels->alpha, err));
    if (pixels->alpha && shrink > 1)
        shrink_alpha(decoder->alpha, pixels->tile.h, pixels->tile.w, shrink);
    shrink_tile(&pixels->tile, shrink);
    decoder->next++;
    *found = true;
fail:
    return status;
}

static void place(const PicturePixels *pixels, int from_channels, int channels, int64_t width, int64_t height, float *rgb)
{
    const PictureTile *t = &pixels->tile;

    for (int64_t c = 0; c < channels; c++)
        for (int64_t row = 0; row < t->h; row++)
            memcpy(rgb + (c * height + t->y + row) * width + t->x,
                   pixels->rgb + ((from_channels == 1 ? 0 : c) * t->h + row) * t->w, (size_t)t->w * sizeof *rgb);
}

static void place_alpha(const PicturePixels *pixels, uint16_t white, int64_t width, uint16_t *alpha)
{
    const PictureTile *t = &pixels->tile;

    for (int64_t row = 0; row < t->h; row++)
        for (int64_t i = 0; i < t->w; i++)
            alpha[(t->y + row) * width + t->x + i] = pixels->alpha ? pixels->alpha[row * t->w + i] : white;
}

RsdStatus picture_decoder_planes(PictureDecoder *decoder, int channels, float *rgb, uint16_t *alpha, RsdError *err)
{
    const PictureInfo *info = decoder->info;
    const int64_t width = picture_shrunk(info->width, decoder->options.shrink), height = picture_shrunk(info->height, decoder->options.shrink);
    PicturePixels pixels;
    bool found = true;
    RsdStatus status = RSD_OK;

    for (;;) {
        TRY(picture_decoder_next(decoder, &pixels, &found, err));
        if (!found)
            break;
        place(&pixels, info->channels, channels, width, height, rgb);
        if (alpha)
            place_alpha(&pixels, info->bits == 8 ? 255 : 65535, width, alpha);
    }
fail:
    return status;
}
