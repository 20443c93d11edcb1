/* dac_import.h - DAC as published: the authors' torch files and the safetensors of the model hub.
 *
 * The network is built from the shapes of the arrays, which cannot contradict themselves; only the sampling rate comes from the
 * metadata.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_DAC_IMPORT_H
#define RESIDUA_DAC_IMPORT_H

#include "engine/weights/checkpoint.h"
#include "models/audio_codec.h"

/* Whether the file looks like DAC's. */
bool dac_import_matches(const Checkpoint *checkpoint);
/* A codec for inference called "dac_44khz" and the like; its hash is that of the file. Errors: RSD_ERR_CORRUPT (arrays are missing,
 * of another shape or not expected: they are listed; impossible sizes), RSD_ERR_UNSUPPORTED (no sampling rate), those of
 * checkpoint_read_f32. */
RsdStatus dac_import(AudioCodec **out, Checkpoint *checkpoint, AudioCodecUse use, RsdError *err);

#endif
