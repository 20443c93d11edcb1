/* rans.c - values to symbols and back: skipping, escapes, and the two ends of a stream.
 *
 *   | states of the lanes | words, going up ->      <- escape bytes, going down |
 *
 * Escaped values are rare, so they stay out of the lanes: the kernels see plain symbols. The decoder reads both sides towards
 * each other, and they must meet. Symbols of all tables are numbered through; the symbols of a table follow each other, so
 * number = first[table] + value - lowest, and the last of a table is its escape.
 *
 * The encoder keeps the symbols of all runs, since rANS begins with the last one. Runs are filled up to whole groups of
 * lanes with RANS_NOTHING, and so is each group of a stream of one lane.
 *
 * SPDX-License-Identifier: MIT
 */
#include "codec/rans.h"

#include <assert.h>
#include <string.h>

#include "engine/base/bytes.h"
#include "engine/base/mem.h"

#define ESCAPED INT16_MIN /* in place of a value */
#define ESCAPE_MAX_PREFIX 15
#define ESCAPE_MAX_SIZE 4 /* bytes of one escape: 15 + 1 + 15 + 1 bits */
#define BLOCK 512         /* symbols decoded at once, a multiple of RANS_LANES */
#define STATE_SIZE 4

struct RansTables {
    int n_tables;
    RansSlots slots;
    uint16_t *bucket; /* what slots point at */
    uint32_t *entry;
    int16_t *value;                    /* [n_entries] or ESCAPED */
    int32_t first[RANS_MAX_TABLES];    /* entry */
    int32_t n_values[RANS_MAX_TABLES]; /* 0: skipped */
    int16_t lowest[RANS_MAX_TABLES];
    uint8_t is_coded[RANS_MAX_TABLES];
};

struct RansEncoder {
    const RansTables *tables;
    const RansKernels *kernels;
    int n_lanes;
    uint32_t *entries;
    size_t n_entries, max_entries;
    uint8_t *escapes; /* in the order they are read */
    size_t n_escapes, max_escapes;
    uint64_t bits;
    int n_bits;
    uint8_t *out;
    size_t max_out;
};

/* --- tables --- */

static int fill_table(RansTables *t, int i, const CdfTable *cdf, int entry)
{
    uint32_t start = 0;
    int slot = 0;

    t->lowest[i] = cdf->lowest;
    t->n_values[i] = cdf->n_values;
    t->first[i] = entry;
    t->is_coded[i] = cdf->n_values > 0;
    for (int s = 0; s <= cdf->n_values && cdf->n_values > 0; s++, entry++) {
        t->entry[entry] = start | (uint32_t)cdf->freq[s] << 16;
        t->value[entry] = s < cdf->n_values ? (int16_t)(cdf->lowest + s) : ESCAPED;
        start += cdf->freq[s];
        for (; slot << RANS_BUCKET_SHIFT < (int)start; slot++)
            t->bucket[i * RANS_BUCKETS + slot] = (uint16_t)entry;
    }
    return entry;
}

RsdStatus rans_tables_create(RansTables **out, const CdfTable *tables, int n_tables, RsdError *err)
{
    RansTables *t = NULL;
    RsdStatus status = RSD_OK;
    size_t n_entries = 0;
    int entry = 0;

    *out = NULL;
    CHECK(n_tables >= 1 && n_tables <= RANS_MAX_TABLES, err, RSD_ERR_ARG, "%d frequency tables, expected 1 to %d",
          n_tables, RANS_MAX_TABLES);
    for (int i = 0; i < n_tables; i++) {
        status = cdf_check(&tables[i], err);
        if (status != RSD_OK)
            return error_prefix(err, status, "table %d", i);
        n_entries += tables[i].n_values > 0 ? (size_t)tables[i].n_values + 1 : 0;
    }
    CHECK(n_entries <= RANS_MAX_ENTRIES, err, RSD_ERR_CORRUPT,
          "%zu symbols in all frequency tables, at most %d are possible", n_entries, RANS_MAX_ENTRIES);
    TRY(mem_calloc(&t, 1, sizeof *t, err));
    TRY(mem_calloc(&t->bucket, (size_t)n_tables * RANS_BUCKETS + 1, sizeof *t->bucket, err));
    TRY(mem_calloc(&t->entry, n_entries, sizeof *t->entry, err));
    TRY(mem_calloc(&t->value, n_entries, sizeof *t->value, err));
    t->n_tables = n_tables;
    for (int i = 0; i < n_tables; i++)
        entry = fill_table(t, i, &tables[i], entry);
    t->slots = (RansSlots){.bucket = t->bucket, .entry = t->entry};
    *out = t;
    return RSD_OK;
fail:
    rans_tables_destroy(&t);
    return status;
}

