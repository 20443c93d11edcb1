/* model.h - RsdModel: a codec that can run as a stream, and what the public interface tells about it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CODEC_MODEL_H
#define RESIDUA_CODEC_MODEL_H

#include "codec/residua.h"
#include "models/audio_codec.h"

struct RsdModel {
    AudioCodec *codec;
    bool owns_codec;
    RsdModelInfo info;
};

/* rsd_model_open_file for one direction: the other one fails with RSD_ERR_ARG, and large networks take less memory. */
RsdStatus model_open_for(RsdModel **out, const char *path, AudioCodecUse use, RsdError *err);

/* For programs that have a codec in hand, a training run or a test: codec is kept until close and not freed; its plain
 * weights are computed now, so it must not be trained meanwhile. Errors: RSD_ERR_UNSUPPORTED (beyond the format's limits). */
RsdStatus model_from_codec(RsdModel **out, AudioCodec *codec, RsdError *err);

#endif
