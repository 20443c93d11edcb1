/* picture_kinds.c - textures by k-means.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trainer/picture_kinds.h"

#include <math.h>

#define SCALE 16.0f /* latents of a faint texture are near 0.05 */

RsdStatus picture_kinds_create(Rvq **kinds, int n_kinds, int latent_channels, ParamSet *params, RsdError *err)
{
    const RvqConfig config = {.n_q = 1, .codebook_size = n_kinds, .dim = latent_channels, .ema_decay = 0.99f};
    RsdStatus status = rvq_create(kinds, &config, params, err);

    return status == RSD_OK ? status : error_prefix(err, status, "adversary.patch_kinds");
}

RsdStatus picture_kinds_describe(Tape *tape, const Tensor *y, Tensor **z, RsdError *err)
{
    const int64_t shape[3] = {y->shape[0], y->shape[1], y->shape[2] * y->shape[3]};
    RsdStatus status = tape_tensor(tape, z, 3, shape, err);

    for (int64_t i = 0; status == RSD_OK && i < tensor_count(y); i++)
        (*z)->data[i] = log1pf(SCALE * fabsf(y->data[i]));
    return status;
}

RsdStatus picture_kinds_find(Tape *tape, Rvq *kinds, const Tensor *y, const uint16_t **found, RsdError *err)
{
    const int64_t n = y->shape[0] * y->shape[2] * y->shape[3];
    uint16_t *codes;
    Tensor *z;
    RsdStatus status = RSD_OK;

    TRY(picture_kinds_describe(tape, y, &z, err));
    TRY(arena_alloc(tape->arena, &codes, (size_t)n, sizeof *codes, err));
    TRY(rvq_encode(tape, kinds, z, 1, codes, err));
    for (int64_t i = 0; i < n; i++)
        codes[i]++; /* 0 stands for generated */
    *found = codes;
fail:
    return status;
}
