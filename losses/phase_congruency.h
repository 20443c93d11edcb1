/* phase_congruency.h - where the Fourier components of a picture agree in phase: edges and lines, whatever their contrast.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_PHASE_CONGRUENCY_H
#define RESIDUA_PHASE_CONGRUENCY_H

#include "losses/plane_math.h"

/* out: between 0 and 1 at each sample of the plane, which holds 0..255; 0 everywhere for a flat plane. Both sides at least 2.
 * The filters and constants of FSIM, see fsim.h. Errors: RSD_ERR_MEMORY, RSD_ERR_ARG (side beyond FFT_MAX_LEN). */
RsdStatus phase_congruency(Plane *out, const Plane *in, RsdError *err);

#endif
