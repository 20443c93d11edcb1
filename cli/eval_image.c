/* eval_image.c - pairs of pictures: from two files to values.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/eval_image.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/mem.h"
#include "media/image_reader.h"

/* ---- reading ---- */

static void note_differences(char notes[EVAL_NOTES_SIZE], const Pair *pair, const Image *ref, const Image *dist)
{
    const Image *both[] = {ref, dist};
    const char *paths[] = {pair->ref, pair->dist};

    if (ref->source_bits != dist->source_bits)
        eval_note(notes, "%s: %d bits against %d, each compared from its black to its white", pair->name, ref->source_bits,
                  dist->source_bits);
    if (ref->channels != dist->channels)
        eval_note(notes, "%s: %s against %s, grey compared as three equal channels", pair->name,
                  ref->channels == 1 ? "grey" : "colour", dist->channels == 1 ? "grey" : "colour");
    if (ref->alpha || dist->alpha)
        eval_note(notes, "%s: %s alpha, compared on a grey ground", pair->name,
                  ref->alpha && dist->alpha ? "both have" : ref->alpha ? "the original has" : "the result has");
    if (ref->color.icc_size != dist->color.icc_size ||
        (ref->color.icc_size && memcmp(ref->color.icc, dist->color.icc, ref->color.icc_size) != 0))
        eval_note(notes, "%s: different colour profiles, which are not applied", pair->name);
    for (int i = 0; i < 2; i++) {
        if (both[i]->has_more)
            eval_note(notes, "%s: holds several pictures, the first is compared", paths[i]);
        if (both[i]->lost_alpha)
            eval_note(notes, "%s: its alpha cannot be read here and is not compared", paths[i]);
    }
}

void eval_lay_on_ground(float *planes, const float *alpha, size_t n)
{
    for (size_t c = 0; c < 3; c++)
        for (size_t i = 0; i < n; i++)
            planes[c * n + i] = alpha[i] * planes[c * n + i] + (1.0f - alpha[i]) * EVAL_GROUND;
}

/* Both to floats. */
static RsdStatus to_planes(EvalPictures *p, const Image *ref, const Image *dist, RsdError *err)
{
    const size_t n = (size_t)(ref->width * ref->height);
    float *alphas = NULL;
    double sum = 0.0;
    RsdStatus status = RSD_OK;

    TRY(mem_alloc(&p->ref, 3 * n, sizeof *p->ref, err));
    TRY(mem_alloc(&p->dist, 3 * n, sizeof *p->dist, err));
    image_to_float(ref, 3, p->ref);
    image_to_float(dist, 3, p->dist);
    if (ref->alpha || dist->alpha) {
        TRY(mem_alloc(&alphas, 2 * n, sizeof *alphas, err));
        image_alpha_to_float(ref, alphas);
        image_alpha_to_float(dist, alphas + n);
        for (size_t i = 0; i < n; i++)
            sum += fabs((double)alphas[i] - (double)alphas[n + i]);
        p->facts.has_alpha = true;
        p->facts.alpha_l1 = sum / (double)n;
        eval_lay_on_ground(p->ref, alphas, n);
        eval_lay_on_ground(p->dist, alphas + n, n);
    }
fail:
    mem_free(&alphas);
    return status;
}

static RsdStatus read_both(Image **ref, Image **dist, const Pair *pair, int64_t max_pixels, RsdError *err)
{
    const ImageReadOptions options = {.max_pixels = max_pixels};
    RsdStatus status = RSD_OK;

    TRY(image_read(ref, pair->ref, &options, err));
    TRY(image_read(dist, pair->dist, &options, err));
    return RSD_OK;
fail:
    image_destroy(ref);
    return status;
}

/* A picture that is too large to lie beside others is refused by its header, and read when it is its turn. */
static RsdStatus read_in_turn(EvalPictures *p, Image **ref, Image **dist, const Pair *pair, EvalTurn *turn, RsdError *err)
{
    RsdStatus status = read_both(ref, dist, pair, turn ? EVAL_LARGE_PIXELS : EVAL_MAX_PIXELS, err);

    if (!turn || (status != RSD_ERR_MEMORY && status != RSD_ERR_CORRUPT)) /* not every reader can tell large from damaged */
        return status;
    pthread_mutex_lock(&turn->mutex);
    p->turn = turn;
    return read_both(ref, dist, pair, EVAL_MAX_PIXELS, err);
}

