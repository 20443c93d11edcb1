/* gammatone.c - four second-order sections with the same poles; eight bands advance together (ear_squares of
 * engine/kernels/spectrum.h): within one band each sample needs the one before.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/gammatone.h"

#include <math.h>

#include "engine/base/mem.h"
#include "engine/kernels/spectrum.h"

#define EAR_Q 9.26449 /* Glasberg and Moore, 1990 */
#define MIN_BANDWIDTH_HZ 24.7
#define BANDWIDTH_FACTOR 1.019
#define N_STAGES EAR_STAGES
#define LANES SPECTRUM_LANES

struct Gammatone {
    int n_bands, n_groups;
    double *centres; /* [n_bands] */
    EarFilters *groups;
};

/* Magnitude of the four stages at the centre. */
static double gain_at(double angle, double step, const double zeros[N_STAGES], double pole_1, double pole_2)
{
    double re = 1 + pole_1 * cos(angle) + pole_2 * cos(2 * angle), im = -pole_1 * sin(angle) - pole_2 * sin(2 * angle);
    double below = pow(re * re + im * im, N_STAGES / 2.0), above = 1;

    for (int k = 0; k < N_STAGES; k++)
        above *= hypot(step + zeros[k] * cos(angle), zeros[k] * sin(angle));
    return above / below;
}

/* [1], section 3. */
static void design(EarFilters *group, int lane, double centre_hz, int rate_hz)
{
    double step = 1.0 / rate_hz, angle = 2 * M_PI * centre_hz * step;
    double bandwidth = BANDWIDTH_FACTOR * 2 * M_PI * (centre_hz / EAR_Q + MIN_BANDWIDTH_HZ),
           decay = exp(-bandwidth * step);
    double wide = sqrt(3 + pow(2, 1.5)), narrow = sqrt(3 - pow(2, 1.5)), zeros[N_STAGES], gain;
    const double roots[N_STAGES] = {wide, -wide, narrow, -narrow};

    group->pole_1[lane] = -2 * cos(angle) * decay;
    group->pole_2[lane] = decay * decay;
    for (int k = 0; k < N_STAGES; k++)
        zeros[k] = -step * (cos(angle) + roots[k] * sin(angle)) * decay;
    gain = gain_at(angle, step, zeros, group->pole_1[lane], group->pole_2[lane]);
    for (int k = 0; k < N_STAGES; k++) {
        group->gain[k][lane] = k == 0 ? step / gain : step;
        group->zero[k][lane] = k == 0 ? zeros[k] / gain : zeros[k];
    }
}

RsdStatus gammatone_create(Gammatone **out, int n_bands, double low_hz, int rate_hz, RsdError *err)
{
    const double offset = EAR_Q * MIN_BANDWIDTH_HZ, high_hz = rate_hz / 2.0;
    Gammatone *bank = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    CHECK(n_bands >= 1 && rate_hz >= 1 && low_hz > 0 && low_hz < high_hz, err, RSD_ERR_ARG,
          "%d gammatone filters from %g Hz at %d Hz", n_bands, low_hz, rate_hz);
    TRY(mem_calloc(&bank, 1, sizeof *bank, err));
    bank->n_bands = n_bands;
    bank->n_groups = (n_bands + LANES - 1) / LANES;
    TRY(mem_alloc(&bank->centres, (size_t)n_bands, sizeof *bank->centres, err));
    TRY(mem_calloc(&bank->groups, (size_t)bank->n_groups, sizeof *bank->groups, err)); /* unused lanes stay silent */
    for (int i = 0; i < n_bands; i++) {
        int band = n_bands - 1 - i; /* the formula counts from the top */

        bank->centres[band] =
            -offset + (high_hz + offset) * exp((i + 1) * (log(low_hz + offset) - log(high_hz + offset)) / n_bands);
        design(&bank->groups[band / LANES], band % LANES, bank->centres[band], rate_hz);
    }
    *out = bank;
    return RSD_OK;
fail:
    gammatone_destroy(&bank);
    return status;
}

void gammatone_destroy(Gammatone **bank)
{
    if (!*bank)
        return;
    mem_free(&(*bank)->centres);
    mem_free(&(*bank)->groups);
    mem_free(bank);
}

double gammatone_centre_hz(const Gammatone *bank, int band)
{
    return bank->centres[band];
}

void gammatone_levels(const Gammatone *bank, const double *x, int n, double *levels)
{
    for (int g = 0; g < bank->n_groups; g++) {
        double squares[LANES];

        kernels_pick()->spectrum->ear_squares(&bank->groups[g], x, n, squares);
        for (int b = 0; b < LANES && g * LANES + b < bank->n_bands; b++)
            levels[g * LANES + b] = sqrt(squares[b] / n);
    }
}
