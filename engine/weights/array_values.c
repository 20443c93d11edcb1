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

static RsdStatus check_dtype(const char *place, const SafetensorsEntry *entry, RsdError *err)
{
    const Dtype dtype = entry->dtype;
    RsdStatus status = RSD_OK;

    CHECK(dtype == DTYPE_F32 || dtype == DTYPE_F16 || dtype == DTYPE_BF16 || dtype == DTYPE_F64, err,
          RSD_ERR_UNSUPPORTED, "%s: tensor '%s' holds %s; floating-point numbers are needed", place, entry->name,
          dtype_name(dtype));
fail:
    return status;
}

static RsdStatus check_value(const char *place, const SafetensorsEntry *entry, int64_t i, float value, RsdError *err)
{
    return isfinite(value) ? RSD_OK
                           : error_set(err, RSD_ERR_NUMERIC, "%s: tensor '%s': value %" PRId64 " is %g", place, entry->name, i,
                                       (double)value);
}

RsdStatus array_read_f32(const char *place, const SafetensorsEntry *entry, float *dst, int64_t count, RsdError *err)
{
    const Dtype dtype = entry->dtype;
    const size_t item_size = dtype_size(dtype);
    const uint8_t *at = entry->data;
    char shape[SHAPE_TEXT_SIZE];
    RsdStatus status = RSD_OK;

    TRY(check_dtype(place, entry, err));
    CHECK(count >= 0 && (size_t)count == entry->size / item_size, err, RSD_ERR_ARG,
          "%s: tensor '%s' has shape %s; %" PRId64 " values are needed", place, entry->name,
          shape_text(shape, entry->n_dims, entry->shape), count);
    if (dtype == DTYPE_F16 && half_array_to_float(dst, at, (size_t)count))
        return RSD_OK; /* the way of the built-in models; otherwise the loop below finds the value to name */
    for (int64_t i = 0; i < count; i++, at += item_size) {
        dst[i] = load_value(dtype, at);
        TRY(check_value(place, entry, i, dst[i], err));
    }
fail:
    return status;
}

/* Whether all exponents are those of numbers: without a branch, so that a large model costs little. False for F64, too, of which
 * numbers may be too large for a float: then values are looked at one by one. */
static bool is_finite_by_bits(const SafetensorsEntry *entry)
{
    const uint32_t f32 = 0x7f800000;
    const uint16_t f16 = entry->dtype == DTYPE_F16 ? 0x7c00 : 0x7f80;
    const uint8_t *at = entry->data;
    uint32_t n_infinite = 0, bits;
    uint16_t half;

    switch (entry->dtype) {
    case DTYPE_F32:
        for (size_t i = 0; i < entry->size; i += sizeof bits) {
            memcpy(&bits, at + i, sizeof bits);
            n_infinite += (bits & f32) == f32;
        }
        return n_infinite == 0;
    case DTYPE_F16:
    case DTYPE_BF16:
        for (size_t i = 0; i < entry->size; i += sizeof half) {
            memcpy(&half, at + i, sizeof half);
            n_infinite += (half & f16) == f16;
        }
        return n_infinite == 0;
    default:
        return false;
    }
}

RsdStatus array_check_f32(const char *place, const SafetensorsEntry *entry, RsdError *err)
{
    const size_t item_size = dtype_size(entry->dtype), count = entry->size / item_size;
    const uint8_t *at = entry->data;
    RsdStatus status = RSD_OK;

    TRY(check_dtype(place, entry, err));
    if (is_finite_by_bits(entry))
        return RSD_OK;
    for (size_t i = 0; i < count; i++)
        TRY(check_value(place, entry, (int64_t)i, load_value(entry->dtype, at + i * item_size), err));
fail:
    return status;
}
