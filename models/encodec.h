/* encodec.h - published EnCodec models: files of the original code and of the model hub become an AudioCodec.
 *
 * Sizes come from the shapes of the arrays. What shapes do not tell comes from a configuration of the hub, if the checkpoint
 * has one (checkpoint_add_config), or else is that of the published model with the same normalisation:
 *
 *   weight norm  encodec_24khz: 24 kHz, causal, whole file
 *   group norm   encodec_48khz: 48 kHz, not causal, segments of 1 s that overlap by 1 %, each scaled to unit RMS
 *
 * [1] audio.md 1.5, 1.14.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_ENCODEC_H
#define RESIDUA_ENCODEC_H

#include "engine/weights/checkpoint.h"
#include "models/audio_codec.h"

/* True when the arrays have the names of an EnCodec model. */
bool encodec_is_model(const Checkpoint *file);

/* Frozen for inference. Errors: RSD_ERR_CORRUPT listing arrays that do not fit, RSD_ERR_UNSUPPORTED (a configuration that is
 * not EnCodec's), RSD_ERR_NUMERIC, RSD_ERR_MEMORY. */
RsdStatus encodec_import(AudioCodec **out, Checkpoint *file, AudioCodecUse use, RsdError *err);

#endif
