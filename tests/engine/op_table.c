/* op_table.c - iteration over the rows and the inputs of a row.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/engine/op_table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/rng.h"

static const OpRow *const groups[] = {op_rows_point, op_rows_shape, op_rows_layer, op_rows_spectrum, op_rows_conv,
                                      op_rows_picture, op_rows_image, op_rows_latent};

const OpRow *op_table_row(size_t i)
{
    for (size_t g = 0; g < sizeof groups / sizeof groups[0]; g++)
        for (const OpRow *row = groups[g]; row->name; row++)
            if (i-- == 0)
                return row;
    return NULL;
}

bool op_row_is_timed(const OpRow *row)
{
    return row->in[0].bench[0] != 0;
}

RsdStatus op_row_inputs(Tape *tape, const OpRow *row, bool bench, uint64_t seed, Tensor **in, RsdError *err)
{
    for (int k = 0; k < row->n_inputs; k++) {
        const OpInput *spec = &row->in[k];
        Rng rng = rng_at(seed, RNG_TEST, 0, (uint32_t)k);
        RsdStatus status = tape_tensor(tape, &in[k], spec->n_dims, bench ? spec->bench : spec->shape, err);

        if (status != RSD_OK)
            return status;
        for (int64_t i = 0; i < tensor_count(in[k]); i++)
            in[k]->data[i] = rng_between(&rng, spec->low, spec->high);
        in[k]->needs_grad = !spec->constant;
    }
    return RSD_OK;
}

double *op_array_shape(OpArray *y, int n_dims, const int64_t *shape)
{
    free(y->data);
    y->n_dims = n_dims;
    memcpy(y->shape, shape, (size_t)n_dims * sizeof *shape);
    y->count = 1;
    for (int i = 0; i < n_dims; i++)
        y->count *= shape[i];
    y->data = calloc((size_t)y->count + 1, sizeof *y->data);
    assert(y->data);
    return y->data;
}

double *op_array_like(OpArray *y, const OpArray *x)
{
    return op_array_shape(y, x->n_dims, x->shape);
}
