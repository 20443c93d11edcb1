/* resampler.h - changes the sampling rate of a stream; the door to libsoxr.
 *
 * Output sample k stands at time k / out_hz of the input and every k with k / out_hz < n / in_hz is delivered: n input
 * frames give exactly resampler_out_len(n) = ceil(n * out_hz / in_hz) output frames, without delay. The pass band
 * reaches 0.91 of the smaller Nyquist frequency; aliases and images lie below -100 dB. The result depends on the
 * samples alone, not on how they were cut into blocks, because blocks of a fixed length reach the filter.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_RESAMPLER_H
#define RESIDUA_RESAMPLER_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"

typedef struct Resampler Resampler;

/* Errors: RSD_ERR_ARG, RSD_ERR_MEMORY. One stream per object, one thread at a time. */
RsdStatus resampler_create(Resampler **out, int in_hz, int out_hz, int channels, RsdError *err);
void resampler_destroy(Resampler **resampler);

/* src [n_in, channels] interleaved, or NULL for the end of the input. Takes *n_used frames and stores *n_out <= max_out
 * frames in dst. While input is left or, at the end, until *n_out is 0, call again. Errors: RSD_ERR_MEMORY. */
RsdStatus resampler_process(Resampler *resampler, const float *src, size_t n_in, size_t *n_used, float *dst,
                            size_t max_out, size_t *n_out, RsdError *err);

int64_t resampler_out_len(int64_t n, int in_hz, int out_hz);

/* One channel at once: *out [resampler_out_len(n)], owned by the caller (mem_free). */
RsdStatus resample_signal(const float *src, int64_t n, int in_hz, int out_hz, float **out, int64_t *n_out,
                          RsdError *err);

#endif
