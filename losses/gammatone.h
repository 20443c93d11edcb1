/* gammatone.h - the ear's filters: fourth-order gammatone filters, equally far apart on the scale of equivalent bandwidths.
 *
 * [1] Slaney, An Efficient Implementation of the Patterson-Holdsworth Auditory Filter Bank, Apple TR 35, 1993.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_GAMMATONE_H
#define RESIDUA_GAMMATONE_H

#include <stdint.h>

#include "engine/base/error.h"

typedef struct Gammatone Gammatone;

/* n_bands filters from low_hz to just below rate_hz / 2, in rising order. Errors: RSD_ERR_ARG, RSD_ERR_MEMORY. */
RsdStatus gammatone_create(Gammatone **out, int n_bands, double low_hz, int rate_hz, RsdError *err);
void gammatone_destroy(Gammatone **bank);

double gammatone_centre_hz(const Gammatone *bank, int band);

/* levels [n_bands]: root of the mean square of what each filter, starting at rest, makes of x [n]. */
void gammatone_levels(const Gammatone *bank, const double *x, int n, double *levels);

#endif
