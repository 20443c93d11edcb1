/* audio_codec_file.h - a codec from an open model file; for audio_codec_file.c and builtin.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_AUDIO_CODEC_FILE_H
#define RESIDUA_AUDIO_CODEC_FILE_H

#include "models/audio_codec.h"

/* A codec for inference whose weights are still undefined. Errors: RSD_ERR_ARG, RSD_ERR_MEMORY. */
RsdStatus audio_codec_create_empty(AudioCodec **out, const AudioCodecConfig *cfg, AudioCodecUse use, RsdError *err);
/* From an open file with this hash. Errors: as audio_codec_load. */
RsdStatus audio_codec_from_safetensors(AudioCodec **out, const Safetensors *st, const uint8_t hash[MODEL_HASH_SIZE],
                                       AudioCodecUse use, RsdError *err);

#endif
