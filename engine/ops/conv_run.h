/* conv_run.h - runs convolution kernels over the threads of a tape, and records their gradients: what op_conv1d,
 * op_conv_transpose1d, their like for pictures and op_linear share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_OPS_CONV_RUN_H
#define RESIDUA_OPS_CONV_RUN_H

#include "engine/base/scratch_file.h"
#include "engine/kernels/conv.h"
#include "engine/tape.h"

typedef enum ConvKind { CONV_GATHER, CONV_SCATTER } ConvKind;

/* The modes of pad.h as conv.h knows them. */
extern const ConvPadMode conv_pad_modes[];

typedef struct ConvCall {
    ConvKind kind;
    ConvShape shape;      /* of the kernel; for a padded input n_fine counts the padding */
    int n_axes;           /* of y after batch and channels, and their lengths */
    int64_t axes[2];
    bool elu;             /* on the input */
    const ConvPad2d *pad; /* NULL when zero padding is all there is; gather only, borrowed during the call */
    float *context;       /* of a stream, NULL without */
    Tensor *x, *w, *b;    /* b may be NULL */
    Tensor *onto;         /* NULL, or what y is added to, in its place; then nothing may record */
    Tensor *into;         /* NULL, or where y goes: a tensor of its shape that nothing has read */
    bool relu;            /* on y, which then is all that is kept; not with onto */
} ConvCall;

/* Computes the tensor y [batch, channels, axes...] and records the node. Errors: RSD_ERR_MEMORY; RSD_ERR_IO when the weight waits
 * in a file. */
RsdStatus conv_call(Tape *tape, const ConvCall *call, Tensor **y, RsdError *err);

/* Packs the weight once for the kernels of the tape, into memory of its arena; conv_call uses it while nothing is recorded.
 * shape: of any call with this weight. Errors: RSD_ERR_MEMORY. */
RsdStatus conv_prepare(Tape *tape, ConvKind kind, const ConvShape *shape, Tensor *w, RsdError *err);
/* Right after it, `before` being the arena's mark in front of it: when all numbers of the weight are IEEE binary16, as in a file
 * that stores them so, what was packed is kept so too: half the memory, and the same bits of every result.
 * Errors: RSD_ERR_MEMORY. */
RsdStatus conv_prepare_halves(Tape *tape, Tensor *w, ArenaMark before, RsdError *err);
/* Whether conv_prepare_halves would keep it so. */
bool conv_holds_halves(const Tape *tape, const Tensor *w);
/* Instead of conv_prepare, for a weight too large to stay in memory: what was packed waits in `file`, some output channels in
 * each part, and conv_call maps one part after the other. The same bits of every result. file must live as long as w is used.
 * Leaves w unprepared when the kernels pack nothing or it has several groups. Errors: RSD_ERR_MEMORY, RSD_ERR_IO; then w is
 * unprepared, too. */
RsdStatus conv_prepare_aside(Tape *tape, ConvKind kind, const ConvShape *shape, Tensor *w, ScratchFile *file, RsdError *err);
/* For ops that make a few lines at a time, inside their tasks: a dense convolution with an odd square kernel and a prepared weight. */
typedef struct ConvPart {
    const ConvKernels *kernels;
    const Tensor *w, *b;
    int64_t c_in, c_out, k;
} ConvPart;
/* False when the tape records, or w is not prepared for its kernels. */
bool conv_part_begin(ConvPart *part, const Tape *tape, const Tensor *w, const Tensor *b);
/* x [c_in, lines + k - 1, n] with the lines above and below, zeros to the left and right -> y [c_out, lines, n]. scratch: bytes aligned to
 * MEM_ALIGN, as many as conv_part_scratch says for these lines. */
size_t conv_part_scratch(const ConvPart *part, int64_t lines, int64_t n);
void conv_part_run(const ConvPart *part, const float *x, int64_t lines, int64_t n, float *y, void *scratch);
/* Whether what was packed takes the place of w's own numbers, so that those may go; kernels that pack nothing read them. */
bool conv_is_packed(const Tensor *w);

#endif
