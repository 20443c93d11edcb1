/* landscape.c - directions, then one evaluation after the other.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trainer/landscape.h"

#include <math.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/kernels/kernels.h"
#include "engine/kernels/point.h"
#include "trainer/audio_step.h"
#include "trainer/checkpoint.h"
#include "trainer/step_clock.h"

#define CROP_STEP ((uint64_t)1 << 41) /* crops come from a step that no run reaches */
#define DIRECTION_SAMPLE 5000         /* of RNG_INIT; and one for each parameter and direction from here */
#define LEAST_SECONDS 0.5             /* of a crop: what the mel distance needs */

typedef struct Slice {
    const LandscapeOptions *options;
    TrainConfig *config;
    MediaList *list;
    Dataset *data;
    AudioStep *step;
    TrainState *state;
    float *centre, *directions[2]; /* [n_elements], parameters in their order */
    float *crops;
    int64_t n_crop; /* samples of a crop */
    int n_done, n_all;
    double started;
} Slice;

/* ---- opening ---- */

/* The configuration that the checkpoint itself says. */
static RsdStatus read_config(TrainConfig *config, const char *path, RsdError *err)
{
    Safetensors *st = NULL;
    const char *text;
    RsdStatus status = RSD_OK;

    TRY(safetensors_open(&st, path, err));
    text = safetensors_metadata(st, "config");
    CHECK(text, err, RSD_ERR_CORRUPT, "%s: the metadata lack 'config'", path);
    train_config_init(config);
    TRY(train_config_parse(config, text, path, err));
    TRY(train_config_check(config, err));
    CHECK(config->kind == TRAIN_AUDIO, err, RSD_ERR_UNSUPPORTED, "%s: a picture codec; slices through the loss are of sound codecs only", path);
fail:
    safetensors_close(&st);
    return status;
}

static RsdStatus open_state(Slice *slice, const char *run_dir, RsdError *err)
{
    int64_t *steps = NULL;
    size_t n_steps;
    char path[CHECKPOINT_PATH_SIZE];
    TrainConfig *was = NULL;
    RsdStatus status = RSD_OK;

    TRY(mem_alloc(&was, 1, sizeof *was, err));
    TRY(checkpoint_list(&steps, &n_steps, run_dir, err));
    CHECK(n_steps, err, RSD_ERR_ARG, "%s: holds no checkpoint, whose weights a slice could go through", run_dir);
    TRY(checkpoint_path(path, run_dir, steps[0], err));
    TRY(mem_alloc(&slice->config, 1, sizeof *slice->config, err));
    TRY(read_config(slice->config, path, err));
    TRY(train_state_create(&slice->state, slice->config, kernels_pick(), err));
    TRY(checkpoint_load_newest(slice->state, slice->config, run_dir, path, was, err));
    TRY(audio_step_create(&slice->step, slice->config, slice->options->threads, NULL, err));
fail:
    mem_free(&steps);
    mem_free(&was);
    return status;
}

static RsdStatus open_crops(Slice *slice, RsdError *err)
{
    const LandscapeOptions *options = slice->options;
    TrainConfig *cfg = slice->config;
    const int64_t hop = audio_codec_hop(&cfg->model), least = (int64_t)ceil(LEAST_SECONDS * cfg->model.rate_hz);
    RsdStatus status = RSD_OK;

    slice->n_crop = slice->step->segment_len;
    if (slice->n_crop < least)
        slice->n_crop = (least + hop - 1) / hop * hop;
    TRY(media_list_scan(&slice->list, options->dirs, options->n_dirs, cfg->model.rate_hz, options->threads, err));
    TRY(dataset_create(&slice->data, slice->list, &cfg->data, err));
    TRY(mem_alloc(&slice->crops, (size_t)options->n_crops * (size_t)slice->n_crop, sizeof *slice->crops, err));
    for (int i = 0; i < options->n_crops; i++)
        TRY(dataset_crop(slice->data, (uint64_t)cfg->train.seed, CROP_STEP, (uint32_t)i, (size_t)slice->n_crop,
                         slice->crops + i * slice->n_crop, err));
fail:
    return status;
}

