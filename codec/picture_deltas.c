/* picture_deltas.c - see picture_deltas.h.
 *
 *   version 1 | gain: n, bits, shift | bias: n, bits, shift | values of gain, then of bias, packed
 *
 * SPDX-License-Identifier: MIT
 */
#include "codec/picture_deltas.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codec/bitpack.h"
#include "codec/residua.h"

#define VERSION 1
#define HEAD_SIZE 7
#define LARGEST 127

bool picture_deltas_are_none(const PictureDeltas *deltas)
{
    return deltas->gain.bits == 0 && deltas->bias.bits == 0;
}

void delta_vector_round(DeltaVector *vector, const float *exact, int n, int shift)
{
    *vector = (DeltaVector){.n = n, .shift = shift};
    for (int i = 0; i < n; i++) {
        const float v = exact[i] * (float)(1 << shift);

        vector->value[i] = (int8_t)lrintf(v > -LARGEST ? v < LARGEST ? v : LARGEST : v <= -LARGEST ? -LARGEST : 0.0f);
        while (vector->value[i] != 0 && abs(vector->value[i]) >= 1 << (vector->bits > 0 ? vector->bits - 1 : 0))
            vector->bits++;
    }
}

/* --- bytes ---------------------------------------------------------------------------------------------------------- */

static size_t packed_size(const PictureDeltas *deltas)
{
    return ((size_t)(deltas->gain.n * deltas->gain.bits + deltas->bias.n * deltas->bias.bits) + 7) / 8;
}

static void put_head(const DeltaVector *vector, uint8_t *dst)
{
    dst[0] = (uint8_t)vector->n;
    dst[1] = (uint8_t)vector->bits;
    dst[2] = (uint8_t)vector->shift;
}

/* Values stand above the lowest one that their bits can hold. */
static int offset_of(const DeltaVector *vector)
{
    return 1 << (vector->bits - 1);
}

static void put_values(const DeltaVector *vector, BitWriter *writer)
{
    for (int i = 0; i < vector->n && vector->bits > 0; i++)
        bit_writer_put(writer, (uint32_t)(vector->value[i] + offset_of(vector)), vector->bits);
}

size_t picture_deltas_write(const PictureDeltas *deltas, uint8_t *dst)
{
    BitWriter writer;

    dst[0] = VERSION;
    put_head(&deltas->gain, dst + 1);
    put_head(&deltas->bias, dst + 4);
    bit_writer_init(&writer, dst + HEAD_SIZE);
    put_values(&deltas->gain, &writer);
    put_values(&deltas->bias, &writer);
    return (size_t)(bit_writer_finish(&writer) - dst);
}

static RsdStatus get_head(DeltaVector *vector, const uint8_t *data, const char *name, RsdError *err)
{
    RsdStatus status = RSD_OK;

    *vector = (DeltaVector){.n = data[0], .bits = data[1], .shift = data[2]};
    CHECK(vector->bits <= DELTAS_MAX_BITS && vector->shift >= DELTAS_MIN_SHIFT && vector->shift <= DELTAS_MAX_SHIFT, err,
          RSD_ERR_CORRUPT, "header: changes of the %s have %d bits, shifted by %d; up to %d bits and %d to %d are possible", name,
          vector->bits, vector->shift, DELTAS_MAX_BITS, DELTAS_MIN_SHIFT, DELTAS_MAX_SHIFT);
fail:
    return status;
}

static void get_values(DeltaVector *vector, BitReader *reader)
{
    for (int i = 0; i < vector->n && vector->bits > 0; i++)
        vector->value[i] = (int8_t)((int)bit_reader_get(reader, vector->bits) - offset_of(vector));
}

RsdStatus picture_deltas_parse(PictureDeltas *deltas, const uint8_t *data, size_t size, RsdError *err)
{
    BitReader reader;
    RsdStatus status = RSD_OK;

    *deltas = (PictureDeltas){.gain.n = 0};
    CHECK(size >= 1 && data[0] == VERSION, err, RSD_ERR_UNSUPPORTED,
          "header: changes of the synthesis of version %d; residua %s knows version %d", size ? data[0] : 0, RSD_VERSION, VERSION);
    CHECK(size >= HEAD_SIZE, err, RSD_ERR_CORRUPT, "header: changes of the synthesis end after %zu bytes", size);
    TRY(get_head(&deltas->gain, data + 1, "features", err));
    TRY(get_head(&deltas->bias, data + 4, "biases", err));
    CHECK(size == HEAD_SIZE + packed_size(deltas), err, RSD_ERR_CORRUPT, "header: changes of the synthesis take %zu bytes, expected %zu",
          size, HEAD_SIZE + packed_size(deltas));
    CHECK(!picture_deltas_are_none(deltas), err, RSD_ERR_CORRUPT, "header: changes of the synthesis that change nothing");
    bit_reader_init(&reader, data + HEAD_SIZE, size - HEAD_SIZE);
    get_values(&deltas->gain, &reader);
    get_values(&deltas->bias, &reader);
fail:
    return status;
}

/* --- use ------------------------------------------------------------------------------------------------------------ */

RsdStatus picture_deltas_check(const PictureDeltas *deltas, const ImageCodecConfig *config, RsdError *err)
{
    RsdStatus status = RSD_OK;

    CHECK(deltas->gain.bits == 0 || deltas->gain.n == config->widths[0], err, RSD_ERR_CORRUPT,
          "header: changes of %d features; model %s has %d", deltas->gain.n, config->name, config->widths[0]);
    CHECK(deltas->bias.bits == 0 || deltas->bias.n == IMAGE_LAST_OUTPUTS, err, RSD_ERR_CORRUPT,
          "header: changes of %d biases; models have %d", deltas->bias.n, IMAGE_LAST_OUTPUTS);
fail:
    return status;
}
