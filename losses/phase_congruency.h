/* phase_congruency.h - where the Fourier components of a picture agree in phase: edges and lines, whatever their contrast.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_PHASE_CONGRUENCY_H
#define RESIDUA_PHASE_CONGRUENCY_H

#include "losses/plane_math.h"

/* The filters for planes of one size, and the responses of the last plane. Not to be used by two threads at a time. */
typedef struct PhaseBank PhaseBank;

/* with_gradient: keeps what phase_congruency_back needs, 32 planes instead of 8. Both sides at least 2.
 * Errors: RSD_ERR_MEMORY, RSD_ERR_ARG (side beyond FFT_MAX_LEN). */
RsdStatus phase_bank_create(PhaseBank **out, int64_t h, int64_t w, bool with_gradient, RsdError *err);
void phase_bank_destroy(PhaseBank **bank);

/* out: between 0 and 1 at each sample of the plane [h, w], which holds 0..255; 0 everywhere for a flat plane.
 * The filters and constants of FSIM, see fsim.h. Errors: RSD_ERR_MEMORY. */
RsdStatus phase_congruency(Plane *out, PhaseBank *bank, const Plane *in, RsdError *err);

/* Adds to din the gradient by the last plane, given that by its congruency. The noise threshold counts: its gradient goes to the
 * response that is the median. Where there is no response the gradient is 0. The responses are used up. */
void phase_congruency_back(Plane *din, PhaseBank *bank, const Plane *dout);

#endif
