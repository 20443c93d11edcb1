/* test_picture_damage.c - streams of pictures that are cut, flipped, forged or promise too much.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/bytes.h"
#include "engine/base/checksum.h"
#include "tests/codec/decoded.h"

Test(picture_damage, a_damaged_tile_is_named_and_the_others_stay)
{
    TinyPicture picture = {.width = 640, .height = 640, .bits = 8};
    TinyStream stream = encode(&picture, 6, NULL);
    Decoded good = decode(stream.bytes, stream.size, false, NULL), bad;
    int64_t n_same = 0;
    uint8_t *bytes = malloc(stream.size);
    size_t at;

    memcpy(bytes, stream.bytes, stream.size);
    at = get_u16le(bytes + 6);
    for (int tile = 0; tile < 33; tile++) /* to tile 33, in row 3 and column 3 */
        at += PICTURE_PACKET_HEAD + (get_u16le(bytes + at + 6) | (size_t)bytes[at + 8] << 16);
    bytes[at + PICTURE_PACKET_HEAD + 4] ^= 16;
    bad = decode(bytes, stream.size, false, NULL);
    cr_assert_eq(bad.status, RSD_ERR_CORRUPT);
    cr_assert(strstr(bad.err.text, "x.rsd: tile 34 of 100") && strstr(bad.err.text, "--keep-going"), "%s",
              bad.err.text);
    decoded_clear(&bad);
    bad = decode(bytes, stream.size, true, NULL);
    cr_assert_eq(bad.status, RSD_OK, "%s", bad.err.text);
    cr_assert(bad.report.n_lost == 1 && bad.report.complete && bad.n_notes == 1);
    cr_assert(strstr(bad.first_note, "tile 34 of 100"), "%s", bad.first_note);
    for (int64_t i = 0; i < 640 * 640; i++) /* what is further than a margin away is as it was */
        n_same += good.rgb[i] == bad.rgb[i];
    cr_assert_gt(n_same, 640 * 640 * 6 / 10, "%lld", (long long)n_same);
    cr_assert_neq(good.rgb[(3 * 64 + 32) * 640 + 3 * 64 + 32], bad.rgb[(3 * 64 + 32) * 640 + 3 * 64 + 32]);
    decoded_clear(&good);
    decoded_clear(&bad);
    free(bytes);
    free(stream.bytes);
}

/* Zeros `from` bytes into the payload of the packet at `at`, where the states of its coders are, under a right checksum. Returns where the
 * next one begins. */
static size_t forge(uint8_t *bytes, size_t at, size_t from)
{
    const size_t size = get_u16le(bytes + at + 6) | (size_t)bytes[at + 8] << 16;

    memset(bytes + at + PICTURE_PACKET_HEAD + from, 0, 4);
    put_u32le(bytes + at + 9, crc32_update(crc32_update(0, bytes + at, 9), bytes + at + PICTURE_PACKET_HEAD, size));
    return at + PICTURE_PACKET_HEAD + size;
}

/* All tiles of the first row but one, and the opacity of one. */
Test(picture_damage, sound_packets_of_unsound_symbols_are_lost_in_order_for_any_number_of_threads)
{
    const TinyPicture picture = {.width = 400, .height = 100, .bits = 8, .has_alpha = true};
    TinyStream stream = encode(&picture, 6, NULL);
    char notes[4096] = "";
    size_t at = get_u16le(stream.bytes + 6);

    for (int tile = 0; tile < 7; tile++)
        for (int is_alpha = 0; is_alpha < 2; is_alpha++) {
            const bool is_forged = tile == 5 || (tile > 0 && !is_alpha);

            at = is_forged ? forge(stream.bytes, at, is_alpha ? 8 : 0)
                           : at + PICTURE_PACKET_HEAD + (get_u16le(stream.bytes + at + 6) | (size_t)stream.bytes[at + 8] << 16);
        }
    for (int n_threads = 1; n_threads < 6; n_threads++) {
        RsdThreads *threads;
        Decoded d;
        const char *line;

        cr_assert_eq(rsd_threads_create(&threads, n_threads, NULL), RSD_OK);
        d = decode(stream.bytes, stream.size, false, threads);
        cr_expect(d.status == RSD_ERR_CORRUPT && strstr(d.err.text, "x.rsd: tile 2 of 14"), "%d threads: %s", n_threads, d.err.text);
        decoded_clear(&d);
        d = decode(stream.bytes, stream.size, true, threads);
        cr_assert(d.status == RSD_OK && d.n_notes == 7, "%d threads: %d notes, %s", n_threads, d.n_notes, d.err.text);
        cr_expect(d.report.n_tiles == 8 && d.report.n_lost == 6 && d.report.n_alpha_lost == 1 && d.report.complete,
                  "%d threads: %lld tiles, %lld lost, %lld without opacity", n_threads, (long long)d.report.n_tiles,
                  (long long)d.report.n_lost, (long long)d.report.n_alpha_lost);
        line = d.notes;
        for (int i = 0; i < 7; i++, line = strchr(line, '\n') + 1) {
            char name[32];

            snprintf(name, sizeof name, "x.rsd: tile %d of 14: ", i < 6 ? i + 2 : 6);
            cr_expect_eq(strncmp(line, name, strlen(name)), 0, "%d threads, note %d: %s", n_threads, i + 1, d.notes);
        }
        if (n_threads == 1)
            strcpy(notes, d.notes);
        cr_expect_str_eq(d.notes, notes);
        decoded_clear(&d);
        rsd_threads_destroy(&threads);
    }
    free(stream.bytes);
}