RsdStatus eval_pictures_load(EvalPictures *p, const Pair *pair, const EvalOptions *options, char notes[EVAL_NOTES_SIZE], RsdError *err)
{
    Image *ref = NULL, *dist = NULL;
    RsdStatus status = RSD_OK;

    *p = (EvalPictures){0};
    TRY(read_in_turn(p, &ref, &dist, pair, options->turn, err));
    CHECK(ref->width == dist->width && ref->height == dist->height, err, RSD_ERR_UNSUPPORTED,
          "%s: %lld x %lld pixels against %lld x %lld: pictures of different sizes are not compared; scale one of them first",
          pair->name, (long long)ref->width, (long long)ref->height, (long long)dist->width, (long long)dist->height);
    note_differences(notes, pair, ref, dist);
    p->width = p->facts.width = ref->width;
    p->height = p->facts.height = ref->height;
    p->channels = ref->channels == 1 && dist->channels == 1 ? 1 : 3;
    p->facts.ref_bits = ref->source_bits;
    p->facts.dist_bits = dist->source_bits;
    memcpy(p->facts.ref_format, ref->format, sizeof ref->format);
    memcpy(p->facts.dist_format, dist->format, sizeof dist->format);
    TRY(to_planes(p, ref, dist, err));
fail:
    image_destroy(&ref);
    image_destroy(&dist);
    if (status != RSD_OK)
        eval_pictures_clear(p);
    return status;
}

void eval_pictures_clear(EvalPictures *p)
{
    mem_free(&p->ref);
    mem_free(&p->dist);
    if (p->turn)
        pthread_mutex_unlock(&p->turn->mutex);
    p->turn = NULL;
}

/* ---- metrics ---- */

static bool metric_at(EvalMetric *metric, size_t i)
{
    const ImageMetric *image = image_metric_at(i);

    if (!image)
        return false;
    *metric = (EvalMetric){.name = image->name,
                           .title = image->title,
                           .unit = image->unit,
                           .summary = image->summary,
                           .better = image->higher_is_better ? METRIC_HIGHER : METRIC_LOWER,
                           .n_digits = image->n_digits,
                           .usual = image->usual,
                           .by_channel = image->by_channel,
                           .of_kind = image};
    return true;
}

static RsdStatus metric_check(const EvalMetric *metric, const EvalOptions *options, RsdError *err)
{
    const ImageMetric *image = metric->of_kind;
    RsdStatus status = image_nets_check(options->nets, image->needs, err);

    return status == RSD_OK ? RSD_OK : error_prefix(err, status, "%s (--weights NAME=FILE)", metric->name);
}

/* Equal pictures are no convention where the value is a number. */
static void settle(MetricValue *value)
{
    if (isfinite(value->value))
        value->flags &= ~(unsigned)METRIC_IDENTICAL;
}

RsdStatus eval_measure_pictures(MetricValue *value, const ImagePair *both, const ImageMetric *metric, const ImageNets *nets,
                                Tape *tape, RsdError *err)
{
    RsdStatus status = RSD_OK;

    if (image_nets_check(nets, metric->needs, NULL) != RSD_OK) {
        *value = (MetricValue){.flags = METRIC_NOT_APPLICABLE};
        return RSD_OK;
    }
    TRY(image_metric_apply(value, metric, both, nets, tape, err));
    settle(value);
fail:
    return status;
}

static RsdStatus measure_metric(EvalResult *r, const ImagePair *both, const EvalSet *set, size_t m, const EvalOptions *options,
                                Tape *tape, RsdError *err)
{
    const ImageMetric *metric = set->items[m].of_kind;
    MetricValue each[3];
    RsdStatus status = RSD_OK;

    for (int c = 0; c < r->channels; c++)
        r->each[(size_t)c * set->n + m] = (MetricValue){.flags = METRIC_NOT_APPLICABLE};
    TRY(eval_measure_pictures(&r->values[m], both, metric, options->nets, tape, err));
    if (r->channels == 3 && !(r->values[m].flags & METRIC_NOT_APPLICABLE)) {
        TRY(image_metric_channels(each, metric, both, tape, err));
        for (int c = 0; c < 3; c++) {
            settle(&each[c]);
            r->each[(size_t)c * set->n + m] = each[c];
        }
    }
fail:
    return status;
}

static void cut_tile(float *tile, const float *planes, const EvalPictures *p, int64_t x, int64_t y, int64_t w, int64_t h)
{
    for (int64_t c = 0; c < 3; c++)
        for (int64_t row = 0; row < h; row++)
            memcpy(tile + (c * h + row) * w, planes + (c * p->height + y + row) * p->width + x, (size_t)w * sizeof *tile);
}

