/* fuzz_picture.c - picture streams of any bytes: scanning and decoding end well, strict and keeping going, and agree with each
 * other.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/bytes.h"
#include "engine/base/checksum.h"
#include "seeds.h"
#include "tests/codec/tiny_picture.h"
#include "tests/fuzz/demand.h"

#define MAX_PIXELS (1 << 18) /* decoded; a fuzzer that claims more only waits */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

/* --- seeds ---------------------------------------------------------------------------------------------------------- */

/* Changes of the synthesis, as efforts with a search may bring them, go into the stream's header. */
static void give_deltas(TinyStream *stream)
{
    const ImageCodecConfig *cfg = &tiny_picture_model()->codec->config;
    float gain[DELTAS_MAX_COUNT], bias[IMAGE_LAST_OUTPUTS];
    const size_t at = get_u16le(stream->bytes + 6);
    uint8_t header[HEADER_MAX_SIZE], *bytes;
    PictureInfo info;
    size_t size;

    for (int i = 0; i < cfg->widths[0]; i++)
        gain[i] = 0.03f * (float)(i % 7 - 3);
    for (int i = 0; i < IMAGE_LAST_OUTPUTS; i++)
        bias[i] = 0.002f * (float)(i % 5 - 2);
    demand(picture_header_parse(&info, stream->bytes, at, NULL) == RSD_OK);
    delta_vector_round(&info.deltas.gain, gain, cfg->widths[0], 6);
    delta_vector_round(&info.deltas.bias, bias, IMAGE_LAST_OUTPUTS, 10);
    demand(picture_info_complete(&info, RSD_ERR_ARG, NULL) == RSD_OK);
    size = picture_header_write(&info, header);
    bytes = malloc(size + stream->size - at);
    demand(bytes != NULL);
    memcpy(bytes, header, size);
    memcpy(bytes + size, stream->bytes + at, stream->size - at);
    free(stream->bytes);
    stream->bytes = bytes;
    stream->size += size - at;
}

static void write_seed(const char *folder, int number, const TinyPicture *picture, PictureSetting setting, bool with_deltas)
{
    TinyStream stream = {0};
    char path[4096];
    FILE *file;

    demand(tiny_picture_encode(&stream, picture, 6, setting, NULL, NULL) == RSD_OK);
    if (with_deltas)
        give_deltas(&stream);
    snprintf(path, sizeof path, "%s/picture-%02d.rsd", folder, number);
    file = fopen(path, "wb");
    demand(file && fwrite(stream.bytes, 1, stream.size, file) == stream.size && fclose(file) == 0);
    free(stream.bytes);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const TinyPicture pictures[] = {
        {1, 1, 8, false, false}, {20, 30, 8, true, true}, {70, 40, 16, true, false}, {130, 70, 8, false, true}, {200, 1, 8, true, false}};

    if (*argc < 3 || strcmp((*argv)[1], "--make-corpus") != 0)
        return 0;
    for (int i = 0; i < 10; i++)
        write_seed((*argv)[2], i, &pictures[i / 2], (PictureSetting){.level = i * 12, .strength = i % 2 ? TILE_STRENGTH_UNIT : 0}, i % 4 == 1);
    exit(0);
}

/* --- checksums ------------------------------------------------------------------------------------------------------ */

static void mend(uint8_t *data, size_t size)
{
    size_t at = size >= HEADER_PREFIX_SIZE ? get_u16le(data + 6) : size;

    if (at < HEADER_PREFIX_SIZE + 4 || at > size)
        return;
    put_u32le(data + at - 4, crc32_update(0, data, at - 4));
    while (size - at >= PICTURE_PACKET_HEAD) {
        size_t payload = get_u16le(data + at + 6) | (size_t)data[at + 8] << 16;

        if (data[at] != 0xE5 || data[at + 1] != 0x52 || payload > size - at - PICTURE_PACKET_HEAD) {
            at++;
            continue;
        }
        put_u32le(data + at + 9, crc32_update(crc32_update(0, data + at, 9), data + at + PICTURE_PACKET_HEAD, payload));
        at += PICTURE_PACKET_HEAD + payload;
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    const uint8_t *hash = tiny_picture_model()->codec->hash;

    size = LLVMFuzzerMutate(data, size, max_size);
    if (seed % 4 == 0)
        return size;
    if (seed % 2 && size > 16)
        memcpy(data + 8, hash, RSD_MODEL_HASH_SIZE);
    mend(data, size);
    return size;
}

/* --- runs ----------------------------------------------------------------------------------------------------------- */

static RsdStatus decode(const uint8_t *data, size_t size, bool keep_going, int64_t *n_tiles, RsdError *err)
{
    FuzzBytes in = {.data = (uint8_t *)(uintptr_t)data, .size = size};
    PictureDecoderOptions options = {.read = fuzz_read, .read_ctx = &in, .name = "fuzz", .keep_going = keep_going, .shrink = 1 << size % 3};
    PictureDecoder *decoder = NULL;
    const PictureInfo *info;
    PicturePixels pixels;
    bool found = true;
    RsdStatus status = RSD_OK;

    *n_tiles = 0;
    TRY(picture_decoder_open(&decoder, &options, err));
    info = picture_decoder_info(decoder);
    CHECK(info->width * info->height <= MAX_PIXELS && info->n_across <= 64, err, RSD_ERR_UNSUPPORTED,
          "too large for the fuzzer");
    TRY(picture_decoder_use(decoder, tiny_picture_model(), err));
    for (;;) {
        TRY(picture_decoder_next(decoder, &pixels, &found, err));
        if (!found)
            break;
        for (int64_t i = 0; i < info->channels * pixels.tile.w * pixels.tile.h; i++)
            demand(pixels.rgb[i] >= 0.0f && pixels.rgb[i] <= 1.0f);
        ++*n_tiles;
    }
    demand(*n_tiles == info->n_tiles);
fail:
    picture_decoder_close(&decoder);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzBytes in = {.data = (uint8_t *)(uintptr_t)data, .size = size};
    PictureInfo info;
    PictureReport report;
    RsdError err = {RSD_OK, ""};
    RsdStatus scanned = picture_scan(&info, &report, fuzz_read, &in, "fuzz", &err), strict, lenient;
    int64_t n_tiles;

    demand((scanned == RSD_OK) == (err.text[0] == '\0'));
    demand(report.n_bytes <= (int64_t)size);
    if (scanned == RSD_OK)
        demand(report.complete && report.n_lost == 0 && report.n_alpha_lost == 0 && report.n_tiles == info.n_tiles);
    strict = decode(data, size, false, &n_tiles, &err);
    demand(strict == RSD_OK || strict == RSD_ERR_CORRUPT || strict == RSD_ERR_UNSUPPORTED || strict == RSD_ERR_MODEL);
    if (strict == RSD_OK)
        demand(scanned == RSD_OK);
    lenient = decode(data, size, true, &n_tiles, &err);
    demand(strict != RSD_OK || lenient == RSD_OK);
    demand(lenient == RSD_OK || info.width == 0 || lenient == RSD_ERR_UNSUPPORTED || lenient == RSD_ERR_MODEL);
    return 0;
}
