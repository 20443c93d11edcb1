/* picture_encoder.c - tiles to packets, a row of tiles at a time.
 *
 *   analysis, all threads on one tile  ->  y of each tile of the row  ->  gain, z, rounding, coding: one tile for each thread
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "codec/picture.h"
#include "codec/picture_alpha.h"
#include "engine/base/mem.h"

#define KEPT_MAX_SIZE ((int64_t)192 << 20) /* bytes of latents kept between runs */
#define LARGE_PIXELS ((int64_t)1 << 25) /* from here on tiles are smaller, which keeps memory within bounds and costs time */
#define LARGE_SEARCHED_PIXELS ((int64_t)1 << 19)

/* What one thread works with. */
typedef struct Worker {
    RsdThreads *alone; /* a pool of one */
    Tape *tape;
    TileCoder *coder;
    AlphaCoder *alpha_coder;
    int16_t *z;
    int32_t *y;
    uint16_t *alpha;
} Worker;

/* A tile of the row in work, coded. */
typedef struct CodedTile {
    uint8_t *bytes; /* packets */
    size_t size, capacity;
    RsdStatus status;
    RsdError err;
} CodedTile;

struct PictureEncoder {
    PictureEncoderOptions options;
    PictureInfo info;
    RsdThreads *own_threads;
    Tape *tape; /* of the analysis */
    Worker *workers;
    CodedTile *row; /* [n_across] */
    float *row_y;   /* latents of a row of tiles; not when all are kept */
    float *kept;    /* of all, tile by tile, NULL when they are too many */
    int64_t n_kept; /* tiles analysed so far */
    PictureSearch *search; /* NULL: none was asked for */
    PictureSetting setting;
    int64_t row_first; /* number of the first tile of the row in work */
};

/* As many as threads; 1 when rows have one tile, on which they work together. */
static int n_workers(const PictureEncoder *encoder)
{
    return encoder->info.n_across > 1 ? rsd_threads_count(encoder->options.threads) : 1;
}

static size_t latent_size(const PictureEncoder *encoder, const PictureTile *tile)
{
    return (size_t)(encoder->options.model->codec->config.latent * tile->latent_w * tile->latent_h);
}

/* --- life ----------------------------------------------------------------------------------------------------------- */

static void worker_clear(Worker *worker)
{
    tape_destroy(&worker->tape);
    rsd_threads_destroy(&worker->alone);
    tile_coder_destroy(&worker->coder);
    alpha_coder_destroy(&worker->alpha_coder);
    mem_free(&worker->z);
    mem_free(&worker->y);
    mem_free(&worker->alpha);
}

static RsdStatus worker_init(Worker *worker, const PictureEncoder *encoder, RsdError *err)
{
    PictureTile largest = picture_tile(&encoder->info, 0);
    const ImageCodecConfig *config = &encoder->options.model->codec->config;
    int64_t n_z = picture_hypers(largest.latent_h) * picture_hypers(largest.latent_w);
    RsdStatus status = RSD_OK;

    TRY(tile_coder_create(&worker->coder, encoder->options.model->tiles, largest.latent_h, largest.latent_w,
                          kernels_pick(), err));
    if (encoder->info.n_across > 1) {
        TRY(rsd_threads_create(&worker->alone, 1, err));
        TRY(tape_create(&worker->tape, worker->alone, 0, err));
    } else {
        TRY(tape_create(&worker->tape, encoder->options.threads, 0, err));
        tile_coder_share(worker->coder, encoder->options.threads);
    }
    TRY(mem_alloc(&worker->z, (size_t)(config->hyper * n_z), sizeof *worker->z, err));
    TRY(mem_alloc(&worker->y, latent_size(encoder, &largest), sizeof *worker->y, err));
    if (encoder->info.has_alpha) {
        TRY(alpha_coder_create(&worker->alpha_coder, largest.h, largest.w, kernels_pick()->rans, err));
        TRY(mem_alloc(&worker->alpha, (size_t)(largest.h * largest.w), sizeof *worker->alpha, err));
    }
fail:
    return status;
}