void rans_tables_destroy(RansTables **tables)
{
    if (!*tables)
        return;
    mem_free(&(*tables)->bucket);
    mem_free(&(*tables)->entry);
    mem_free(&(*tables)->value);
    mem_free(tables);
}

bool rans_table_skips(const RansTables *tables, int table)
{
    assert(table >= 0 && table < tables->n_tables);
    return !tables->is_coded[table];
}

static RsdStatus check_tables(const RansTables *tables, const uint8_t *table, size_t n, RsdError *err)
{
    RsdStatus status = RSD_OK;
    int largest = 0;

    for (size_t i = 0; i < n; i++)
        largest = table[i] > largest ? table[i] : largest;
    CHECK(largest < tables->n_tables, err, RSD_ERR_ARG, "frequency table %d: there are %d", largest, tables->n_tables);
fail:
    return status;
}

/* --- encoder --- */

RsdStatus rans_encoder_create(RansEncoder **out, const RansTables *tables, int n_lanes, const RansKernels *kernels,
                              RsdError *err)
{
    RsdStatus status = RSD_OK;

    *out = NULL;
    assert(n_lanes == 1 || n_lanes == RANS_LANES);
    TRY(mem_calloc(out, 1, sizeof **out, err));
    (*out)->tables = tables;
    (*out)->kernels = kernels;
    (*out)->n_lanes = n_lanes;
fail:
    return status;
}

void rans_encoder_destroy(RansEncoder **encoder)
{
    if (!*encoder)
        return;
    mem_free(&(*encoder)->entries);
    mem_free(&(*encoder)->escapes);
    mem_free(&(*encoder)->out);
    mem_free(encoder);
}

void rans_encoder_reset(RansEncoder *encoder)
{
    encoder->n_entries = encoder->n_escapes = 0;
    encoder->bits = 0;
    encoder->n_bits = 0;
}

/* Room for `more` elements after the `count` in use. */
static RsdStatus make_room(void *block, size_t *max, size_t count, size_t more, size_t size, RsdError *err)
{
    RsdStatus status = RSD_OK;
    size_t wanted = count + more;

    if (wanted <= *max)
        return RSD_OK;
    wanted += *max;
    TRY(mem_resize(block, *max, wanted, size, err));
    *max = wanted;
fail:
    return status;
}

static void put_bits(RansEncoder *encoder, uint32_t bits, int n_bits)
{
    encoder->bits |= (uint64_t)bits << encoder->n_bits;
    encoder->n_bits += n_bits;
    for (; encoder->n_bits >= 8; encoder->n_bits -= 8, encoder->bits >>= 8)
        encoder->escapes[encoder->n_escapes++] = (uint8_t)encoder->bits;
}

/* Exp-Golomb code of the distance from the table, then the side. */
static RsdStatus put_escape(RansEncoder *encoder, int value, int lowest, int n_values, RsdError *err)
{
    RsdStatus status = RSD_OK;
    bool below = value < lowest;
    uint32_t distance = (uint32_t)(below ? lowest - value : value - (lowest + n_values) + 1); /* 1, 2, ... */
    int prefix = 31 - __builtin_clz(distance);

    TRY(make_room(&encoder->escapes, &encoder->max_escapes, encoder->n_escapes, 2 * ESCAPE_MAX_SIZE, 1, err));
    put_bits(encoder, 1u << prefix, prefix + 1);
    put_bits(encoder, distance - (1u << prefix), prefix);
    put_bits(encoder, below, 1);
fail:
    return status;
}

