/* dac_steps.h - the two directions of DAC as lists of steps: what each is, and how long and how late its output is.
 *
 *   encoder   in k7 - [unit 1, unit 3, unit 9, snake, down /r] ... - snake - out k3
 *   decoder   in k7 - [snake, up xr, unit 1, unit 3, unit 9] ... - snake - out k7 - tanh
 *   unit d    x + pointwise(snake(conv k7 dilation d (snake x)))
 *
 * Counting, checking, registering, lengths, lags and running all walk over these lists (audio.md 2.1, 2.2).
 *
 * On a stream every layer is run as a causal one, which only delays its output. Column c of a layer's chunks holds sample
 * c - lag of its signal (DacCourse). Three things follow:
 *   - columns before sample 0 and from the signal's length on are not zero by themselves, because of the bias: they are made
 *     zero after each layer, which is what zero padding of the next layer means, and what a transposed convolution without
 *     padding finds at its edges;
 *   - a residual connection waits as long as the layers beside it;
 *   - a stride needs a lag that it divides: the layer looks back a few samples more than it must.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_DAC_STEPS_H
#define RESIDUA_DAC_STEPS_H

#include "models/dac.h"
#include "models/layers.h"

typedef enum DacStepKind { DAC_CONV, DAC_CONV_TRANSPOSE, DAC_SNAKE, DAC_UNIT, DAC_TANH } DacStepKind;

/* One step from a signal to the next. */
typedef struct DacStep {
    DacStepKind kind;
    ConvLayer conv;              /* DAC_CONV, DAC_CONV_TRANSPOSE, and the wide one of DAC_UNIT */
    SnakeLayer snake;            /* DAC_SNAKE, and the first of DAC_UNIT */
    SnakeLayer inner_snake;      /* DAC_UNIT */
    ConvLayer pointwise;         /* DAC_UNIT */
} DacStep;

#define DAC_MAX_STEPS (4 + DAC_MAX_STAGES * (2 + DAC_UNITS))

typedef struct DacDirection {
    DacStep steps[DAC_MAX_STEPS];
    int n_steps;
} DacDirection;

/* Layers without weights, named as dac_create registers them. cfg: checked by dac_check_config, but for its size. */
void dac_describe(DacDirection *encoder, DacDirection *decoder, const DacConfig *cfg);

/* Samples of its input that one output of a layer meets: (k - 1) dilation + 1. */
int64_t dac_span(const ConvLayer *layer);
/* Samples after a direction, of n before it; 0 where the network needs more. */
int64_t dac_direction_len(const DacDirection *direction, int64_t n, DacPadding padding);

/* Where a chunk of a signal stands: column c of all chunks holds sample c - lag. Whole signals have lag 0. */
typedef struct DacCourse {
    int64_t first;  /* columns before this chunk */
    int64_t lag;
    int64_t length; /* samples of the signal; STREAM_UNKNOWN_LENGTH */
} DacCourse;

/* What a strided layer looks back more than span - stride samples, so that the lag behind it comes out whole. */
int64_t dac_extra_delay(const ConvLayer *layer, int64_t lag, DacPadding padding);
/* From before a step to behind it. */
void dac_advance(DacCourse *course, const DacStep *step, DacPadding padding);

#endif
