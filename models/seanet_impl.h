/* seanet_impl.h - the layers of a Seanet, for the files that build it and that run it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_SEANET_IMPL_H
#define RESIDUA_SEANET_IMPL_H

#include "models/layers.h"
#include "models/seanet.h"

typedef struct ResidualUnit {
    ConvLayer conv, pointwise, shortcut;
} ResidualUnit;

typedef struct Stage {
    ConvLayer resample; /* "down" or "up" */
    ResidualUnit units[SEANET_MAX_UNITS];
} Stage;

typedef struct Direction {
    ConvLayer in, out;
    LstmLayer lstm;
    Stage stages[SEANET_MAX_STAGES];
} Direction;

struct Seanet {
    SeanetConfig config;
    Direction encoder, decoder;
    RsdThreads *threads;
    Tape *frozen; /* its arena holds the folded weights; NULL until seanet_freeze */
};

#endif
