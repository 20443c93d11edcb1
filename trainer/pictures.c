/* pictures.c - reading, keeping, shrinking and turning pictures.
 *
 *   file ─ 8 bits a sample, at most max_megapixels ─ window ─ mean over areas (scale) ─ turned, channels' gain ─ crop
 *
 * SPDX-License-Identifier: MIT
 */
#include "trainer/pictures.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "media/image_reader.h"

#define N_FILE_TRIES 64 /* draws until a file can be used; then the next one in order that can */
#define SYNTHETIC_BOXES 8

typedef struct Picture {
    int64_t h, w;
    uint8_t *planes;   /* [3, h, w]; NULL: not read, or not kept */
    bool read, broken; /* read: what is said here of the file is known */
} Picture;

struct Pictures {
    const PictureList *list;
    const TrainConfig *config;
    Picture *kept; /* [n_files] */
    int64_t kept_size;
    size_t n_read, n_small; /* files; the broken ones count as read */
    int n_broken;
    pthread_mutex_t lock;
};

/* ---- reading ---- */

static uint8_t to_byte(double v)
{
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v + 0.5);
}

/* A sample in 0 .. 255; alpha lies on black, as most viewers of a plain RGB copy would show it. */
static double sample_at(const Image *image, int c, int64_t i)
{
    const int64_t count = image->height * image->width;
    const int plane = image->channels == 1 ? 0 : c;
    double v, a = 1.0;

    if (image->bits == 16) {
        v = ((const uint16_t *)image->planes)[plane * count + i] / 257.0;
        if (image->alpha)
            a = ((const uint16_t *)image->alpha)[i] / 65535.0;
    } else {
        v = ((const uint8_t *)image->planes)[plane * count + i];
        if (image->alpha)
            a = ((const uint8_t *)image->alpha)[i] / 255.0;
    }
    return v * a;
}

/* Means of k x k samples, where k makes the picture small enough. */
static RsdStatus keep_small(Picture *picture, const Image *image, int max_megapixels, RsdError *err)
{
    const double excess = (double)image->width * (double)image->height / (max_megapixels * 1e6);
    const int64_t k = excess > 1 ? (int64_t)ceil(sqrt(excess)) : 1;
    RsdStatus status = RSD_OK;

    picture->h = image->height / k;
    picture->w = image->width / k;
    TRY(mem_alloc(&picture->planes, (size_t)(3 * picture->h * picture->w), 1, err));
    for (int c = 0; c < 3; c++)
        for (int64_t y = 0; y < picture->h; y++)
            for (int64_t x = 0; x < picture->w; x++) {
                double sum = 0;

                for (int64_t i = 0; i < k * k; i++)
                    sum += sample_at(image, c, (y * k + i / k) * image->width + x * k + i % k);
                picture->planes[(c * picture->h + y) * picture->w + x] = to_byte(sum / (double)(k * k));
            }
fail:
    return status;
}

static RsdStatus read_picture(Picture *picture, const char *path, int max_megapixels, RsdError *err)
{
    Image *image = NULL;
    RsdStatus status = RSD_OK;

    TRY(image_read(&image, path, NULL, err));
    TRY(keep_small(picture, image, max_megapixels, err));
fail:
    image_destroy(&image);
    return status;
}

/* ---- life ---- */

RsdStatus pictures_create(Pictures **out, const PictureList *list, const TrainConfig *cfg, RsdError *err)
{
    Pictures *p = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&p, 1, sizeof *p, err));
    p->list = list;
    p->config = cfg;
    pthread_mutex_init(&p->lock, NULL);
    TRY(mem_calloc(&p->kept, list->n_files, sizeof *p->kept, err));
    *out = p;
    return RSD_OK;
fail:
    pictures_destroy(&p);
    return status;
}

void pictures_destroy(Pictures **pictures)
{
    Pictures *p = *pictures;

    if (!p)
        return;
    for (size_t i = 0; p->kept && i < p->list->n_files; i++)
        mem_free(&p->kept[i].planes);
    mem_free(&p->kept);
    pthread_mutex_destroy(&p->lock);
    mem_free(pictures);
}

/* ---- crops ---- */

/* Output i of an axis is the mean of the source from first + i step to first + (i + 1) step. */
typedef struct Axis {
    double first, step;
    int64_t n;
} Axis;

