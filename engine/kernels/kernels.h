/* kernels.h - the table of kernel sets: arithmetic on plain arrays, picked once at start.
 *
 * Each group has its own header with the contract of every function, a clear C reference (ref/) and faster sets (x86/,
 * arm/) with the same contract. RESIDUA_CPU=ref|avx2|avx512 in the environment overrides the pick (an impossible
 * wish falls back to the best possible set).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_KERNELS_H
#define RESIDUA_KERNELS_H

#include <stdbool.h>

typedef struct GemmKernels GemmKernels;     /* engine/kernels/gemm.h: matrix products */
typedef struct ConvKernels ConvKernels;     /* engine/kernels/conv.h: convolutions and their gradients */
typedef struct PointKernels PointKernels;   /* engine/kernels/point.h: element by element, sums, norms */
typedef struct SearchKernels SearchKernels; /* engine/kernels/search.h: nearest codebook entry */
typedef struct SpectrumKernels SpectrumKernels; /* engine/kernels/spectrum.h: frames, transforms, spectral distances */
typedef struct PlaneKernels PlaneKernels;   /* engine/kernels/plane.h: pooling and resizing of pictures */
typedef struct PictureKernels PictureKernels; /* engine/kernels/picture.h: rows of pictures */
typedef struct RansKernels RansKernels;     /* engine/kernels/rans.h: entropy coding */
typedef struct IntegerKernels IntegerKernels; /* engine/kernels/integer.h: layers of integer networks */
typedef struct DepthwiseKernels DepthwiseKernels; /* engine/kernels/depthwise.h: convolutions of single planes */
typedef struct LatentKernels LatentKernels; /* engine/kernels/latent.h: bits of latents, rounding */

typedef struct Kernels {
    const char *name; /* "ref", "avx2", "avx512", ... */
    const GemmKernels *gemm;
    const ConvKernels *conv;
    const PointKernels *point;
    const SearchKernels *search;
    const SpectrumKernels *spectrum;
    const PlaneKernels *plane;
    const PictureKernels *picture;
    const RansKernels *rans;
    const IntegerKernels *integer;
    const LatentKernels *latent;
    const DepthwiseKernels *depthwise;
} Kernels;

/* The set for this machine; decided on the first call, the same ever after. Any thread. */
const Kernels *kernels_pick(void);
/* A set by name for tests, NULL when this machine or build does not have it. */
const Kernels *kernels_named(const char *name);

#endif