/* Values of tiles, row by row; the last of a row or column takes what is left. */
static RsdStatus measure_tiles(EvalResult *r, const EvalPictures *p, const EvalSet *set, const EvalOptions *options, Tape *tape,
                               RsdError *err)
{
    const int64_t side = options->tile_side, columns = p->width > side ? p->width / side : 1;
    const int64_t rows = p->height > side ? p->height / side : 1;
    float *tiles = NULL;
    RsdStatus status = RSD_OK;

    r->image.tile_side = side;
    r->image.n_tile_columns = columns;
    TRY(eval_parts_open(&r->places, rows * columns, set, err));
    TRY(mem_alloc(&tiles, (size_t)(2 * 3 * (p->width - (columns - 1) * side) * (p->height - (rows - 1) * side)), sizeof *tiles, err));
    for (int64_t i = 0; i < rows * columns; i++) {
        const int64_t x = i % columns * side, y = i / columns * side;
        const int64_t w = i % columns + 1 < columns ? side : p->width - x, h = i / columns + 1 < rows ? side : p->height - y;
        const ImagePair both = {tiles, tiles + 3 * w * h, h, w, NULL};

        cut_tile(tiles, p->ref, p, x, y, w, h);
        cut_tile(tiles + 3 * w * h, p->dist, p, x, y, w, h);
        for (size_t m = 0; m < set->n; m++)
            TRY(eval_measure_pictures(&r->places.values[(size_t)i * set->n + m], &both, set->items[m].of_kind, options->nets, tape,
                                      err));
    }
fail:
    mem_free(&tiles);
    return status;
}

static RsdStatus measure(EvalResult *r, const Pair *pair, const EvalSet *set, const EvalOptions *options, Tape *tape,
                         RsdError *err)
{
    EvalPictures p = {0};
    ImagePair both;
    RsdStatus status = RSD_OK;

    TRY(eval_pictures_load(&p, pair, options, r->notes, err));
    both = (ImagePair){p.ref, p.dist, p.height, p.width, NULL};
    tape = p.turn ? p.turn->tape : tape;
    r->channels = p.channels;
    r->image = p.facts;
    TRY(mem_calloc(&r->values, set->n, sizeof *r->values, err));
    TRY(mem_calloc(&r->each, set->n * (size_t)r->channels, sizeof *r->each, err));
    for (size_t m = 0; m < set->n; m++) {
        status = measure_metric(r, &both, set, m, options, tape, err);
        if (status != RSD_OK)
            error_prefix(err, status, "%s", pair->name);
        TRY(status);
    }
    if (options->tile_side > 0)
        TRY(measure_tiles(r, &p, set, options, tape, err));
fail:
    eval_pictures_clear(&p);
    return status;
}

/* ---- what else there is to say ---- */

static const char *column_text(char text[EVAL_TEXT_SIZE], const EvalResult *r)
{
    snprintf(text, EVAL_TEXT_SIZE, "%lldx%lld", (long long)r->image.width, (long long)r->image.height);
    return text;
}

static void print_facts(const EvalResult *r)
{
    const EvalImageFacts *i = &r->image;

    printf("%lld x %lld pixels, %s, %s of %d bits against %s of %d bits\n", (long long)i->width, (long long)i->height,
           r->channels == 1 ? "grey" : "RGB", i->dist_format, i->dist_bits, i->ref_format, i->ref_bits);
    if (i->has_alpha)
        printf("mean difference of alpha %.5f\n", i->alpha_l1);
}

static const char *channel_name(char text[EVAL_TEXT_SIZE], const EvalResult *r, int channel)
{
    static const char *const names[] = {"red", "green", "blue"};

    (void)r;
    return strcpy(text, names[channel]);
}

static const char *place_name(char text[EVAL_TEXT_SIZE], const EvalResult *r, int64_t place)
{
    snprintf(text, EVAL_TEXT_SIZE, "%lld,%lld", (long long)(place % r->image.n_tile_columns * r->image.tile_side),
             (long long)(place / r->image.n_tile_columns * r->image.tile_side));
    return text;
}

static void json_places(JsonLine *line, const EvalResult *r)
{
    json_line_integer(line, "side", r->image.tile_side);
    json_line_integer(line, "columns", r->image.n_tile_columns);
}

static void json_facts(JsonLine *line, const EvalResult *r)
{
    const EvalImageFacts *i = &r->image;

    json_line_integer(line, "width", i->width);
    json_line_integer(line, "height", i->height);
    json_line_integer(line, "channels", r->channels);
    json_line_text(line, "ref_format", i->ref_format);
    json_line_text(line, "dist_format", i->dist_format);
    json_line_integer(line, "ref_bits", i->ref_bits);
    json_line_integer(line, "dist_bits", i->dist_bits);
    json_line_real(line, "alpha_l1", i->has_alpha ? i->alpha_l1 : NAN);
}

static void csv_facts(const EvalResult *r)
{
    printf(",%lld,%lld,%d", (long long)r->image.width, (long long)r->image.height, r->channels);
}

const EvalKind eval_kind_image = {
    .name = "image",
    .things = "pictures",
    .thing = "picture",
    .rank = "ssimulacra2",
    .tiny = "too small",
    .metric_at = metric_at,
    .metric_check = metric_check,
    .measure = measure,
    .column = "pixels",
    .column_text = column_text,
    .print_facts = print_facts,
    .channel_name = channel_name,
    .places = "tiles",
    .place_name = place_name,
    .json_places = json_places,
    .json_facts = json_facts,
    .csv_columns = ",width,height,channels",
    .csv_facts = csv_facts,
    .detail_key = "picture",
    .detail = picture_detail,
};
