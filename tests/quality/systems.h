/* systems.h - the codecs that `make quality` compares, behind one function.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_QUALITY_SYSTEMS_H
#define RESIDUA_QUALITY_SYSTEMS_H

#include <stdbool.h>

#include "codec/residua.h"
#include "engine/base/error.h"

#define QUALITY_RATE_HZ 16000 /* at which everything is compared */

typedef enum SystemKind { SYSTEM_RESIDUA, SYSTEM_OPUS, SYSTEM_CODEC2 } SystemKind;

typedef struct QualitySystem {
    SystemKind kind;
    const char *name; /* "residua 6k" */
    int bitrate_bps;
} QualitySystem;

typedef struct CodedSignal {
    float *samples; /* [n], owned by the caller (mem_free) */
    int64_t n;
    int64_t n_bytes; /* residua: the whole .rsd stream; Opus: its packets; Codec 2: its frames */
} CodedSignal;

/* True when this build has the codec. */
bool system_is_available(const QualitySystem *system);

/* Codes mono x [n] at QUALITY_RATE_HZ and decodes it again to that rate. model is needed for SYSTEM_RESIDUA only.
 * Any thread. Errors: those of the codecs. */
RsdStatus system_code(CodedSignal *out, const QualitySystem *system, const RsdModel *model, const float *x, int64_t n,
                      RsdError *err);

/* codec2_peer.c: samples at 8 kHz in place, through libcodec2. Errors: RSD_ERR_UNSUPPORTED (not built in, no such
 * mode), RSD_ERR_MEMORY. */
bool codec2_is_available(void);
RsdStatus codec2_code(float *x, int64_t n, int bitrate_bps, int64_t *n_bytes, RsdError *err);

#endif
