/* integer_net.c - see integer_net.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "models/integer_net.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/ops/activation.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/quantise.h"

#define INTEGER_NET_ARRAYS 4 /* of a layer in a file */

/* ---- in float ---- */

/* The limits hold whether rounded or not, or training would grow activations that the integer form cuts off. The ReLU is one of its own,
 * whose gradient is 0 below 0: as the lower bound it would let gradients through that lead back. */
RsdStatus integer_net_settle(Tape *tape, IntegerForm form, Tensor *x, Tensor **y, RsdError *err)
{
    RsdStatus status = RSD_OK;

    *y = x;
    if (form.relu)
        TRY(op_relu(tape, x, y, err));
    if (form.rounded)
        TRY(op_snap(tape, *y, INTEGER_UNIT, -INTEGER_LIMIT, INTEGER_LIMIT, y, err));
    else
        TRY(op_bound(tape, *y, -INTEGER_LIMIT, INTEGER_LIMIT, y, err));
fail:
    return status;
}

RsdStatus integer_net_weight(Tape *tape, const Conv2dLayer *layer, IntegerForm form, Tensor **w, RsdError *err)
{
    RsdStatus status;

    *w = layer->weight;
    if (!form.rounded || form.exact)
        return RSD_OK;
    status = op_quantise_weights(tape, layer->weight, w, err);
    return status == RSD_OK ? RSD_OK : error_prefix(err, status, "%s", layer->name);
}

RsdStatus integer_net_run(Tape *tape, const Conv2dLayer *layer, IntegerForm form, Tensor *x, Tensor **y, RsdError *err)
{
    Tensor *w;
    RsdStatus status = RSD_OK;

    TRY(integer_net_weight(tape, layer, form, &w, err));
    TRY(conv2d_with(tape, layer, w, x, y, err));
    TRY(integer_net_settle(tape, form, *y, y, err));
fail:
    return status;
}

RsdStatus integer_net_add(Tape *tape, Tensor *x, Tensor *h, Tensor **y, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(op_add(tape, x, h, y, err));
    TRY(op_bound(tape, *y, -INTEGER_LIMIT, INTEGER_LIMIT, y, err));
fail:
    return status;
}

/* ---- from float, and back ---- */

IntegerLayer integer_net_sizes(const Conv2dLayer *layer, bool relu)
{
    return (IntegerLayer){.n_out = layer->c_out,
                          .n_in = layer->depthwise ? layer->kernel * layer->kernel : layer->c_in,
                          .low = relu ? 0 : -INTEGER_MAX};
}

RsdStatus integer_net_make(IntegerLayer *made, const Conv2dLayer *layer, bool relu, Arena *arena, RsdError *err)
{
    IntegerLayer to = integer_net_sizes(layer, relu);
    int8_t *weight;
    int16_t *mult;
    int32_t *bias;
    RsdStatus status = RSD_OK;

    TRY(arena_alloc(arena, &weight, (size_t)(to.n_out * to.n_in), sizeof *weight, err));
    TRY(arena_alloc(arena, &mult, (size_t)to.n_out, sizeof *mult, err));
    TRY(arena_alloc(arena, &bias, (size_t)to.n_out, sizeof *bias, err));
    CHECK(integer_scales(layer->weight->data, to.n_out, to.n_in, mult, &to.shift), err, RSD_ERR_NUMERIC,
          "%s: weights are not finite, or too large for 8 bits", layer->name);
    for (int64_t o = 0; o < to.n_out; o++) {
        const double b = round(ldexp((double)layer->bias->data[o] * INTEGER_UNIT, to.shift) / mult[o]);

        CHECK(fabs(b) <= INT32_MAX, err, RSD_ERR_NUMERIC, "%s: the bias %g of output %lld is too large", layer->name,
              (double)layer->bias->data[o], (long long)o);
        bias[o] = (int32_t)b;
        for (int64_t i = o * to.n_in; i < (o + 1) * to.n_in; i++)
            weight[i] = integer_weight(layer->weight->data[i], mult[o], to.shift);
    }
    to.weight = weight;
    to.mult = mult;
    to.bias = bias;
    CHECK(integer_layer_fits(&to), err, RSD_ERR_NUMERIC, "%s: sums of the integer form would overflow", layer->name);
    *made = to;
fail:
    return status;
}

void integer_net_to_float(const IntegerLayer *from, Conv2dLayer *to)
{
    for (int64_t o = 0; o < from->n_out; o++) {
        const double scale = ldexp((double)from->mult[o], -from->shift);

        to->bias->data[o] = (float)(from->bias[o] * scale / INTEGER_UNIT);
        for (int64_t i = o * from->n_in; i < (o + 1) * from->n_in; i++)
            to->weight->data[i] = (float)(from->weight[i] * scale);
    }
}

RsdStatus integer_table_make(const int16_t **made, const char *name, const Tensor *table, Arena *arena, RsdError *err)
{
    const int64_t n = tensor_count(table);
    int16_t *to;
    RsdStatus status = RSD_OK;

    TRY(arena_alloc(arena, &to, (size_t)n, sizeof *to, err));
    for (int64_t i = 0; i < n; i++) {
        const double v = round((double)table->data[i] * INTEGER_UNIT);

        CHECK(fabs(v) <= INTEGER_MAX, err, RSD_ERR_NUMERIC, "%s: %g is too large", name, (double)table->data[i]);
        to[i] = (int16_t)v;
    }
    *made = to;
fail:
    return status;
}

