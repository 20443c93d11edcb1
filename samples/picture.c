/* picture.c - an example of the public interface: a drawn picture through a picture model, in memory, and its thumbnail.
 *
 *     cc picture.c -o picture $(pkg-config --cflags --libs residua) -lm && ./picture [MODEL.safetensors]
 *
 * Without MODEL it takes the one that is built in.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <residua.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH 320
#define HEIGHT 200
#define N_SAMPLES 4 /* red, green, blue, opacity */

/* A stream in memory: written at the end, read from `at`. */
typedef struct Memory {
    unsigned char *bytes;
    size_t size, at;
} Memory;

static RsdStatus memory_write(void *ctx, const void *data, size_t size, RsdError *err)
{
    Memory *memory = ctx;
    unsigned char *grown = realloc(memory->bytes, memory->size + size + 1);

    if (!grown) {
        err->status = RSD_ERR_MEMORY;
        strcpy(err->text, "no memory for the stream");
        return RSD_ERR_MEMORY;
    }
    memory->bytes = grown;
    memcpy(memory->bytes + memory->size, data, size);
    memory->size += size;
    return RSD_OK;
}

static RsdStatus memory_read(void *ctx, void *data, size_t size, size_t *n_read, RsdError *err)
{
    Memory *memory = ctx;

    (void)err;
    *n_read = memory->size - memory->at < size ? memory->size - memory->at : size;
    memcpy(data, memory->bytes + memory->at, *n_read);
    memory->at += *n_read;
    return RSD_OK;
}

/* A sky over hills, with a round hole in the opacity. */
static void draw(uint8_t *pixels)
{
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            uint8_t *p = pixels + N_SAMPLES * (y * WIDTH + x);
            int is_hill = y > 120 + 25 * sin(x * 0.03) + 8 * sin(x * 0.11);
            double dx = x - 240, dy = y - 60;

            p[0] = (uint8_t)(is_hill ? 60 + y / 4 : 90 + y / 2);
            p[1] = (uint8_t)(is_hill ? 110 + (x * 7 + y * 3) % 16 : 140 + y / 2);
            p[2] = (uint8_t)(is_hill ? 50 : 230);
            p[3] = (uint8_t)(dx * dx + dy * dy < 900 ? 0 : 255);
        }
}

static RsdStatus encode(const RsdPictureModel *model, Memory *stream, const uint8_t *pixels, RsdError *err)
{
    RsdPictureEncodeOptions options;

    rsd_picture_encode_default_options(&options);
    options.model = model;
    options.width = WIDTH;
    options.height = HEIGHT;
    options.has_alpha = true;
    options.pixels = pixels;
    options.is_srgb = true;
    options.quality = 60;
    options.write = memory_write;
    options.write_ctx = stream;
    return rsd_picture_encode(&options, NULL, NULL, err);
}

/* pixels [HEIGHT / shrink, WIDTH / shrink, N_SAMPLES]. */
static RsdStatus decode(const RsdPictureModel *model, Memory *stream, int shrink, uint8_t *pixels, RsdError *err)
{
    RsdPictureDecoderOptions options;
    RsdPictureDecoder *decoder;
    RsdStatus status;

    rsd_picture_decoder_default_options(&options);
    options.model = model;
    options.read = memory_read;
    options.read_ctx = stream;
    options.shrink = shrink;
    stream->at = 0;
    status = rsd_picture_decoder_open(&decoder, &options, err);
    if (status != RSD_OK)
        return status;
    status = rsd_picture_decoder_read(decoder, pixels, 0, err);
    rsd_picture_decoder_close(&decoder);
    return status;
}

static double psnr_db(const uint8_t *a, const uint8_t *b)
{
    double sum = 0;

    for (int i = 0; i < WIDTH * HEIGHT; i++)
        for (int c = 0; c < 3; c++) {
            double d = a[N_SAMPLES * i + c] - b[N_SAMPLES * i + c];

            sum += d * d;
        }
    return 10 * log10(255.0 * 255.0 * 3 * WIDTH * HEIGHT / (sum + 1e-9));
}

int main(int argc, char **argv)
{
    static uint8_t pixels[N_SAMPLES * WIDTH * HEIGHT], back[sizeof pixels], small[sizeof pixels / 16];
    RsdPictureModel *model = NULL;
    Memory stream = {NULL, 0, 0};
    RsdError err;
    RsdStatus status = argc > 1 ? rsd_picture_model_open_file(&model, argv[1], &err)
                                : rsd_picture_model_open_builtin(&model, NULL, &err);

    draw(pixels);
    if (status == RSD_OK)
        status = encode(model, &stream, pixels, &err);
    if (status == RSD_OK)
        status = decode(model, &stream, 1, back, &err);
    if (status == RSD_OK)
        status = decode(model, &stream, 4, small, &err);
    if (status == RSD_OK) {
        int same_opacity = 1;

        for (int i = 3; i < (int)sizeof pixels; i += N_SAMPLES)
            same_opacity &= pixels[i] == back[i];
        printf("%d x %d pixels in %zu bytes, %.2f dB; opacity is %s; the thumbnail's first pixel is %d %d %d\n", WIDTH, HEIGHT,
               stream.size, psnr_db(pixels, back), same_opacity ? "the same" : "another", small[0], small[1], small[2]);
    } else {
        fprintf(stderr, "%s\n", err.text);
    }
    rsd_picture_model_close(&model);
    free(stream.bytes);
    return status == RSD_OK ? 0 : 1;
}
