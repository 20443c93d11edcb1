/* strips.h - a part of a causal network that takes a chunk of a stream strip by strip.
 *
 * Where signals are long and channels few, what goes from layer to layer is larger than the cache and has to come back from far
 * away. A strip goes through all layers of the part before the next one begins, in the same memory each time:
 *
 *   x  |strip 0|strip 1|strip 2|      in time each layer sees what it would see of chunks as long as a strip;
 *         v       v       v           its slot of the stream carries its memory from strip to strip
 *   y  |       |       |       |
 *
 * The bits are those of the chunk in one piece, as they are for chunks of any length.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_STRIPS_H
#define RESIDUA_STRIPS_H

#include "engine/chain.h"

typedef struct Strips {
    ChainRun run;     /* [batch, c, n] -> [batch, channels, ...] */
    const void *ctx;
    int64_t len;      /* samples of x in a strip; a chunk of this length must be allowed anywhere in the stream */
    int64_t channels; /* of y */
    int64_t up, down; /* samples of y for as many samples of x: n up / down, rounded up at the end of the stream */
} Strips;

/* y = run(x). In one piece without a stream, when the tape records, or when x is no longer than a strip.
 * Errors: those of run, RSD_ERR_MEMORY. */
RsdStatus strips_run(Tape *tape, const Strips *strips, Tensor *x, Tensor **y, RsdError *err);

#endif