RsdStatus integer_table_check(const char *name, const int16_t *table, int64_t n, RsdError *err)
{
    RsdStatus status = RSD_OK;

    for (int64_t i = 0; i < n; i++)
        CHECK(table[i] >= -INTEGER_MAX && table[i] <= INTEGER_MAX, err, RSD_ERR_CORRUPT, "%s: %d, expected -%d to %d", name, table[i],
              INTEGER_MAX, INTEGER_MAX);
fail:
    return status;
}

/* ---- files ---- */

IntegerArray integer_array(const char *prefix, const char *suffix, Dtype dtype, int n_dims, int64_t rows, int64_t columns,
                      const void *data)
{
    IntegerArray array = {.dtype = dtype, .n_dims = n_dims, .shape = {rows, columns}, .data = (void *)(uintptr_t)data};

    snprintf(array.name, sizeof array.name, "%s%s", prefix, suffix);
    return array;
}

/* Swaps the bytes of numbers in files, which are little-endian, on machines that are not. */
static void to_file_order(void *data, size_t size, int64_t n)
{
    const uint16_t probe = 1;
    unsigned char *bytes = data;

    if (*(const unsigned char *)&probe == 1 || size == 1)
        return;
    for (int64_t i = 0; i < n; i++, bytes += size)
        for (size_t k = 0; k < size / 2; k++) {
            const unsigned char byte = bytes[k];

            bytes[k] = bytes[size - 1 - k];
            bytes[size - 1 - k] = byte;
        }
}

static int64_t count_of(const IntegerArray *array)
{
    return array->shape[0] * (array->n_dims == 2 ? array->shape[1] : 1);
}

RsdStatus integer_array_write(const IntegerArray *array, Arena *arena, SafetensorsWriter *writer, RsdError *err)
{
    const size_t size = dtype_size(array->dtype), n = (size_t)count_of(array);
    void *copy;
    RsdStatus status = RSD_OK;

    TRY(arena_alloc(arena, &copy, n, size, err));
    memcpy(copy, array->data, n * size);
    to_file_order(copy, size, (int64_t)n);
    TRY(safetensors_writer_raw(writer, array->name, array->dtype, array->n_dims, array->shape, copy, err));
fail:
    return status;
}

/* Finds an array in the file and copies it. */
RsdStatus integer_array_read(IntegerArray *array, const Safetensors *st, Arena *arena, RsdError *err)
{
    const SafetensorsEntry *entry = safetensors_find(st, array->name);
    const size_t n = (size_t)count_of(array), size = dtype_size(array->dtype);
    char found[SHAPE_TEXT_SIZE], expected[SHAPE_TEXT_SIZE];
    RsdStatus status = RSD_OK;

    CHECK(entry, err, RSD_ERR_CORRUPT, "%s is missing", array->name);
    CHECK(entry->dtype == array->dtype && entry->n_dims == array->n_dims &&
              memcmp(entry->shape, array->shape, (size_t)array->n_dims * sizeof *array->shape) == 0 &&
              entry->size == n * size,
          err, RSD_ERR_CORRUPT, "%s is %s %s, expected %s %s", array->name, dtype_name(entry->dtype),
          shape_text(found, entry->n_dims, entry->shape), dtype_name(array->dtype),
          shape_text(expected, array->n_dims, array->shape));
    TRY(arena_alloc(arena, &array->data, n, size, err));
    memcpy(array->data, entry->data, n * size);
    to_file_order(array->data, size, (int64_t)n);
fail:
    return status;
}

static void list_arrays(IntegerArray list[INTEGER_NET_ARRAYS], const char *name, const IntegerLayer *layer)
{
    list[0] = integer_array(name, ".weight_q", DTYPE_I8, 2, layer->n_out, layer->n_in, layer->weight);
    list[1] = integer_array(name, ".bias_q", DTYPE_I32, 1, layer->n_out, 0, layer->bias);
    list[2] = integer_array(name, ".mult", DTYPE_I16, 1, layer->n_out, 0, layer->mult);
    list[3] = integer_array(name, ".shift", DTYPE_I32, 1, 1, 0, &layer->shift);
}

RsdStatus integer_net_write(const char *name, const IntegerLayer *layer, Arena *arena, SafetensorsWriter *writer, RsdError *err)
{
    IntegerArray list[INTEGER_NET_ARRAYS];
    RsdStatus status = RSD_OK;

    list_arrays(list, name, layer);
    for (int i = 0; i < INTEGER_NET_ARRAYS; i++)
        TRY(integer_array_write(&list[i], arena, writer, err));
fail:
    return status;
}

RsdStatus integer_net_read(const char *name, IntegerLayer *layer, const Safetensors *st, Arena *arena, RsdError *err)
{
    IntegerArray list[INTEGER_NET_ARRAYS];
    RsdStatus status = RSD_OK;

    list_arrays(list, name, layer);
    for (int i = 0; i < INTEGER_NET_ARRAYS; i++)
        TRY(integer_array_read(&list[i], st, arena, err));
    layer->weight = list[0].data;
    layer->bias = list[1].data;
    layer->mult = list[2].data;
    layer->shift = *(const int32_t *)list[3].data;
    CHECK(integer_layer_fits(layer), err, RSD_ERR_CORRUPT,
          "%s: its numbers are not those of an integer layer, or its sums could overflow", name);
fail:
    return status;
}