/* Networks take hundreds of megabytes for a tile of 1024 pixels on each side with its margins, a third of that for 512; with gradients
 * a kilobyte a pixel. */
static int usual_exponent(const PictureEncoderOptions *options)
{
    const int64_t large = options->searches ? LARGE_SEARCHED_PIXELS : LARGE_PIXELS;

    return PICTURE_MAX_EXPONENT - (options->source.height > large / options->source.width);
}

static RsdStatus describe(PictureInfo *info, const PictureEncoderOptions *options, RsdError *err)
{
    const PictureSource *source = &options->source;

    *info = (PictureInfo){.format_version = RSD_FORMAT_VERSION,
                          .width = source->width,
                          .height = source->height,
                          .channels = source->channels,
                          .bits = source->bits,
                          .has_alpha = source->read_alpha != NULL,
                          .colour = source->colour,
                          .gamma = source->gamma,
                          .is_staged = options->model->codec->config.quantizer != IMAGE_SCALAR,
                          .tile_exponent = options->tile_exponent ? options->tile_exponent : usual_exponent(options)};
    memcpy(info->model_name, options->model->codec->config.name, sizeof info->model_name);
    memcpy(info->model_hash, options->model->codec->hash, sizeof info->model_hash);
    return picture_info_complete(info, RSD_ERR_ARG, err);
}

static RsdStatus open_search(PictureEncoder *encoder, RsdError *err)
{
    const PictureEncoderOptions *options = &encoder->options;
    const TileSearchOptions search = {.objective = {.model = options->model,
                                                    .info = &encoder->info,
                                                    .threads = options->threads,
                                                    .read = options->source.read,
                                                    .read_ctx = options->source.ctx,
                                                    .loss = options->loss,
                                                    .loss_ctx = options->loss_ctx,
                                                    .loss_share = options->loss_share},
                                      .on_progress = options->on_progress,
                                      .progress_ctx = options->progress_ctx,
                                      .seed = options->seed};

    return options->searches ? picture_search_create(&encoder->search, &search, encoder->kept != NULL, err) : RSD_OK;
}

RsdStatus picture_encoder_open(PictureEncoder **out, const PictureEncoderOptions *options, RsdError *err)
{
    PictureEncoder *encoder = NULL;
    int64_t n_latents, n_all;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&encoder, 1, sizeof *encoder, err));
    encoder->options = *options;
    TRY(describe(&encoder->info, options, err));
    CHECK(!options->searches || !encoder->info.is_staged, err, RSD_ERR_ARG,
          "model %s codes vectors, which efforts from %d on cannot search; use effort 1 or 2", encoder->info.model_name,
          SEARCH_FIRST_EFFORT);
    if (!options->threads) {
        TRY(rsd_threads_create(&encoder->own_threads, 1, err));
        encoder->options.threads = encoder->own_threads;
    }
    TRY(tape_create(&encoder->tape, encoder->options.threads, 0, err));
    TRY(mem_calloc(&encoder->workers, (size_t)n_workers(encoder), sizeof *encoder->workers, err));
    for (int i = 0; i < n_workers(encoder); i++)
        TRY(worker_init(&encoder->workers[i], encoder, err));
    TRY(mem_calloc(&encoder->row, (size_t)encoder->info.n_across, sizeof *encoder->row, err));
    n_latents = options->model->codec->config.latent * (picture_latents(encoder->info.width));
    n_all = n_latents * (picture_latents(encoder->info.height));
    if (n_all * (int64_t)sizeof *encoder->kept <= (options->kept_size > 0 ? options->kept_size : KEPT_MAX_SIZE))
        TRY(mem_alloc(&encoder->kept, (size_t)n_all, sizeof *encoder->kept, err));
    else
        TRY(mem_alloc(&encoder->row_y, (size_t)(n_latents * picture_tile(&encoder->info, 0).latent_h),
                      sizeof *encoder->row_y, err));
    TRY(open_search(encoder, err));
    *out = encoder;
    return RSD_OK;
