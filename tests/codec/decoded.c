/* decoded.c - encoder, decoder, notes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/codec/decoded.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static void count_note(void *ctx, const char *text)
{
    Decoded *d = ctx;

    if (d->n_notes++ == 0)
        strcpy(d->first_note, text);
    if (strlen(d->notes) + strlen(text) + 2 <= sizeof d->notes)
        strcat(strcat(d->notes, text), "\n");
}

Decoded decode_by(const PictureModel *model, const uint8_t *bytes, size_t size, bool keep_going, RsdThreads *threads)
{
    TinyStream stream = {(uint8_t *)(uintptr_t)bytes, size, 0};
    Decoded d = {.status = RSD_OK};
    PictureDecoderOptions options = {.read = tiny_stream_read,
                                     .read_ctx = &stream,
                                     .name = "x.rsd",
                                     .threads = threads,
                                     .keep_going = keep_going,
                                     .on_damage = count_note,
                                     .damage_ctx = &d};
    PictureDecoder *decoder = NULL;

    d.status = picture_decoder_open(&decoder, &options, &d.err);
    if (d.status == RSD_OK) {
        d.info = *picture_decoder_info(decoder);
        d.status = picture_decoder_use(decoder, model, &d.err);
    }
    if (d.status == RSD_OK && d.info.width * d.info.height < 1 << 22) {
        d.rgb = calloc((size_t)(3 * d.info.width * d.info.height), sizeof *d.rgb);
        d.alpha = calloc((size_t)(d.info.width * d.info.height), sizeof *d.alpha);
    }
    if (d.rgb && d.status == RSD_OK)
        d.status = picture_decoder_planes(decoder, d.info.channels, d.rgb, d.alpha, &d.err);
    if (decoder)
        d.report = picture_decoder_report(decoder);
    picture_decoder_close(&decoder);
    return d;
}

Decoded decode(const uint8_t *bytes, size_t size, bool keep_going, RsdThreads *threads)
{
    return decode_by(tiny_picture_model(), bytes, size, keep_going, threads);
}

void decoded_clear(Decoded *d)
{
    free(d->rgb);
    free(d->alpha);
}

TinyStream encode(const TinyPicture *picture, int exponent, RsdThreads *threads)
{
    TinyStream stream = {0};
    RsdError err;

    cr_assert_eq(tiny_picture_encode(&stream, picture, exponent, SETTING, threads, &err), RSD_OK, "%lld x %lld: %s",
                 (long long)picture->width, (long long)picture->height, err.text);
    return stream;
}