RsdStatus rans_encoder_put(RansEncoder *encoder, const uint8_t *table, const int16_t *value, size_t n, RsdError *err)
{
    const RansTables *t = encoder->tables;
    size_t filling = (size_t)(RANS_LANES / encoder->n_lanes), at;
    RsdStatus status = RSD_OK;

    TRY(check_tables(t, table, n, err));
    CHECK(n < SIZE_MAX / 64, err, RSD_ERR_MEMORY, "%zu symbols are too many", n);
    TRY(make_room(&encoder->entries, &encoder->max_entries, encoder->n_entries, n * filling + RANS_LANES,
                  sizeof *encoder->entries, err));
    at = encoder->n_entries;
    for (size_t i = 0; i < n; i++) {
        int lowest = t->lowest[table[i]], n_values = t->n_values[table[i]], symbol = value[i] - lowest;

        CHECK(value[i] >= -RANS_MAX_VALUE, err, RSD_ERR_ARG, "value %d cannot be coded", value[i]);
        if (!t->is_coded[table[i]]) {
            CHECK(symbol == 0, err, RSD_ERR_ARG, "value %d by table %d, which stands for %d alone", value[i], table[i],
                  lowest);
            continue;
        }
        if (symbol < 0 || symbol >= n_values) {
            TRY(put_escape(encoder, value[i], lowest, n_values, err));
            symbol = n_values;
        }
        encoder->entries[at++] = t->entry[t->first[table[i]] + symbol];
        for (size_t lane = 1; lane < filling; lane++)
            encoder->entries[at++] = RANS_NOTHING;
    }
    while (at % RANS_LANES != 0)
        encoder->entries[at++] = RANS_NOTHING;
    encoder->n_entries = at;
fail:
    return status;
}

RsdStatus rans_encoder_finish(RansEncoder *encoder, const RansRider *rider, const uint8_t **data, size_t *size,
                              RsdError *err)
{
    uint32_t state[RANS_LANES];
    size_t head_size = (size_t)encoder->n_lanes * STATE_SIZE, words_size = encoder->n_entries * 2, tail_size;
    RsdStatus status = RSD_OK;
    uint8_t *words, *end;

    TRY(make_room(&encoder->escapes, &encoder->max_escapes, encoder->n_escapes, 1, 1, err));
    if (encoder->n_bits > 0)
        put_bits(encoder, 0, 8 - encoder->n_bits);
    tail_size = encoder->n_escapes;
    TRY(make_room(&encoder->out, &encoder->max_out, 0, head_size + words_size + tail_size, 1, err));
    for (int lane = 0; lane < RANS_LANES; lane++)
        state[lane] = RANS_LOW | (rider && lane < encoder->n_lanes ? rider->lane[lane] : 0u);
    end = encoder->out + head_size + words_size;
    words = encoder->kernels->encode(encoder->entries, (int64_t)encoder->n_entries, state, end);
    words -= head_size;
    for (int lane = 0; lane < encoder->n_lanes; lane++)
        put_u32le(words + lane * STATE_SIZE, state[lane]);
    for (size_t i = 0; i < tail_size; i++)
        end[i] = encoder->escapes[tail_size - 1 - i];
    *data = words;
    *size = (size_t)(end - words) + tail_size;
    rans_encoder_reset(encoder);
fail:
    return status;
}

/* --- decoder --- */

RsdStatus rans_decoder_open(RansDecoder *decoder, const RansTables *tables, int n_lanes, const RansKernels *kernels,
                            const uint8_t *data, size_t size, RsdError *err)
{
    RsdStatus status = RSD_OK;
    size_t head_size = (size_t)n_lanes * STATE_SIZE;

    assert(n_lanes == 1 || n_lanes == RANS_LANES);
    CHECK(size >= head_size, err, RSD_ERR_CORRUPT, "%zu bytes of coded symbols, expected %zu or more", size, head_size);
    *decoder = (RansDecoder){.tables = tables, .kernels = kernels, .n_lanes = n_lanes, .start = data + head_size};
    decoder->words = decoder->start;
    decoder->end = decoder->escapes = data + size;
    for (int lane = 0; lane < RANS_LANES; lane++) {
        decoder->state[lane] = lane < n_lanes ? get_u32le(data + lane * STATE_SIZE) : RANS_LOW;
        CHECK(decoder->state[lane] >= RANS_LOW, err, RSD_ERR_CORRUPT,
              "state %d of coded symbols is %u, expected %u or more", lane, decoder->state[lane], RANS_LOW);
    }
fail:
    return status;
}

/* At most 15 bits, zeros when there are none left; escapes_are_sound tells. */
static uint32_t get_bits(RansDecoder *decoder, int n_bits)
{
    uint32_t bits;

    while (decoder->n_bits < n_bits && decoder->escapes > decoder->start) {
        decoder->bits |= (uint32_t) * --decoder->escapes << decoder->n_bits;
        decoder->n_bits += 8;
    }
    bits = decoder->bits & ((1u << n_bits) - 1);
    decoder->bits >>= n_bits;
    decoder->n_bits -= n_bits;
    return bits;
}