fail:
    picture_encoder_close(&encoder);
    return status;
}

void picture_encoder_close(PictureEncoder **encoder)
{
    PictureEncoder *old = *encoder;

    if (!old)
        return;
    for (int i = 0; old->workers && i < n_workers(old); i++)
        worker_clear(&old->workers[i]);
    for (int64_t i = 0; old->row && i < old->info.n_across; i++)
        mem_free(&old->row[i].bytes);
    tape_destroy(&old->tape);
    rsd_threads_destroy(&old->own_threads);
    mem_free(&old->workers);
    picture_search_destroy(&old->search);
    mem_free(&old->row);
    mem_free(&old->row_y);
    mem_free(&old->kept);
    mem_free(encoder);
}

RsdStatus picture_encoder_keep_found(PictureEncoder *encoder, RsdError *err)
{
    return encoder->search ? picture_search_keep_all(encoder->search, err) : RSD_OK;
}

/* --- latents -------------------------------------------------------------------------------------------------------- */

/* Where y of a tile is: tiles of a row follow each other, rows too when all are kept. */
static float *latents_at(const PictureEncoder *encoder, const PictureTile *tile)
{
    const int64_t m = encoder->options.model->codec->config.latent;
    const int64_t w = picture_latents(encoder->info.width);
    float *row = encoder->kept ? encoder->kept + m * w * tile->latent_y : encoder->row_y;

    return row + m * tile->latent_h * tile->latent_x;
}

static bool is_search(const PictureSetting *setting)
{
    return setting->effort >= SEARCH_FIRST_EFFORT;
}

static RsdStatus analyse_row(PictureEncoder *encoder, RsdError *err)
{
    const PictureSource *source = &encoder->options.source;
    int64_t first = encoder->row_first;
    RsdStatus status = RSD_OK;

    if (encoder->kept && encoder->n_kept > first)
        return RSD_OK;
    for (int64_t i = first; i < first + encoder->info.n_across; i++) {
        PictureTile tile = picture_tile(&encoder->info, i);

        TRY(picture_analyse(encoder->options.model, encoder->tape, &encoder->info, &tile, source->read, source->ctx,
                            latents_at(encoder, &tile), err));
    }
    encoder->n_kept = first + encoder->info.n_across;
fail:
    return status;
}

/* --- coding one tile ------------------------------------------------------------------------------------------------ */

static RsdStatus quantise(PictureEncoder *encoder, Worker *worker, const PictureTile *tile, const float *y,
                          RsdError *err)
{
    const ImageCodec *codec = encoder->options.model->codec;
    const int64_t shape[] = {1, codec->config.latent, tile->latent_h, tile->latent_w};
    Tensor *x, *scaled, *z = NULL;
    RsdStatus status = RSD_OK;

    tape_reset(worker->tape);
    TRY(tape_input(worker->tape, &x, 4, shape, y, err));
    TRY(image_codec_scale(worker->tape, codec, &encoder->setting.level, x, &scaled, err));
    if (codec->config.hyper > 0)
        TRY(image_codec_hyper(worker->tape, codec, scaled, &z, err));
    for (int64_t i = 0; i < tensor_count(scaled); i++)
        worker->y[i] = tile_latent(scaled->data[i]);
    for (int64_t i = 0; z && i < tensor_count(z); i++)
        worker->z[i] = tile_hyper_latent(z->data[i]);
fail:
    return status;
}

