/* image_steps.c - rows of steps in float, and as integers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "models/image_steps.h"

#include <math.h>
#include <string.h>

#include "engine/base/arena.h"
#include "engine/base/mem.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/quantise.h"
#include "engine/ops/shape.h"
#include "models/image_net.h"
#include "models/integer_net.h"
#include "models/prior_run.h"

/* ---- in float ---- */

RsdStatus image_steps_rows(Tape *tape, const ImageCodec *codec, const int *level, Tensor *psi, const PriorOptions *options, Tensor **local,
                           Tensor **levels, RsdError *err)
{
    const IntegerForm form = {.rounded = options->as_integer, .exact = options->is_integer};
    Tensor *rows;
    RsdStatus status = RSD_OK;

    TRY(integer_net_run(tape, &codec->net->steps_local, form, psi, local, err));
    TRY(image_net_at_levels(tape, codec->net->steps_levels, level, psi->shape[0], &rows, err));
    TRY(op_reshape(tape, rows, 4, (int64_t[]){psi->shape[0], -1, 1, 1}, &rows, err));
    TRY(integer_net_settle(tape, form, rows, levels, err));
fail:
    return status;
}

/* [batch, M, h, n]: local is spread over channels, levels over places. */
static RsdStatus join_rows(Tape *tape, Tensor *local, Tensor *levels, const Tensor *like, Tensor **rows, RsdError *err)
{
    Tensor *zeros;
    RsdStatus status = RSD_OK;

    TRY(tape_tensor(tape, &zeros, like->n_dims, like->shape, err));
    memset(zeros->data, 0, (size_t)tensor_count(zeros) * sizeof *zeros->data);
    TRY(op_add(tape, zeros, local, rows, err));
    TRY(op_add(tape, *rows, levels, rows, err));
    TRY(op_bound(tape, *rows, (float)PRIOR_LOWEST_STEP / PRIOR_UNIT, (float)PRIOR_HIGHEST_STEP / PRIOR_UNIT, rows, err));
    TRY(op_scale(tape, *rows, (float)PRIOR_UNIT, rows, err));
fail:
    return status;
}

RsdStatus image_steps_apply(Tape *tape, Tensor *local, Tensor *levels, Tensor **y, Tensor **mean, Tensor **index, Tensor **step,
                            RsdError *err)
{
    Tensor *rows, *per_step;
    RsdStatus status = RSD_OK;

    TRY(join_rows(tape, local, levels, *y, &rows, err));
    TRY(op_scale(tape, rows, (float)PRIOR_LOG_SCALE_STEP, step, err));
    TRY(op_scale(tape, *step, -1.0f, &per_step, err));
    TRY(op_exp(tape, *step, step, err));
    TRY(op_exp(tape, per_step, &per_step, err));
    TRY(op_mul(tape, *y, per_step, y, err));
    TRY(op_mul(tape, *mean, per_step, mean, err));
    TRY(op_sub(tape, *index, rows, index, err));
    TRY(op_bound(tape, *index, 0.0f, PRIOR_INDEX_MAX, index, err));
fail:
    return status;
}

/* ---- as integers ---- */

void integer_steps_destroy(IntegerSteps **steps)
{
    if (!*steps)
        return;
    arena_destroy(&(*steps)->memory.arena);
    mem_free(steps);
}

RsdStatus integer_steps_create(IntegerSteps **out, const ImageCodec *codec, RsdError *err)
{
    const ImageNet *net = codec->net;
    IntegerSteps *steps = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&steps, 1, sizeof *steps, err));
    TRY(arena_create(&steps->memory.arena, 0, err));
    TRY(integer_net_make(&steps->local, &net->steps_local, false, steps->memory.arena, err));
    TRY(integer_table_make(&steps->levels, "steps.levels", net->steps_levels, steps->memory.arena, err));
    steps->memory.filled = arena_mark(steps->memory.arena);
    *out = steps;
    return RSD_OK;
fail:
    integer_steps_destroy(&steps);
    return status;
}

void integer_steps_to_float(const IntegerSteps *steps, ImageCodec *codec)
{
    ImageNet *net = codec->net;

    integer_net_to_float(&steps->local, &net->steps_local);
    for (int64_t i = 0; i < tensor_count(net->steps_levels); i++)
        net->steps_levels->data[i] = (float)steps->levels[i] / PRIOR_UNIT;
}

/* ---- files ---- */

static IntegerArray array_of_levels(const IntegerSteps *steps, const ImageCodecConfig *cfg)
{
    return integer_array("steps.levels_q", "", DTYPE_I16, 2, IMAGE_LEVELS, cfg->latent, steps->levels);
}

RsdStatus integer_steps_save(const IntegerSteps *steps, const ImageCodecConfig *cfg, SafetensorsWriter *writer, RsdError *err)
{
    const IntegerArray levels = array_of_levels(steps, cfg);
    RsdStatus status = RSD_OK;

    arena_rewind(steps->memory.arena, steps->memory.filled);
    TRY(integer_net_write("steps.local", &steps->local, steps->memory.arena, writer, err));
    TRY(integer_array_write(&levels, steps->memory.arena, writer, err));
fail:
    return status;
}

RsdStatus integer_steps_load(IntegerSteps **out, const ImageCodecConfig *cfg, const Safetensors *st, RsdError *err)
{
    ImageNet net;
    IntegerSteps *steps = NULL;
    IntegerArray levels;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&steps, 1, sizeof *steps, err));
    TRY(arena_create(&steps->memory.arena, 0, err));
    image_net_describe(&net, cfg);
    steps->local = integer_net_sizes(&net.steps_local, false);
    TRY(integer_net_read("steps.local", &steps->local, st, steps->memory.arena, err));
    levels = array_of_levels(steps, cfg);
    TRY(integer_array_read(&levels, st, steps->memory.arena, err));
    steps->levels = levels.data;
    TRY(integer_table_check("steps.levels_q", steps->levels, (int64_t)IMAGE_LEVELS * cfg->latent, err));
    steps->memory.filled = arena_mark(steps->memory.arena);
    *out = steps;
    return RSD_OK;
fail:
    integer_steps_destroy(&steps);
    return status;
}