/* How much of source cell k lies in output i. */
static double share_of(const Axis *axis, int64_t i, int64_t k)
{
    const double low = axis->first + (double)i * axis->step, high = low + axis->step;
    const double a = low > (double)k ? low : (double)k, b = high < (double)(k + 1) ? high : (double)(k + 1);

    return b > a ? (b - a) / axis->step : 0.0;
}

static void first_and_last(const Axis *axis, int64_t i, int64_t n_source, int64_t *first, int64_t *last)
{
    *first = (int64_t)floor(axis->first + (double)i * axis->step);
    *last = (int64_t)ceil(axis->first + (double)(i + 1) * axis->step) - 1;
    *last = *last >= n_source ? n_source - 1 : *last < *first ? *first : *last;
}

/* The cells behind each output of an axis and their shares, side by side. */
typedef struct Shares {
    int64_t *first, *count; /* [n] */
    float *share;           /* [n, most] */
    int64_t most;
} Shares;

static RsdStatus take_shares(Shares *shares, const Axis *axis, int64_t n_source, RsdError *err)
{
    RsdStatus status = RSD_OK;

    *shares = (Shares){.most = (int64_t)ceil(axis->step) + 1};
    TRY(mem_alloc(&shares->first, (size_t)axis->n, sizeof *shares->first, err));
    TRY(mem_alloc(&shares->count, (size_t)axis->n, sizeof *shares->count, err));
    TRY(mem_calloc(&shares->share, (size_t)(axis->n * shares->most), sizeof *shares->share, err));
    for (int64_t i = 0; i < axis->n; i++) {
        int64_t first, last;

        first_and_last(axis, i, n_source, &first, &last);
        shares->first[i] = first;
        shares->count[i] = last - first + 1;
        for (int64_t k = first; k <= last; k++)
            shares->share[i * shares->most + k - first] = (float)share_of(axis, i, k);
    }
fail:
    return status;
}

static void drop_shares(Shares *shares)
{
    mem_free(&shares->first);
    mem_free(&shares->count);
    mem_free(&shares->share);
}

/* out [n, n] = means over areas of a plane, lines of w samples. */
static void shrink_plane(const uint8_t *plane, int64_t w, int64_t n, const Shares *down, const Shares *across, float *out)
{
    memset(out, 0, (size_t)(n * n) * sizeof *out);
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < down->count[i]; k++) {
            const uint8_t *line = plane + (down->first[i] + k) * w;
            const float part = down->share[i * down->most + k] / 255.0f;

            for (int64_t j = 0; j < n; j++) {
                const uint8_t *cells = line + across->first[j];
                const float *share = across->share + j * across->most;
                float sum = 0;

                for (int64_t x = 0; x < across->count[j]; x++)
                    sum += share[x] * (float)cells[x];
                out[i * n + j] += sum * part;
            }
        }
}

/* dst from src [n, n]: one of eight ways to turn and mirror, times gain, within 0 .. 1. */
static void turn_plane(const float *src, int64_t n, uint32_t turn, float gain, float *dst)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
            const int64_t r = turn & 1 ? n - 1 - i : i, c = turn & 2 ? n - 1 - j : j;
            const float v = gain * (turn & 4 ? src[c * n + r] : src[r * n + c]);

            dst[i * n + j] = v > 1.0f ? 1.0f : v;
        }
}

/* Flat colours, a slope of light and boxes with sharp edges: what screens show. */
static void draw_screen(Rng *rng, int64_t n, float *dst)
{
    for (int c = 0; c < 3; c++) {
        const float low = rng_uniform(rng), dx = rng_between(rng, -0.5f, 0.5f), dy = rng_between(rng, -0.5f, 0.5f);

        for (int64_t i = 0; i < n * n; i++) {
            const float v = low + dx * (float)(i % n) / (float)n + dy * (float)(i / n) / (float)n;

            dst[c * n * n + i] = v < 0.0f ? 0.0f : v > 1.0f ? 1.0f : v;
        }
    }
    for (uint32_t b = rng_below(rng, SYNTHETIC_BOXES); b > 0; b--) {
        const bool thin = rng_below(rng, 2) == 1;
        const int64_t x0 = rng_below(rng, (uint32_t)n), y0 = rng_below(rng, (uint32_t)n);
        const int64_t width = thin ? 1 + rng_below(rng, 3) : 1 + rng_below(rng, (uint32_t)(n - x0));
        const int64_t height = 1 + rng_below(rng, (uint32_t)(n - y0));

        for (int c = 0; c < 3; c++) {
            const float v = rng_uniform(rng);

            for (int64_t y = y0; y < y0 + height && y < n; y++)
                for (int64_t x = x0; x < x0 + width && x < n; x++)
                    dst[(c * n + y) * n + x] = v;
        }
    }
}

