/* spectrogram.h - pictures of two recordings' spectra and of their difference.
 *
 * Time runs to the right, frequency upwards from 0 to half the rate. Levels are in dB below the strongest bin of both
 * recordings, SPECTROGRAM_RANGE_DB of them; the difference is that of the levels, up to SPECTROGRAM_DIFFERENCE_DB.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_SPECTROGRAM_H
#define RESIDUA_CLI_SPECTROGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "media/png_writer.h"

#define SPECTROGRAM_ROWS 256
#define SPECTROGRAM_MAX_COLUMNS 800
#define SPECTROGRAM_RANGE_DB 90.0
#define SPECTROGRAM_DIFFERENCE_DB 30.0

typedef enum SpectrogramKind {
    SPECTROGRAM_REF,
    SPECTROGRAM_DIST,
    SPECTROGRAM_DIFFERENCE,
    SPECTROGRAM_KINDS
} SpectrogramKind;

typedef struct SpectrogramSet {
    int columns;
    double top_db;                      /* of the strongest bin, relative to a full-scale sine */
    uint8_t *pixels[SPECTROGRAM_KINDS]; /* [SPECTROGRAM_ROWS, columns]: indices into spectrogram_colours */
} SpectrogramSet;

/* ref, dist [n]: one channel of each, n >= 1. Errors: RSD_ERR_MEMORY. */
RsdStatus spectrogram_create(SpectrogramSet *set, const float *ref, const float *dist, int64_t n, int rate_hz,
                             RsdError *err);
void spectrogram_clear(SpectrogramSet *set);

/* Levels: black, violet, orange, light yellow. Difference: blue where something is missing, black where all is equal,
 * red where something was added. */
void spectrogram_colours(PngColour colours[256], SpectrogramKind kind);

/* All three below each other, with gaps, as a PNG file. Errors as png_encode. */
RsdStatus spectrogram_png(uint8_t **bytes, size_t *size, const SpectrogramSet *set, RsdError *err);

#endif
