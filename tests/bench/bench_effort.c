/* bench_effort.c - what each --effort of the picture encoder takes and brings on photographs.
 *
 * Crops of 192 x 192 from the middle of four photographs of the shared folder, by the built-in model at one level. An effort does what
 * those below it do and goes on from there, so one search tells of all: its values are read where each effort would have ended. Seconds
 * are those of the processor, on one thread: other work on the machine does not change them.
 *
 * Rate and error are those of the real bytes and of the pixels that they decode to. J is their sum at the level's balance; what J falls
 * by, as a share of the bits of effort 2, is what an effort saves at equal quality, to first order.
 *
 * Efforts 8 and 9, which take three times as long as all others together, only with RESIDUA_LONG set.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "codec/picture.h"
#include "engine/base/mem.h"
#include "media/image_reader.h"
#include "tests/bench/bench.h"
#include "tests/shared.h"

#define SIDE 192
#define LEVEL 48
#define N_EFFORTS (SEARCH_LAST_EFFORT + 1)

static const char *const PICTURES[] = {"val04.png", "val12.png", "val16.png", "val23.png"};
#define N_PICTURES (int)(sizeof PICTURES / sizeof PICTURES[0])

/* Sums over pictures. */
typedef struct Row {
    double seconds, bpp, psnr, objective;
} Row;

typedef struct Table {
    Row rows[N_EFFORTS];
    double began_s;
} Table;

typedef struct Photograph {
    int64_t width, height;
    float *rgb; /* [3, height, width] */
} Photograph;

static double processor_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void load(Photograph *photograph, const char *name)
{
    char relative[64];
    SharedPath path;
    Image *image;
    RsdError err = {0};

    snprintf(relative, sizeof relative, "data/images-val/%s", name);
    bench_must(image_read(&image, shared_path(&path, relative), NULL, &err), &err);
    photograph->width = image->width;
    photograph->height = image->height;
    bench_must(mem_alloc(&photograph->rgb, (size_t)(3 * image->width * image->height), sizeof(float), &err), &err);
    image_to_float(image, 3, photograph->rgb);
    image_destroy(&image);
}

static RsdStatus read_middle(void *ctx, int64_t x, int64_t y, int64_t w, int64_t h, float *rgb, int64_t pitch, int64_t plane,
                             RsdError *err)
{
    const Photograph *p = ctx;
    const int64_t left = (p->width - SIDE) / 2 + x, top = (p->height - SIDE) / 2 + y;

    (void)err;
    for (int64_t c = 0; c < 3; c++)
        for (int64_t row = 0; row < h; row++)
            memcpy(rgb + c * plane + row * pitch, p->rgb + (c * p->height + top + row) * p->width + left, (size_t)w * sizeof *rgb);
    return RSD_OK;
}

static void add(Table *table, int effort, const TileValue *value)
{
    Row *row = &table->rows[effort];

    row->seconds += processor_s() - table->began_s;
    row->bpp += value->bpp;
    row->psnr += -10.0 * log10(value->mse);
    row->objective += value->objective;
}

static bool look(void *ctx, const SearchProgress *progress)
{
    for (int effort = SEARCH_FIRST_EFFORT; effort < SEARCH_LAST_EFFORT; effort++)
        if (progress->step == tile_search_steps(effort) && progress->n_steps > progress->step)
            add(ctx, effort, &progress->best);
    return true;
}

static PictureEncoderOptions options_for(Table *table, const PictureModel *model, Photograph *photograph)
{
    return (PictureEncoderOptions){
        .model = model, .searches = true, .on_progress = look, .progress_ctx = table,
        .source = {.width = SIDE, .height = SIDE, .channels = 3, .bits = 8, .read = read_middle, .ctx = photograph}};
}