static RsdStatus add_packet(CodedTile *coded, int type, int64_t number, const TileCode *code, RsdError *err)
{
    PicturePacket packet = {.type = type,
                            .n_lanes = code->n_lanes,
                            .number = (uint32_t)number,
                            .payload = code->data,
                            .payload_size = code->size};
    size_t size = PICTURE_PACKET_HEAD + code->size;
    RsdStatus status = RSD_OK;

    CHECK(code->size <= PICTURE_MAX_PAYLOAD, err, RSD_ERR_UNSUPPORTED,
          "tile %lld takes %zu bytes; at most %zu are possible", (long long)number + 1, code->size,
          PICTURE_MAX_PAYLOAD);
    if (coded->size + size > coded->capacity) {
        TRY(mem_resize(&coded->bytes, coded->size, coded->size + size, 1, err));
        coded->capacity = coded->size + size;
    }
    picture_packet_head(&packet, coded->bytes + coded->size);
    memcpy(coded->bytes + coded->size + PICTURE_PACKET_HEAD, code->data, code->size);
    coded->size += size;
fail:
    return status;
}

static RsdStatus code_tile(PictureEncoder *encoder, Worker *worker, int64_t i, RsdError *err)
{
    const PictureSource *source = &encoder->options.source;
    int64_t number = encoder->row_first + i;
    PictureTile tile = picture_tile(&encoder->info, number);
    CodedTile *coded = &encoder->row[i];
    const TileRounding rounding = {.strength = encoder->setting.strength,
                                   .from = (int64_t)latent_size(encoder, &tile) * encoder->setting.share / PICTURE_SHARES};
    TileCode code;
    RsdStatus status = RSD_OK;

    coded->size = 0;
    if (!is_search(&encoder->setting))
        TRY(quantise(encoder, worker, &tile, latents_at(encoder, &tile), err));
    TRY(tile_encode(worker->coder, encoder->setting.level, &rounding,
                    is_search(&encoder->setting) ? picture_search_z(encoder->search, &tile) : worker->z,
                    is_search(&encoder->setting) ? picture_search_y(encoder->search, &tile) : worker->y, tile.latent_h,
                    tile.latent_w, &code, err));
    TRY(add_packet(coded, PICTURE_PACKET_TILE, number, &code, err));
    if (source->read_alpha) {
        TRY(source->read_alpha(source->ctx, tile.x, tile.y, tile.w, tile.h, worker->alpha, err));
        TRY(alpha_encode(worker->alpha_coder, worker->alpha, tile.w, encoder->info.bits, tile.h, tile.w, &code, err));
        TRY(add_packet(coded, PICTURE_PACKET_ALPHA, number, &code, err));
    }
fail:
    return status;
}

static void code_task(void *ctx, int64_t i, int index)
{
    PictureEncoder *encoder = ctx;
    CodedTile *coded = &encoder->row[i];

    coded->status = code_tile(encoder, &encoder->workers[index], i, &coded->err);
}

static RsdStatus code_row(PictureEncoder *encoder, RsdError *err)
{
    threads_for(encoder->options.threads, encoder->info.n_across, code_task, encoder);
    for (int64_t i = 0; i < encoder->info.n_across; i++)
        if (encoder->row[i].status != RSD_OK)
            return error_set(err, encoder->row[i].status, "%s", encoder->row[i].err.text);
    return RSD_OK;
}

/* --- the stream ----------------------------------------------------------------------------------------------------- */

typedef struct Sink {
    RsdWriteFn write;
    void *ctx;
    int64_t *size;
} Sink;

static RsdStatus put(const Sink *sink, const void *data, size_t size, RsdError *err)
{
    RsdError local;

    *sink->size += (int64_t)size;
    return sink->write ? sink->write(sink->ctx, data, size, err ? err : &local) : RSD_OK;
}