static int64_t side_of(const Picture *picture)
{
    return picture->h < picture->w ? picture->h : picture->w;
}

static bool is_small(const Pictures *p, const Picture *picture)
{
    return picture->read && !picture->broken && side_of(picture) < p->config->picture.crop;
}

/* What is known of a file from now on, planes aside. Called with the lock held. */
static void note_read(Pictures *p, size_t file, const Picture *picture)
{
    Picture *kept = &p->kept[file];
    const bool first = !kept->read;

    kept->h = picture->h;
    kept->w = picture->w;
    kept->read = true;
    kept->broken = picture->broken;
    if (!first)
        return;
    p->n_read++;
    p->n_small += is_small(p, kept);
    if (p->n_read == p->list->n_files && p->n_small)
        log_note(LOG_WARNING, "%zu of %zu pictures are smaller than a crop of %d pixels (picture.crop); they are left out", p->n_small, p->n_read,
                 p->config->picture.crop);
}

/* Makes sure that a file is read; *picture is a copy of what is known of it, *given a picture that the caller frees when it is
 * not kept. */
static RsdStatus fetch(Pictures *p, size_t file, Picture *picture, uint8_t **given, RsdError *err)
{
    const char *path = p->list->files[file].path;
    RsdError reason = {0};
    RsdStatus status;

    *given = NULL;
    pthread_mutex_lock(&p->lock);
    *picture = p->kept[file];
    pthread_mutex_unlock(&p->lock);
    if (picture->planes || picture->broken || is_small(p, picture))
        return RSD_OK;
    status = read_picture(picture, path, p->config->picture.max_megapixels, &reason);
    pthread_mutex_lock(&p->lock);
    if (status == RSD_ERR_MEMORY) {
        if (err)
            *err = reason;
    } else if (status != RSD_OK) {
        if (!p->kept[file].broken) {
            log_note(LOG_WARNING, "%s; the file is left out", reason.text);
            p->n_broken++;
        }
        picture->broken = true;
        note_read(p, file, picture);
        status = p->n_broken > p->config->data.max_broken
                     ? error_set(err, RSD_ERR_CORRUPT,
                                 "%d pictures are broken, more than data.max_broken = %d, the last is %s; repair or remove them",
                                 p->n_broken, p->config->data.max_broken, path)
                     : RSD_OK;
    } else {
        const int64_t size = 3 * picture->h * picture->w;

        note_read(p, file, picture);
        if (!p->kept[file].planes && !is_small(p, &p->kept[file]) && p->kept_size + size <= p->config->data.cache_size) {
            p->kept[file].planes = picture->planes;
            p->kept_size += size;
        } else {
            *given = picture->planes;
        }
    }
    pthread_mutex_unlock(&p->lock);
    return status;
}

/* The scale of a crop, 0 when the picture is smaller than one. */
static double draw_scale(const PictureConfig *cfg, const Picture *picture, const PictureFile *file, Rng *rng)
{
    const int64_t side = side_of(picture);
    const bool lossless = !strcmp(file->format, "png") || !strcmp(file->format, "bmp") || !strcmp(file->format, "pnm");
    const double low = (double)cfg->scale_low * (double)cfg->scale_low;
    double scale = sqrt(low + (1 - low) * (double)rng_uniform(rng));

    if (!lossless)
        scale *= (double)cfg->jpeg_scale;
    if (side < cfg->crop)
        return 0;
    return scale * (double)side < cfg->crop ? (double)cfg->crop / (double)side : scale;
}