static void close_slice(Slice *slice)
{
    dataset_destroy(&slice->data);
    media_list_destroy(&slice->list);
    audio_step_destroy(&slice->step);
    train_state_destroy(&slice->state);
    mem_free(&slice->config);
    mem_free(&slice->centre);
    mem_free(&slice->directions[0]);
    mem_free(&slice->directions[1]);
    mem_free(&slice->crops);
}

/* ---- weights and directions ---- */

static bool is_moved(const Param *param)
{
    return param->trainable && param->tensor->n_dims >= 2;
}

/* Normal numbers; each row as long as that of the weights. */
static void draw_direction(float *direction, const Tensor *weights, Rng *rng)
{
    const int64_t rows = weights->shape[0], columns = tensor_count(weights) / rows;

    for (int64_t i = 0; i < rows; i++) {
        float *row = direction + i * columns;
        double length = 0.0, wanted = 0.0;

        for (int64_t k = 0; k < columns; k++) {
            row[k] = rng_normal(rng);
            length += (double)row[k] * (double)row[k];
            wanted += (double)weights->data[i * columns + k] * (double)weights->data[i * columns + k];
        }
        for (int64_t k = 0; k < columns; k++)
            row[k] *= length > 0.0 ? (float)sqrt(wanted / length) : 0.0f;
    }
}

/* The weights at the centre and directions around them; with frozen parts the directions leave these out. */
static RsdStatus find_directions(Slice *slice, RsdError *err)
{
    const ParamSet *params = slice->state->params;
    const size_t n = (size_t)slice->state->optimizer->n_elements;
    int64_t at = 0;
    RsdStatus status = RSD_OK;

    TRY(mem_calloc(&slice->centre, n, sizeof(float), err));
    for (int d = 0; d < 2; d++)
        TRY(mem_calloc(&slice->directions[d], n, sizeof(float), err));
    for (size_t i = 0; i < params->n_items; i++) {
        const Tensor *tensor = params->items[i].tensor;

        if (!params->items[i].trainable)
            continue;
        memcpy(slice->centre + at, tensor->data, (size_t)tensor_count(tensor) * sizeof(float));
        for (uint32_t d = 0; d < 2 && is_moved(&params->items[i]); d++) {
            Rng rng = rng_at((uint64_t)slice->config->train.seed, RNG_INIT, 3, DIRECTION_SAMPLE + 2 * (uint32_t)i + d);

            draw_direction(slice->directions[d] + at, tensor, &rng);
        }
        at += tensor_count(tensor);
    }
fail:
    return status;
}

static void move_to(Slice *slice, double a, double b)
{
    const PointKernels *kernels = kernels_pick()->point;
    const ParamSet *params = slice->state->params;
    int64_t at = 0;

    for (size_t i = 0; i < params->n_items; i++) {
        Tensor *tensor = params->items[i].tensor;
        const int64_t count = tensor_count(tensor);

        if (!params->items[i].trainable)
            continue;
        memcpy(tensor->data, slice->centre + at, (size_t)count * sizeof(float));
        kernels->scale(slice->directions[0] + at, (float)a, tensor->data, count, true);
        kernels->scale(slice->directions[1] + at, (float)b, tensor->data, count, true);
        at += count;
    }
}

/* ---- points ---- */

/* Mean over the crops of the weighted losses; far away they may be no number. */
static RsdStatus loss_at(Slice *slice, double a, double b, double *loss, RsdError *err)
{
    const TrainConfig *cfg = slice->config;
    RsdStatus status = RSD_OK;

    move_to(slice, a, b);
    *loss = 0.0;
    for (int i = 0; i < slice->options->n_crops; i++) {
        ClipReport report;

        status = audio_step_evaluate(slice->step, slice->state, slice->crops + i * slice->n_crop, slice->n_crop, NULL, &report, err);
        if (status == RSD_ERR_NUMERIC) {
            *loss = INFINITY;
            return RSD_OK;
        }
        TRY(status);
        for (int j = 0; j < cfg->loss.n_losses; j++)
            *loss += (double)cfg->loss.weights[j] * report.losses[j] / slice->options->n_crops;
    }
fail:
    return status;
}

