/* spectrum.h - kernels on short-time spectra: eight frames at a time, from samples to a loss and back.
 *
 * Frames are taken in blocks of SPECTRUM_LANES; a block is an array of rows of eight numbers, one per frame, so that
 * every step after the windowing is the same arithmetic on whole vectors and a block stays in the cache from its
 * samples to the gradient of its samples:
 *
 *             frame f0  f0+1 .. f0+7
 *   row 0      [ x       x       x ]     time block:     n_fft rows
 *   row 1      [ x       x       x ]     planes re, im:  n_fft / 2 + 1 rows each
 *   ...                                  mel block:      n_mels rows
 *
 * Spectrograms in tensors have frames fastest, [bins, frames]; a block is eight columns of one.
 * Blocks start on 32 bytes. Lanes that hold no frame are zero. Every set keeps the order of its sums, so results depend
 * on the values only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_SPECTRUM_H
#define RESIDUA_SPECTRUM_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/kernels/kernels.h"

#define SPECTRUM_LANES 8

/* Tables of the block transform of n real samples, n a power of two from SPECTRUM_MIN_FFT to SPECTRUM_MAX_FFT, made by
 * engine/dsp/block_fft.c. The samples are taken as m = n / 2 complex numbers.
 *   stages  for each radix-4 stage of length l = m, m / 4, .. >= 4, for p = 0 .. l / 4 - 1: cos and -sin of
 *           2 pi p j / l, j = 1, 2, 3: six numbers
 *   turns   for k = 0 .. m / 2: cos and -sin of 2 pi k / n, two numbers */
#define SPECTRUM_MIN_FFT 16
#define SPECTRUM_MAX_FFT 32768
typedef struct BlockFft {
    int n;
    float *stages, *turns;
} BlockFft;

/* The same tables in double. */
typedef struct BlockFftF64 {
    int n;
    double *stages, *turns;
} BlockFftF64;

/* A matrix whose rows each have one run of nonzeros, as filter banks do. Row r covers columns first[r] ..
 * first[r] + count[r] - 1 with weights[offset[r]] on. */
typedef struct BandMatrix {
    int n_rows, n_columns;
    int *first, *count, *offset;
    float *weights;
} BandMatrix;

/* What spectrum_distance adds up for each pair of numbers a (estimate), b (target):
 *   linear |a - b|  +  square (a - b)^2  +  log |la - lb|  +  log_square (la - lb)^2
 * with la = log_scale ln(max(a, log_floor)) when log_clamps, else log_scale ln(a + log_floor). */
typedef struct DistanceTerms {
    float linear, square, log, log_square;
    float log_scale, log_floor;
    bool log_clamps;
} DistanceTerms;

/* Eight bands of an ear's filter bank, each a cascade of four second-order sections with the same poles, in double. Stage k:
 *   y[i] = gain_k x[i] + zero_k x[i - 1] - pole_1 y[i - 1] - pole_2 y[i - 2] */
#define EAR_STAGES 4
typedef struct EarFilters {
    double gain[EAR_STAGES][SPECTRUM_LANES], zero[EAR_STAGES][SPECTRUM_LANES];
    double pole_1[SPECTRUM_LANES], pole_2[SPECTRUM_LANES];
} EarFilters;

struct SpectrumKernels {
    /* squares[b]: sum of the squares of x [n] after the cascade of band b, which starts at rest. */
    void (*ear_squares)(const EarFilters *filters, const double *x, int64_t n, double squares[SPECTRUM_LANES]);
    /* Sum of x[i] taps[i], in double over fixed lanes: one output of a long filter. */
    double (*long_filter)(const double *x, const double *taps, int64_t n);
    /* Power spectra of frames in double: power[k][l] = |sum_i window[i] x[l hop + i] exp(-2 pi i k / n)|^2, its root when `roots`;
     * lanes l >= n_frames are zero. x [(n_frames - 1) hop + n], window [n], power [n / 2 + 1, 8]; work: 16 n numbers. All but x start on
     * 64 bytes. */
    void (*power_frames)(const BlockFftF64 *fft, const float *x, int64_t hop, const double *window, int n_frames, bool roots,
                         double *work, double *power);
    /* ratios[l] *= max(ma, floor) / max(mb, floor), or its inverse where that is larger, over the rows of m a and m b; a, b [n_columns, 8].
     * The product is ratios[l] 2^exponents[l], ratios in [1, 2), so that it never overflows; all are finite and floor > 0. */
    void (*band_ratios)(const BandMatrix *m, const double *a, const double *b, double floor, double ratios[SPECTRUM_LANES],
                        int64_t exponents[SPECTRUM_LANES]);

