/* wav_stream.h - WAV of plain samples (integers, floats, G.711), read front to back as the bytes come.
 *
 * For pipes, where libavformat would wait for 64 KiB before it begins and for whole packets later, and for files that go on
 * behind the size in their header.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_WAV_STREAM_H
#define RESIDUA_WAV_STREAM_H

#include "media/audio_source.h"

#define WAV_START_SIZE 4096 /* a header that is longer, with pictures or a history in it, is left to libavformat */

/* What was read of an input that cannot go back. */
typedef struct WavStart {
    size_t size;
    uint8_t bytes[WAV_START_SIZE];
} WavStart;

/* fd: borrowed until close, at the start of the input. *out is NULL when that is no such WAV; then start holds all that was read of it.
 * Errors: RSD_ERR_IO, RSD_ERR_MEMORY; the sentence has no file name. */
RsdStatus wav_stream_open(AudioSource **out, WavStart *start, int fd, RsdError *err);

#endif