/* An encoder that only rounds does not say what it found: a search that does the same tells. */
static TileValue value_of_rounding(const PictureEncoder *encoder, const PictureEncoderOptions *options, RsdThreads *threads, int effort)
{
    const TileSearchOptions search_options = {.objective = {.model = options->model, .info = picture_encoder_info(encoder),
                                                            .threads = threads, .read = read_middle, .read_ctx = options->source.ctx}};
    TileSearch *search;
    TileFound found;
    int16_t *z;
    int32_t *y;
    RsdError err = {0};

    bench_must(mem_alloc(&z, SIDE * SIDE, sizeof *z, &err), &err);
    bench_must(mem_alloc(&y, 3 * SIDE * SIDE, sizeof *y, &err), &err);
    bench_must(tile_search_create(&search, &search_options, &err), &err);
    bench_must(tile_search_run(search, 0, LEVEL, effort, z, y, &found, &err), &err);
    tile_search_destroy(&search);
    mem_free(&z);
    mem_free(&y);
    return found.best;
}

static void run(Table *table, const PictureModel *model, Photograph *photograph, int effort)
{
    const PictureEncoderOptions options = options_for(table, model, photograph);
    const PictureSetting setting = {.level = LEVEL, .effort = effort, .strength = effort == 2 ? SEARCH_ROUNDING : 0};
    PictureEncoder *encoder;
    RsdThreads *alone;
    TileValue value;
    int64_t size;
    double seconds;
    RsdError err = {0};

    bench_must(rsd_threads_create(&alone, 1, &err), &err);
    bench_must(picture_encoder_open(&encoder, &options, &err), &err);
    table->began_s = processor_s();
    bench_must(picture_encoder_run(encoder, setting, NULL, NULL, &size, &err), &err);
    seconds = processor_s() - table->began_s;
    value = effort < SEARCH_FIRST_EFFORT ? value_of_rounding(encoder, &options, alone, effort) : picture_encoder_found(encoder).best;
    table->began_s = processor_s() - seconds;
    add(table, effort, &value);
    picture_encoder_close(&encoder);
    rsd_threads_destroy(&alone);
}

static void print(const Bench *bench, const Table *table, int last)
{
    const Row *plain = &table->rows[2];

    for (int effort = 1; effort <= last; effort++) {
        const Row *row = &table->rows[effort], *before = &table->rows[effort > 1 ? effort - 1 : 1];
        const double seconds = row->seconds * 1e6 / (N_PICTURES * SIDE * SIDE), bpp = row->bpp / N_PICTURES;
        const double psnr = row->psnr / N_PICTURES, j = row->objective / N_PICTURES;
        const double saved = 100.0 * (plain->objective - row->objective) / plain->bpp;
        const double more = 100.0 * (before->objective - row->objective) / plain->bpp;

        if (bench->json)
            printf("{\"part\":\"effort\",\"effort\":%d,\"seconds_per_mpx\":%.2f,\"bpp\":%.5f,\"psnr_db\":%.3f,\"j\":%.5f,"
                   "\"saved_percent\":%.2f,\"more_percent\":%.2f}\n",
                   effort, seconds, bpp, psnr, j, saved, more);
        else
            printf("  %6d %12.2f %10.4f %9.2f %9.4f %9.2f %9.2f\n", effort, seconds, bpp, psnr, j, saved, more);
    }
    fflush(stdout);
}

void bench_effort(Bench *bench)
{
    const int last = getenv("RESIDUA_LONG") ? SEARCH_LAST_EFFORT : SEARCH_LAST_EFFORT - 2;
    Table table = {.began_s = 0};
    ImageCodec *codec;
    PictureModel *model;
    RsdError err = {0};

    bench_heading(bench, "Picture encoder: what each effort takes and brings, crops of 4 photographs");
    if (!shared_exists("data/images-val")) {
        fprintf(stderr, "bench: efforts are left out: no photographs; set RESIDUA_SHARED\n");
        return;
    }
    bench_must(image_codec_load_builtin(&codec, NULL, IMAGE_USE_ALL, &err), &err);
    bench_must(picture_model_create(&model, codec, &err), &err);
    for (int i = 0; i < N_PICTURES; i++) {
        Photograph photograph;

        load(&photograph, PICTURES[i]);
        run(&table, model, &photograph, 1);
        run(&table, model, &photograph, 2);
        run(&table, model, &photograph, last);
        mem_free(&photograph.rgb);
    }
    if (!bench->json)
        printf("  %6s %12s %10s %9s %9s %9s %9s\n", "effort", "seconds/Mpx", "bit/pixel", "PSNR", "J", "saved %", "more %");
    print(bench, &table, last);
    picture_model_destroy(&model);
    image_codec_destroy(&codec);
}