static RsdStatus put_chunk(const PictureEncoder *encoder, PictureChunkKind kind, const Sink *sink, RsdError *err)
{
    const PictureChunk *chunk = &encoder->options.source.chunks[kind];
    PicturePacket packet = {.type = PICTURE_PACKET_CHUNK, .n_lanes = 8, .payload_size = PICTURE_MARK_SIZE + chunk->size};
    uint8_t *bytes = NULL;
    RsdStatus status = RSD_OK;

    if (!chunk->data)
        return RSD_OK;
    CHECK(chunk->size <= PICTURE_CHUNK_MAX_SIZE, err, RSD_ERR_UNSUPPORTED, "a chunk %s of %zu bytes; at most %zu are possible",
          PICTURE_CHUNK_MARKS[kind], chunk->size, PICTURE_CHUNK_MAX_SIZE);
    TRY(mem_alloc(&bytes, PICTURE_PACKET_HEAD + packet.payload_size, 1, err));
    memcpy(bytes + PICTURE_PACKET_HEAD, PICTURE_CHUNK_MARKS[kind], PICTURE_MARK_SIZE);
    memcpy(bytes + PICTURE_PACKET_HEAD + PICTURE_MARK_SIZE, chunk->data, chunk->size);
    packet.payload = bytes + PICTURE_PACKET_HEAD;
    picture_packet_head(&packet, bytes);
    TRY(put(sink, bytes, PICTURE_PACKET_HEAD + packet.payload_size, err));
fail:
    mem_free(&bytes);
    return status;
}

/* They stand in the header, so all tiles must have been searched. */
static RsdStatus set_deltas(PictureEncoder *encoder, RsdError *err)
{
    RsdStatus status = RSD_OK;

    encoder->info.deltas = (PictureDeltas){.gain.n = 0};
    if (is_search(&encoder->setting) && encoder->kept) {
        TRY(picture_search_all(encoder->search, encoder->setting.level, encoder->setting.effort, err));
        encoder->info.deltas = *picture_search_deltas(encoder->search);
    }
    TRY(picture_info_complete(&encoder->info, RSD_ERR_ARG, err));
fail:
    return status;
}

RsdStatus picture_encoder_run(PictureEncoder *encoder, PictureSetting setting, RsdWriteFn write, void *write_ctx,
                              int64_t *size, RsdError *err)
{
    const Sink sink = {write, write_ctx, size};
    uint8_t header[HEADER_MAX_SIZE];
    RsdStatus status = RSD_OK;

    *size = 0;
    CHECK(setting.level >= 0 && setting.level <= picture_level_max(encoder->options.model) && setting.strength >= 0 &&
              setting.strength <= TILE_MAX_STRENGTH && setting.share >= 0 && setting.share < PICTURE_SHARES,
          err, RSD_ERR_ARG, "level %d, strength %d, share %d: out of range", setting.level, setting.strength, setting.share);
    CHECK(setting.effort >= 0 && setting.effort <= (encoder->search ? SEARCH_LAST_EFFORT : SEARCH_FIRST_EFFORT - 1), err,
          RSD_ERR_ARG, "effort %d: out of range", setting.effort);
    encoder->setting = setting;
    encoder->info.level = setting.level;
    TRY(set_deltas(encoder, err));
    TRY(put(&sink, header, picture_header_write(&encoder->info, header), err));
    for (int kind = 0; kind < PICTURE_N_CHUNKS; kind++)
        TRY(put_chunk(encoder, (PictureChunkKind)kind, &sink, err));
    for (encoder->row_first = 0; encoder->row_first < encoder->info.n_tiles;
         encoder->row_first += encoder->info.n_across) {
        if (is_search(&setting))
            TRY(picture_search_row(encoder->search, encoder->row_first, setting.level, setting.effort, err));
        else
            TRY(analyse_row(encoder, err));
        TRY(code_row(encoder, err));
        for (int64_t i = 0; i < encoder->info.n_across; i++)
            TRY(put(&sink, encoder->row[i].bytes, encoder->row[i].size, err));
    }
fail:
    return status;
}

int picture_encoder_level_max(const PictureEncoder *encoder)
{
    return picture_level_max(encoder->options.model);
}

const PictureInfo *picture_encoder_info(const PictureEncoder *encoder)
{
    return &encoder->info;
}

PictureFound picture_encoder_found(const PictureEncoder *encoder)
{
    return encoder->search ? picture_search_found(encoder->search) : (PictureFound){0};
}
