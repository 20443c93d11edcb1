/* butteraugli_lines.h - Butteraugli's differences of one band: sums along lines through each pixel, squared ("Malta").
 *
 * For losses/butteraugli.c only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_BUTTERAUGLI_LINES_H
#define RESIDUA_BUTTERAUGLI_LINES_H

#include "losses/butteraugli_eye.h"

#define LINES_PAD 4 /* reach of the lines; a padded plane is [h + 2 LINES_PAD, w + 2 LINES_PAD], its border zero */

typedef struct LineFilter LineFilter;
extern const LineFilter lines_fine, lines_coarse;

typedef struct LineTerm {
    const LineFilter *filter;
    double weight_a, weight_b; /* of detail that was in a, and in b */
    double norm;               /* differences count less where the band is large beside this */
} LineTerm;

/* Rows from .. to of sum [h, w] += squares of the sums along all lines of the weighed differences of a and b. */
void lines_add(const Field *f, const LineTerm *term, const float *a, const float *b, int64_t from, int64_t to, float *padded,
               float *sum);

/* db += the slopes of that by b, where dsum are those by the sum; dpadded: a second padded plane. */
void lines_add_slope(const Field *f, const LineTerm *term, const float *a, const float *b, int64_t from, int64_t to, float *padded,
                     float *dpadded, const float *dsum, float *db);

#endif
