/* ecdc_rig.h - what the tests of .ecdc files share: one of the two golden models of EnCodec, and coding with it in memory.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TESTS_ECDC_RIG_H
#define RESIDUA_TESTS_ECDC_RIG_H

#include "codec/ecdc.h"
#include "codec/model.h"
#include "tests/codec/streams.h"
#include "tests/shared.h"

#define ECDC_MONO "golden/encodec/mono24"
#define ECDC_STEREO "golden/encodec/stereo48style"
#define ECDC_NAME_SIZE 128

typedef struct EcdcRig {
    const char *root;
    AudioCodec *codec;
    RsdModel *model;
    RsdThreads *threads;
    json_t *index;
    Npy input; /* [channels, n] */
    RsdError err;
} EcdcRig;

/* root: ECDC_MONO or ECDC_STEREO; segment_seconds: instead of the model's own, 0 for these. */
void ecdc_rig_open(EcdcRig *rig, const char *root, double segment_seconds);
void ecdc_rig_close(EcdcRig *rig);
/* The path of a golden file of the model. */
const char *ecdc_golden(SharedPath *path, const EcdcRig *rig, const char *file);
void ecdc_load(Bytes *bytes, const char *path);

/* Encodes x [channels, n] in blocks; n_samples: what is announced. */
void ecdc_rig_encode(EcdcRig *rig, Bytes *out, const float *x, int64_t n, int n_stages, size_t block, int64_t n_samples,
                     const RsdLanguageModel *lm);
RsdStatus ecdc_rig_open_decoder(EcdcRig *rig, RsdDecoder **decoder, Bytes *in, const RsdLanguageModel *lm);
/* y [channels, n], decoded in blocks; returns the status of the last read and how many samples came. */
RsdStatus ecdc_rig_decode(EcdcRig *rig, Bytes *in, float *y, int64_t n, size_t block, int64_t *n_done,
                          const RsdLanguageModel *lm);

#endif
