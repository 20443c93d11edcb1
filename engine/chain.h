/* chain.h - a chain of blocks that keeps the blocks' inputs alone and computes the rest anew when gradients come back
 * (gradient checkpointing).
 *
 *   x --block 0--> h1 --block 1--> h2 --block 2--> y     forward: h1, h2 and y are kept, what is inside a block is not
 *                                   dh2 <--block 2-- dy  backward: block by block, each run again from its input, recorded this time,
 *                                                        replayed, and forgotten
 *
 * Memory is that of the inputs and of one block instead of all blocks; each block is run once more, about a third of a step's time.
 * With CHAIN_F32 gradients have the bits that they have without it. With CHAIN_BF16 inputs of all blocks but the first are kept, and
 * used, in 16 bits (bfloat16): half the memory again; forward and backward see the same rounded numbers. bfloat16 has the range of
 * float32 and gradients stay in float32, so that no scaling of the loss is needed; weights stay float32, too.
 *
 * [1] Chen et al., Training Deep Nets with Sublinear Memory Cost, 2016.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CHAIN_H
#define RESIDUA_CHAIN_H

#include "engine/tape.h"

/* x is not kept by others and may be overwritten when nothing records. Besides x, a block may read parameters (tensors with their own
 * gradients) and constants, and nothing else that needs a gradient; run twice it must give the same bits. */
typedef RsdStatus (*ChainRun)(Tape *tape, const void *ctx, Tensor *x, Tensor **y, RsdError *err);
typedef struct ChainBlock {
    ChainRun run;
    const void *ctx; /* borrowed until the tape is reset */
} ChainBlock;

#define CHAIN_MAX_BLOCKS 32

/* y = the blocks one after the other. blocks [n] are copied. Without recording, with tape->chain = CHAIN_ALL, or when x needs no
 * gradient, it just calls them. Errors: those of the blocks, RSD_ERR_MEMORY. */
RsdStatus chain_run(Tape *tape, const ChainBlock *blocks, int n, Tensor *x, Tensor **y, RsdError *err);

#endif
