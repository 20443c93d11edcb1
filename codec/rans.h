/* rans.h - entropy coding of integers whose distributions both sides know: arrays of values and of table numbers.
 *
 * docs/format.md, "Entropy-coded symbols", has the bits. A stream is coded in runs: the decoder must have had run r before
 * it can know the tables of run r + 1. Runs, their lengths and tables are not in the stream.
 *
 *   encoder:  put run, put run, ..., finish          decoder:  open, get run, get run, ..., finish
 *
 * An encoder or decoder belongs to one thread; tables may be shared.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_RANS_H
#define RESIDUA_RANS_H

#include <stddef.h>
#include <stdint.h>

#include "codec/cdf.h"
#include "engine/kernels/rans.h"

#define RANS_MAX_TABLES 256
#define RANS_MAX_VALUE 32767 /* values are -32767 .. 32767 */

/* Up to here our writers take one lane: eight cost 28 bytes more, one lane eight times the work. */
#define RANS_ONE_LANE_MAX_SIZE 2048 /* bytes */
#define RANS_ONE_LANE_MAX_SYMBOLS 65536

typedef struct RansTables RansTables;

/* Copies tables [n_tables]; a stream names them by their place. Errors: RSD_ERR_CORRUPT (cdf_check, or more than 65535
 * symbols together), RSD_ERR_MEMORY. */
RsdStatus rans_tables_create(RansTables **out, const CdfTable *tables, int n_tables, RsdError *err);
void rans_tables_destroy(RansTables **tables);
/* True when elements of this table are not coded. */
bool rans_table_skips(const RansTables *tables, int table);

/* What a stream carries for free: 16 bits for each lane. All 0 if there is nothing better; a checksum is. */
typedef struct RansRider {
    uint16_t lane[RANS_LANES];
} RansRider;

typedef struct RansEncoder RansEncoder;

/* n_lanes is 8, or 1 for streams of a few symbols: 28 bytes shorter (of which a rider gives back half), and slower. `tables`
 * and `kernels` are kept. Errors: RSD_ERR_MEMORY. */
RsdStatus rans_encoder_create(RansEncoder **out, const RansTables *tables, int n_lanes, const RansKernels *kernels,
                              RsdError *err);
void rans_encoder_destroy(RansEncoder **encoder);

/* Adds a run: value [n] by the tables table [n]. Errors: RSD_ERR_ARG (a table that does not exist, the value
 * -32768, or one other than `lowest` by a table that skips), RSD_ERR_MEMORY; after an error the stream is begun anew by
 * rans_encoder_reset. */
RsdStatus rans_encoder_put(RansEncoder *encoder, const uint8_t *table, const int16_t *value, size_t n, RsdError *err);

/* Gives the stream, valid until the next call, and makes ready for another. rider: n_lanes are used; NULL for zeros.
 * Errors: RSD_ERR_MEMORY. */
RsdStatus rans_encoder_finish(RansEncoder *encoder, const RansRider *rider, const uint8_t **data, size_t *size,
                              RsdError *err);
void rans_encoder_reset(RansEncoder *encoder);

/* No allocation. Nothing is read outside `data`, whatever its bytes. */
typedef struct RansDecoder {
    const RansTables *tables;
    const RansKernels *kernels;
    int n_lanes;
    uint32_t state[RANS_LANES];
    const uint8_t *words; /* next word, going up */
    const uint8_t *start, *end;
    const uint8_t *escapes; /* end of the escape bytes not yet read, going down */
    uint32_t bits;
    int n_bits;
} RansDecoder;

/* data [size], tables and kernels are kept. Errors: RSD_ERR_CORRUPT. */
RsdStatus rans_decoder_open(RansDecoder *decoder, const RansTables *tables, int n_lanes, const RansKernels *kernels,
                            const uint8_t *data, size_t size, RsdError *err);
/* Gets value [n] by the tables table [n]. Errors: RSD_ERR_ARG (a table that does not exist), RSD_ERR_CORRUPT; the values
 * are then undefined, and the decoder must be opened again. */
RsdStatus rans_decoder_get(RansDecoder *decoder, const uint8_t *table, int16_t *value, size_t n, RsdError *err);
/* The same for a stream of which the end is missing: gets as many values as its words tell, and returns how many. Those behind them stay as
 * they were, and so do escaped ones, whose bits stood at the end: *n_escaped tells how many. From a table that does not exist on nothing is
 * got. */
size_t rans_decoder_get_part(RansDecoder *decoder, const uint8_t *table, int16_t *value, size_t n, size_t *n_escaped);
/* Checks that the stream is used up exactly. rider: [n_lanes] are written; with NULL they must be 0. Errors: RSD_ERR_CORRUPT. */
RsdStatus rans_decoder_finish(RansDecoder *decoder, RansRider *rider, RsdError *err);

#endif