    /* block[i][l] = window[i] x[l hop + i] for lanes l < n_frames, 0 for the others.
     * x [(n_frames - 1) hop + n], window [n], block [n, 8]. */
    void (*load_frames)(const float *x, int64_t hop, const float *window, int n, int n_frames, float *block);
    /* x[l hop + i] += window[i] block[i][l], lanes in rising order. */
    void (*add_frames)(const float *block, const float *window, int n, int64_t hop, int n_frames, float *x);

    /* Real transforms of eight frames: re + i im = sum_i block[i] exp(-2 pi i k / n), k = 0 .. n / 2.
     * block [n, 8] is used as work memory; work [n, 8]; re, im [n / 2 + 1, 8]. */
    void (*forward)(const BlockFft *fft, float *block, float *work, float *re, float *im);
    /* The transpose of that linear map: block[i] = sum_k re[k] cos(2 pi k i / n) - im[k] sin(2 pi k i / n). */
    void (*adjoint)(const BlockFft *fft, const float *re, const float *im, float *work, float *block);

    /* Element by element over n numbers:
     *   power      s = re^2 + im^2                     magnitude  s = sqrt(max(re^2 + im^2, floor))
     * and their gradients: dre, dim (+)= ds ds/dre, ds ds/dim, 0 where re^2 + im^2 is below the floor or zero. dre may
     * be re and dim may be im. */
    void (*power)(const float *re, const float *im, float *s, int64_t n);
    void (*power_grad)(const float *re, const float *im, const float *ds, float *dre, float *dim, int64_t n, bool add);
    void (*magnitude)(const float *re, const float *im, float floor, float *s, int64_t n);
    void (*magnitude_grad)(const float *re, const float *im, const float *s, float floor, const float *ds, float *dre,
                           float *dim, int64_t n, bool add);

    /* Amplitude compression that keeps the phase: c = X (|X|^2 + eps)^((exponent - 1) / 2), eps > 0, so that |c| is
     * about |X|^exponent and the gradient at 0 is finite. gain (NULL: not wanted) receives the factor, which the
     * gradient needs. cre may be re, cim may be im. */
    void (*compress)(const float *re, const float *im, float exponent, float eps, float *cre, float *cim, float *gain,
                     int64_t n);
    void (*compress_grad)(const float *re, const float *im, const float *gain, float exponent, float eps,
                          const float *dcre, const float *dcim, float *dre, float *dim, int64_t n, bool add);

    /* y [n_rows, columns] = m x, x [n_columns, columns]; rows are x_stride and y_stride apart. `add` adds to y. */
    void (*band)(const BandMatrix *m, const float *x, int64_t x_stride, float *y, int64_t y_stride, int64_t columns,
                 bool add);

    /* sums[l] += the terms of row after row in lane l. da (NULL: not wanted) [rows, 8] receives the gradient with
     * respect to a; |.| has gradient 0 at 0, a clamped logarithm below its floor. da may be a or b. */
    void (*distance)(const float *a, const float *b, int64_t rows, const DistanceTerms *terms, float *da,
                     double sums[SPECTRUM_LANES]);
    /* sums[l] += a^2, row after row. */
    void (*energy)(const float *a, int64_t rows, double sums[SPECTRUM_LANES]);
};

extern const SpectrumKernels spectrum_ref;
extern const SpectrumKernels spectrum_avx2, spectrum_avx512;

#endif
