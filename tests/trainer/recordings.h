/* recordings.h - folders of synthetic recordings for the trainer's tests.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TESTS_RECORDINGS_H
#define RESIDUA_TESTS_RECORDINGS_H

#include <stddef.h>

#include "trainer/config.h"

/* A new folder under $TMPDIR (or /tmp), removed with all it holds by recordings_remove. `path` is written. */
#define RECORDINGS_PATH_SIZE 256
void recordings_make_folder(char path[RECORDINGS_PATH_SIZE]);
void recordings_remove(const char *path);

/* folder/name as a 16-bit mono WAV file of a tone with vibrato at 8 kHz. */
void recordings_write_tone(const char *folder, const char *name, double seconds, double hz, double amplitude);
/* folder/name with exactly these bytes. */
void recordings_write_bytes(const char *folder, const char *name, const void *bytes, size_t size);
/* `count` tones of half a second to a second, tone-00.wav and so on. */
void recordings_write_tones(const char *folder, int count);

/* A model that trains in a fraction of a second on such a folder. */
void recordings_tiny_config(TrainConfig *cfg);

#endif