/* A size that reaches beyond the end looks like a stream that was cut; the tiles behind it show that it was not. */
Test(picture_damage, a_tile_whose_size_is_wrong_is_lost_alone)
{
    TinyPicture picture = {.width = 250, .height = 180, .bits = 8};
    TinyStream stream = encode(&picture, 6, NULL);
    size_t at = get_u16le(stream.bytes + 6);

    for (int tile = 0; tile < 12; tile++) {
        const size_t size = get_u16le(stream.bytes + at + 6);
        Decoded d;

        put_u16le(stream.bytes + at + 6, UINT16_MAX);
        d = decode(stream.bytes, stream.size, true, NULL);
        cr_assert_eq(d.status, RSD_OK, "%s", d.err.text);
        cr_expect(d.report.n_tiles == 11 && d.report.n_lost == 1, "size of tile %d: %lld tiles, %lld lost", tile + 1,
                  (long long)d.report.n_tiles, (long long)d.report.n_lost);
        cr_expect_eq(d.report.complete, tile < 11);
        decoded_clear(&d);
        put_u16le(stream.bytes + at + 6, (uint16_t)size);
        at += PICTURE_PACKET_HEAD + size;
    }
    cr_assert_eq(at, stream.size);
    free(stream.bytes);
}

Test(picture_damage, every_flipped_byte_and_every_cut_end_well)
{
    TinyPicture picture = {.width = 70, .height = 66, .bits = 8, .has_alpha = true};
    TinyStream stream = encode(&picture, 6, NULL);

    for (size_t i = 0; i < stream.size; i++) {
        uint8_t *bytes = malloc(stream.size);
        Decoded d;

        memcpy(bytes, stream.bytes, stream.size);
        bytes[i] ^= (uint8_t)(1 + i % 255);
        d = decode(bytes, stream.size, false, NULL);
        cr_assert(d.status != RSD_OK && d.err.text[0], "byte %zu flipped went unnoticed", i);
        decoded_clear(&d);
        d = decode(bytes, stream.size, true, NULL);
        if (i >= get_u16le(stream.bytes + 6))
            cr_assert(d.status == RSD_OK && d.n_notes > 0, "byte %zu: %s", i, d.err.text);
        decoded_clear(&d);
        free(bytes);
        if (i % 3 != 0)
            continue;
        bytes = malloc(i + 1);
        memcpy(bytes, stream.bytes, i);
        d = decode(bytes, i, false, NULL);
        cr_assert(d.status == RSD_ERR_CORRUPT, "cut at %zu: %s", i, d.err.text);
        decoded_clear(&d);
        d = decode(bytes, i, true, NULL);
        cr_assert(i < get_u16le(stream.bytes + 6) ? d.status == RSD_ERR_CORRUPT
                                                  : d.status == RSD_OK && !d.report.complete);
        decoded_clear(&d);
        free(bytes);
    }
    free(stream.bytes);
}

/* Of the pixels, against those of the whole stream. */
static double psnr_db(const Decoded *whole, const Decoded *d)
{
    const int64_t n = 3 * whole->info.width * whole->info.height;
    double sum = 0;

    for (int64_t i = 0; i < n; i++)
        sum += ((double)whole->rgb[i] - (double)d->rgb[i]) * ((double)whole->rgb[i] - (double)d->rgb[i]);
    return -10 * log10(sum / (double)n + 1e-12);
}