static RsdStatus cut(const PictureConfig *cfg, const Picture *picture, double scale, Rng *rng, float *dst, RsdError *err)
{
    const int64_t n = cfg->crop;
    const double step = 1 / scale;
    Axis down = {(double)rng_uniform(rng) * ((double)picture->h - (double)n * step), step, n};
    Axis across = {(double)rng_uniform(rng) * ((double)picture->w - (double)n * step), step, n};
    const uint32_t turn = rng_below(rng, 8);
    Shares rows = {0}, columns = {0};
    float *plane = NULL;
    RsdStatus status = RSD_OK;

    down.first = down.first < 0 ? 0 : scale == 1.0 ? floor(down.first) : down.first;
    across.first = across.first < 0 ? 0 : scale == 1.0 ? floor(across.first) : across.first;
    TRY(take_shares(&rows, &down, picture->h, err));
    TRY(take_shares(&columns, &across, picture->w, err));
    TRY(mem_alloc(&plane, (size_t)(n * n), sizeof *plane, err));
    for (int c = 0; c < 3; c++) {
        const float gain = rng_between(rng, 1.0f - cfg->gain, 1.0f + cfg->gain);

        shrink_plane(picture->planes + c * picture->h * picture->w, picture->w, n, &rows, &columns, plane);
        turn_plane(plane, n, turn, gain, dst + c * n * n);
    }
fail:
    drop_shares(&rows);
    drop_shares(&columns);
    mem_free(&plane);
    return status;
}

/* *found false: the file is broken or smaller than a crop. */
static RsdStatus crop_file(Pictures *p, size_t file, Rng *rng, float *dst, bool *found, RsdError *err)
{
    const PictureConfig *cfg = &p->config->picture;
    Picture picture;
    uint8_t *given = NULL;
    double scale;
    RsdStatus status = RSD_OK;

    *found = false;
    TRY(fetch(p, file, &picture, &given, err));
    if (picture.broken)
        return RSD_OK;
    scale = draw_scale(cfg, &picture, &p->list->files[file], rng);
    *found = scale > 0;
    if (*found)
        TRY(cut(cfg, &picture, scale, rng, dst, err));
fail:
    mem_free(&given);
    return status;
}

RsdStatus pictures_crop(Pictures *pictures, uint64_t step, uint32_t sample, float *dst, RsdError *err)
{
    const TrainConfig *cfg = pictures->config;
    const size_t n_files = pictures->list->n_files;
    Rng rng = rng_at((uint64_t)cfg->train.seed, RNG_DATA, step, sample);
    size_t file = 0;
    bool found = false;
    RsdStatus status = RSD_OK;

    if (rng_uniform(&rng) < cfg->picture.synthetic) {
        draw_screen(&rng, cfg->picture.crop, dst);
        return RSD_OK;
    }
    for (size_t i = 0; i < N_FILE_TRIES + n_files && !found; i++) {
        file = i < N_FILE_TRIES ? rng_below(&rng, (uint32_t)n_files) : (file + 1) % n_files;
        TRY(crop_file(pictures, file, &rng, dst, &found, err));
    }
    CHECK(found, err, RSD_ERR_CORRUPT, "none of %zu pictures can be used: all are broken or smaller than a crop of %d pixels (picture.crop)",
          n_files, cfg->picture.crop);
fail:
    return status;
}

RsdStatus pictures_middle(const PictureFile *file, const TrainConfig *cfg, float **pixels, int64_t *h, int64_t *w,
                          RsdError *err)
{
    const int64_t unit = IMAGE_HYPER_STRIDE, most = cfg->picture.valid_side;
    Picture picture = {0};
    int64_t top, left;
    RsdStatus status = RSD_OK;

    *pixels = NULL;
    TRY(read_picture(&picture, file->path, cfg->picture.max_megapixels, err));
    *h = (picture.h < most ? picture.h : most) / unit * unit;
    *w = (picture.w < most ? picture.w : most) / unit * unit;
    CHECK(*h > 0 && *w > 0, err, RSD_ERR_ARG, "%s: smaller than %lld pixels", file->path, (long long)unit);
    top = (picture.h - *h) / 2;
    left = (picture.w - *w) / 2;
    TRY(mem_alloc(pixels, (size_t)(3 * *h * *w), sizeof **pixels, err));
    for (int64_t i = 0; i < 3 * *h * *w; i++)
        (*pixels)[i] = (float)picture.planes[(i / (*h * *w) * picture.h + top + i / *w % *h) * picture.w + left + i % *w] / 255.0f;
fail:
    mem_free(&picture.planes);
    return status;
}
