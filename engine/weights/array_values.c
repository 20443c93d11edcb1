/* array_values.c - conversion to float, refusing what no weight may be.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/weights/array_values.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "engine/base/bytes.h"
#include "engine/weights/half.h"

static float load_value(Dtype dtype, const uint8_t *at)
{
    float f32;
    double f64;

    switch (dtype) {
    case DTYPE_F16:
        return half_to_float(get_u16le(at));
    case DTYPE_BF16:
        return bfloat_to_float(get_u16le(at));
    case DTYPE_F64:
        memcpy(&f64, at, sizeof f64);
        return (float)f64;
    default:
        memcpy(&f32, at, sizeof f32);
        return f32;
    }
}

RsdStatus array_read_f32(const char *place, const SafetensorsEntry *entry, float *dst, int64_t count, RsdError *err)
{
    const Dtype dtype = entry->dtype;
    const size_t item_size = dtype_size(dtype);
    const uint8_t *at = entry->data;
    char shape[SHAPE_TEXT_SIZE];
    RsdStatus status = RSD_OK;

    CHECK(dtype == DTYPE_F32 || dtype == DTYPE_F16 || dtype == DTYPE_BF16 || dtype == DTYPE_F64, err,
          RSD_ERR_UNSUPPORTED, "%s: tensor '%s' holds %s; floating-point numbers are needed", place, entry->name,
          dtype_name(dtype));
    CHECK(count >= 0 && (size_t)count == entry->size / item_size, err, RSD_ERR_ARG,
          "%s: tensor '%s' has shape %s; %" PRId64 " values are needed", place, entry->name,
          shape_text(shape, entry->n_dims, entry->shape), count);
    if (dtype == DTYPE_F16 && half_array_to_float(dst, at, (size_t)count))
        return RSD_OK; /* the way of the built-in models; otherwise the loop below finds the value to name */
    for (int64_t i = 0; i < count; i++, at += item_size) {
        dst[i] = load_value(dtype, at);
        CHECK(isfinite(dst[i]), err, RSD_ERR_NUMERIC, "%s: tensor '%s': value %" PRId64 " is %g", place, entry->name, i,
              (double)dst[i]);
    }
fail:
    return status;
}