/* A point, and how long the rest will take, which the first one tells. */
static RsdStatus measure_point(Slice *slice, double a, double b, double *loss, RsdError *err)
{
    const LandscapeOptions *options = slice->options;
    double left_s;
    RsdStatus status = RSD_OK;

    TRY(loss_at(slice, a, b, loss, err));
    slice->n_done++;
    left_s = (step_clock() - slice->started) / slice->n_done * (slice->n_all - slice->n_done);
    CHECK(slice->n_done > 1 || options->limit_s <= 0.0 || left_s <= options->limit_s, err, RSD_ERR_ARG,
          "a slice of %d points on %d crops would take about %.0f s, more than %.0f s; take fewer points or crops, or allow more time",
          slice->n_all, options->n_crops, left_s, options->limit_s);
    if (options->progress)
        options->progress(options->progress_ctx, slice->n_done, slice->n_all, left_s);
fail:
    return status;
}

static RsdStatus check_options(const LandscapeOptions *o, RsdError *err)
{
    RsdStatus status = RSD_OK;

    CHECK(o->n_points >= 3 && o->n_points <= LANDSCAPE_MAX_POINTS && o->n_points % 2 == 1, err, RSD_ERR_ARG,
          "%d points of a slice, expected an odd number from 3 to %d", o->n_points, LANDSCAPE_MAX_POINTS);
    CHECK(o->n_grid == 0 || (o->n_grid >= 3 && o->n_grid <= LANDSCAPE_MAX_GRID && o->n_grid % 2 == 1), err, RSD_ERR_ARG,
          "%d points of each side of a plane, expected an odd number from 3 to %d", o->n_grid, LANDSCAPE_MAX_GRID);
    CHECK(o->n_crops >= 1 && o->n_crops <= 1024, err, RSD_ERR_ARG, "%d crops, expected 1 to 1024", o->n_crops);
    CHECK(o->reach > 0.0 && isfinite(o->reach), err, RSD_ERR_ARG, "a slice that reaches %g times the weights' length", o->reach);
fail:
    return status;
}

/* Place i of n from -reach to reach, exactly 0 in the middle. */
static double place(const LandscapeOptions *options, int i, int n)
{
    return options->reach * (double)(2 * i - (n - 1)) / (double)(n - 1);
}

static RsdStatus measure_all(Landscape *out, Slice *slice, RsdError *err)
{
    const LandscapeOptions *options = slice->options;
    const int middle = options->n_points / 2, grid_middle = options->n_grid / 2;
    RsdStatus status = RSD_OK;

    slice->started = step_clock();
    slice->n_all = options->n_points + options->n_grid * options->n_grid - (options->n_grid > 0);
    TRY(measure_point(slice, 0.0, 0.0, &out->line[middle], err));
    for (int i = 0; i < options->n_points; i++)
        if (i != middle)
            TRY(measure_point(slice, place(options, i, options->n_points), 0.0, &out->line[i], err));
    for (int j = 0; j < options->n_grid; j++)
        for (int i = 0; i < options->n_grid; i++)
            if (i == grid_middle && j == grid_middle)
                out->plane[j][i] = out->line[middle];
            else
                TRY(measure_point(slice, place(options, i, options->n_grid), place(options, j, options->n_grid), &out->plane[j][i], err));
fail:
    return status;
}

RsdStatus landscape_measure(Landscape *out, const char *run_dir, const LandscapeOptions *options, RsdError *err)
{
    Slice slice = {.options = options};
    RsdStatus status = RSD_OK;

    memset(out, 0, sizeof *out);
    TRY(check_options(options, err));
    TRY(open_state(&slice, run_dir, err));
    TRY(open_crops(&slice, err));
    optimizer_swap_average(slice.state->optimizer);
    TRY(find_directions(&slice, err));
    TRY(measure_all(out, &slice, err));
    out->step = slice.state->step;
    out->n_points = options->n_points;
    out->n_grid = options->n_grid;
    out->n_crops = options->n_crops;
    out->reach = options->reach;
    out->seconds = step_clock() - slice.started;
fail:
    close_slice(&slice);
    return status;
}
