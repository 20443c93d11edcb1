/* sndfile_source.h - WAV, FLAC and AIFF files as an AudioSource; the reading half of the door to libsndfile.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_SNDFILE_SOURCE_H
#define RESIDUA_SNDFILE_SOURCE_H

#include "media/audio_source.h"

/* True when the file (seekable) starts like WAV (RIFF, RIFX, RF64), FLAC or AIFF. */
bool sndfile_source_knows(int fd);

/* fd is borrowed until close. Errors: RSD_ERR_UNSUPPORTED (a coding libsndfile does not read: libavformat may),
 * RSD_ERR_CORRUPT, RSD_ERR_IO, RSD_ERR_MEMORY; the sentence has no file name. */
RsdStatus sndfile_source_open(AudioSource **out, int fd, RsdError *err);

#endif
