/* dac_window.h - one window of a .dac file through the network, in memory that does not depend on its length when it is decoded.
 *
 * Windows are coded each by itself [audio.md 2.10]. With zero padding a window is a whole signal. Without padding it gives fewer
 * frames, those that a whole signal would have there, and fewer samples, those of a whole signal but for its sides, where the
 * transposed convolutions miss their neighbours:
 *
 *   | reach | signal ... | reach |        zeros before and after
 *   |--- window 0 ---|                    gives dac_decoded_len samples
 *        |--- window 1 ---|               begins as many samples later
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_DAC_WINDOW_H
#define RESIDUA_DAC_WINDOW_H

#include "codec/model.h"

typedef struct DacWindow DacWindow;

/* Gets some samples of a window, in order. What it returns ends the decoding unless it is RSD_OK. */
typedef RsdStatus (*DacSampleSink)(void *ctx, const float *samples, int64_t n, RsdError *err);

/* model: a DAC, kept until close, as threads (NULL: one). Errors: RSD_ERR_ARG (another kind of model), RSD_ERR_MEMORY. */
RsdStatus dac_window_open(DacWindow **out, const RsdModel *model, RsdThreads *threads, int n_stages, DacPadding padding,
                          RsdError *err);
void dac_window_close(DacWindow **window);

/* x [n], n a multiple of the hop -> codes [n_stages, dac_encoded_len(n)]. The window is held in memory, some hundred times over
 * for a wide network. Errors: RSD_ERR_ARG (too short), RSD_ERR_MEMORY. */
RsdStatus dac_window_encode(DacWindow *window, const float *x, int64_t n, uint16_t *codes, RsdError *err);
/* codes [n_stages, n], row i at codes + i * stride -> dac_decoded_len(n) samples, piece by piece. Errors: RSD_ERR_CORRUPT (a code
 * out of range), RSD_ERR_MEMORY, those of sink. */
RsdStatus dac_window_decode(DacWindow *window, const uint16_t *codes, int64_t stride, int64_t n, DacSampleSink sink, void *ctx,
                            RsdError *err);

#endif