static RsdStatus get_escape(RansDecoder *decoder, int lowest, int n_values, int16_t *value, RsdError *err)
{
    RsdStatus status = RSD_OK;
    int prefix = 0, distance, found;

    while (prefix <= ESCAPE_MAX_PREFIX && get_bits(decoder, 1) == 0)
        prefix++;
    CHECK(prefix <= ESCAPE_MAX_PREFIX, err, RSD_ERR_CORRUPT, "escaped symbol with a prefix of more than %d bits",
          ESCAPE_MAX_PREFIX);
    distance = (int)(1u << prefix | get_bits(decoder, prefix));
    found = get_bits(decoder, 1) ? lowest - distance : lowest + n_values - 1 + distance;
    CHECK(decoder->n_bits >= 0, err, RSD_ERR_CORRUPT, "the bits of escaped symbols end too early");
    CHECK(found >= -RANS_MAX_VALUE && found <= RANS_MAX_VALUE, err, RSD_ERR_CORRUPT,
          "escaped symbol of value %d, expected at most %d", found, RANS_MAX_VALUE);
    *value = (int16_t)found;
fail:
    return status;
}

static bool get_block(RansDecoder *decoder, const uint8_t *table, int64_t n, uint16_t *found)
{
    const RansSlots *slots = &decoder->tables->slots;
    bool ok = true;

    if (decoder->n_lanes == RANS_LANES)
        return decoder->kernels->decode(slots, table, n, decoder->state, &decoder->words, decoder->end, found);
    for (int64_t i = 0; i < n && ok; i++)
        ok = decoder->kernels->decode(slots, table + i, 1, decoder->state, &decoder->words, decoder->end, found + i);
    return ok;
}

RsdStatus rans_decoder_get(RansDecoder *decoder, const uint8_t *table, int16_t *value, size_t n, RsdError *err)
{
    const RansTables *t = decoder->tables;
    RsdStatus status = RSD_OK;
    size_t i = 0;

    TRY(check_tables(t, table, n, err));
    while (i < n) {
        uint8_t coded[BLOCK + 1];
        uint16_t found[BLOCK];
        size_t at[BLOCK + 1], count = 0;

        for (; i < n && count < BLOCK; i++) {
            coded[count] = table[i];
            at[count] = i;
            value[i] = t->lowest[table[i]];
            count += t->is_coded[table[i]];
        }
        CHECK(get_block(decoder, coded, (int64_t)count, found), err, RSD_ERR_CORRUPT,
              "the coded symbols end too early");
        for (size_t j = 0; j < count; j++) {
            int16_t v = t->value[found[j]];

            value[at[j]] = v;
            if (v == ESCAPED)
                TRY(get_escape(decoder, t->lowest[coded[j]], t->n_values[coded[j]], &value[at[j]], err));
        }
    }
fail:
    return status;
}

size_t rans_decoder_get_part(RansDecoder *decoder, const uint8_t *table, int16_t *value, size_t n, size_t *n_escaped)
{
    const RansTables *t = decoder->tables;
    size_t i = 0, first = 0;

    *n_escaped = 0;
    while (i < n) { /* one symbol for each lane at a time: what a missing word spoils is found again */
        uint8_t coded[BLOCK + 1];
        uint16_t found[BLOCK];
        size_t at[RANS_LANES], count = 0;

        for (first = i; i < n && count < (size_t)decoder->n_lanes; i++) {
            if (table[i] >= t->n_tables)
                return first;
            coded[count] = table[i];
            at[count] = i;
            count += t->is_coded[table[i]];
        }
        if (!get_block(decoder, coded, (int64_t)count, found))
            return first;
        for (size_t k = first, j = 0; k < i; k++) {
            const bool is_coded = j < count && at[j] == k;
            const int16_t v = is_coded ? t->value[found[j++]] : t->lowest[table[k]];

            *n_escaped += is_coded && v == ESCAPED;
            if (!is_coded || v != ESCAPED)
                value[k] = v;
        }
    }
    return n;
}

RsdStatus rans_decoder_finish(RansDecoder *decoder, RansRider *rider, RsdError *err)
{
    RsdStatus status = RSD_OK;

    CHECK(decoder->words == decoder->escapes && decoder->bits == 0, err, RSD_ERR_CORRUPT,
          "coded symbols and escapes end %td bytes apart, expected 0", decoder->escapes - decoder->words);
    for (int lane = 0; lane < decoder->n_lanes; lane++) {
        uint32_t left = decoder->state[lane] - RANS_LOW;

        CHECK(left < RANS_LOW && (rider || left == 0), err, RSD_ERR_CORRUPT, "state %d of coded symbols ends at %u",
              lane, decoder->state[lane]);
        if (rider)
            rider->lane[lane] = (uint16_t)left;
    }
fail:
    return status;
}
