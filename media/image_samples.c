/* image_samples.c - the samples of lines, 8 and 16 bits.
 *
 * SPDX-License-Identifier: MIT
 */
#include "media/image_samples.h"

/* Samples of one channel, which stand n_samples apart in the line, to plane places from `first` on, and back. */
static void split_channel(const uint8_t *line, int n_samples, int bits, void *plane, int64_t first, int64_t n)
{
    uint8_t *bytes = (uint8_t *)plane + first;
    uint16_t *words = (uint16_t *)plane + first;

    if (bits == 8)
        for (int64_t i = 0; i < n; i++)
            bytes[i] = line[i * n_samples];
    else
        for (int64_t i = 0; i < n; i++)
            words[i] = (uint16_t)(line[2 * i * n_samples] << 8 | line[2 * i * n_samples + 1]);
}

static void join_channel(uint8_t *line, int n_samples, int bits, const void *plane, int64_t first, int64_t n)
{
    const uint8_t *bytes = (const uint8_t *)plane + first;
    const uint16_t *words = (const uint16_t *)plane + first;

    if (bits == 8)
        for (int64_t i = 0; i < n; i++)
            line[i * n_samples] = bytes[i];
    else
        for (int64_t i = 0; i < n; i++) {
            line[2 * i * n_samples] = (uint8_t)(words[i] >> 8);
            line[2 * i * n_samples + 1] = (uint8_t)words[i];
        }
}

void image_samples_split(const uint8_t *line, int n_samples, Image *image, int64_t y)
{
    const int size = image->bits / 8;

    for (int c = 0; c < image->channels; c++)
        split_channel(line + c * size, n_samples, image->bits, image->planes, (c * image->height + y) * image->width, image->width);
    if (image->alpha)
        split_channel(line + image->channels * size, n_samples, image->bits, image->alpha, y * image->width, image->width);
}

void image_samples_join(uint8_t *line, const Image *image, bool with_alpha, int64_t y)
{
    const int n = image->channels + (with_alpha ? 1 : 0), size = image->bits / 8;

    for (int c = 0; c < image->channels; c++)
        join_channel(line + c * size, n, image->bits, image->planes, (c * image->height + y) * image->width, image->width);
    if (with_alpha)
        join_channel(line + image->channels * size, n, image->bits, image->alpha, y * image->width, image->width);
}