/* Cuts a stream at many lengths. *gain_db: by how much the best preview is better than the one that has only the header. */
static void cut_everywhere(const TinyPicture *picture, int exponent, int64_t n_tiles, double *gain_db)
{
    TinyStream stream = encode(picture, exponent, NULL);
    Decoded whole = decode(stream.bytes, stream.size, true, NULL);
    const size_t first = get_u16le(stream.bytes + 6), step = (stream.size - first) / 40 + 1;
    double before = 0, start = 0;

    cr_assert_eq(whole.info.n_tiles, n_tiles);
    for (size_t size = first; size < stream.size; size += step) {
        Decoded d = decode(stream.bytes, size, true, NULL);
        double now;

        cr_assert(d.status == RSD_OK && !d.report.complete && d.n_notes > 0, "cut at %zu: %s", size, d.err.text);
        cr_assert_eq(d.report.n_tiles + d.report.n_lost, n_tiles, "cut at %zu: %lld tiles, %lld lost", size,
                     (long long)d.report.n_tiles, (long long)d.report.n_lost);
        cr_assert_not_null(strstr(d.first_note, "x.rsd: tile "), "%s", d.first_note);
        now = psnr_db(&whole, &d);
        if (size == first)
            start = before = now;
        cr_expect_geq(now, before - 0.5, "cut at %zu of %zu: %.2f dB after %.2f dB", size, stream.size, now, before);
        before = now > before ? now : before;
        decoded_clear(&d);
    }
    *gain_db = before - start;
    decoded_clear(&whole);
    free(stream.bytes);
}

Test(picture_damage, a_stream_cut_anywhere_is_a_preview_that_gets_better_with_its_length)
{
    const TinyPicture picture = {.width = 250, .height = 180, .bits = 8};
    double tiles_db, inside_db;

    cut_everywhere(&picture, 6, 12, &tiles_db); /* of 64 pixels */
    cut_everywhere(&picture, 9, 1, &inside_db); /* one: what is read of it must do */
    cr_expect_gt(tiles_db, 6.0, "%.2f dB", tiles_db);
    cr_expect_gt(inside_db, 6.0, "%.2f dB", inside_db);
}

/* Changes a number of the header and makes its checksum right. */
static RsdStatus open_changed(const TinyStream *stream, size_t at, uint32_t value, RsdError *err)
{
    uint8_t *bytes = malloc(stream->size);
    size_t size = get_u16le(stream->bytes + 6);
    Decoded d;

    memcpy(bytes, stream->bytes, stream->size);
    put_u32le(bytes + at, value);
    put_u32le(bytes + size - 4, crc32_update(0, bytes, size - 4));
    d = decode(bytes, stream->size, false, NULL);
    *err = d.err;
    decoded_clear(&d);
    free(bytes);
    return d.status;
}

Test(picture_damage, headers_that_promise_too_much_are_refused)
{
    TinyPicture picture = {.width = 70, .height = 66, .bits = 8};
    TinyStream stream = encode(&picture, 6, NULL);
    RsdError err;

    cr_assert_eq(open_changed(&stream, 16, 1u << 31, &err), RSD_ERR_CORRUPT); /* 2^31 x 66 pixels */
    cr_assert(strstr(err.text, "2147483648 x 66 pixels; 1 to 1073741824"), "%s", err.text);
    cr_assert_eq(open_changed(&stream, 16, 0, &err), RSD_ERR_CORRUPT);
    cr_assert_eq(open_changed(&stream, 20, 40000, &err), RSD_ERR_CORRUPT); /* the tiles are not there */
    cr_assert_eq(open_changed(&stream, 8, 12345, &err), RSD_ERR_MODEL);
    for (int i = 0; i < 2; i++) {
        Decoded d;

        put_u16le(stream.bytes + 6, i ? 4097 : 37);
        d = decode(stream.bytes, stream.size, false, NULL);
        cr_assert(d.status == RSD_ERR_CORRUPT && strstr(d.err.text, i ? "4097 bytes long; 38 to 4096" : "37 bytes long; 38 to 4096"), "%s",
                  d.err.text);
        decoded_clear(&d);
    }
    free(stream.bytes);
}

Test(picture_damage, a_tile_without_contents_is_damage)
{
    TinyPicture picture = {.width = 30, .height = 20, .bits = 8};
    TinyStream stream = encode(&picture, 6, NULL);
    size_t at = get_u16le(stream.bytes + 6), size = at + PICTURE_PACKET_HEAD;
    Decoded d;

    put_u16le(stream.bytes + at + 6, 0);
    stream.bytes[at + 8] = 0;
    put_u32le(stream.bytes + at + 9, crc32_update(0, stream.bytes + at, 9));
    d = decode(stream.bytes, size, false, NULL);
    cr_assert(d.status == RSD_ERR_CORRUPT && strstr(d.err.text, "is empty"), "%s", d.err.text);
    decoded_clear(&d);
    d = decode(stream.bytes, size, true, NULL);
    cr_assert(d.status == RSD_OK && d.report.n_lost == 1 && d.n_notes == 1);
    decoded_clear(&d);
    free(stream.bytes);
}
