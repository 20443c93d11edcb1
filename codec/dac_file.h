/* dac_file.h - files of the DAC tool (.dac), in memory: an .npy file of one pickled dictionary.
 *
 *   {'codes': uint16 [channels, stages, frames],
 *    'metadata': {'input_db', 'original_length', 'sample_rate', 'chunk_length', 'channels', 'padding', 'dac_version'}}
 *
 * Reading executes nothing: the pickle becomes a tree of plain values (engine/weights/pickle.h), in which only numpy's arrays
 * and numbers are understood. What is written, the Python tool opens. [audio.md 2.10]
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_DAC_FILE_H
#define RESIDUA_DAC_FILE_H

#include "engine/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DAC_FILE_MAX_CHANNELS 64
#define DAC_FILE_MAX_STAGES 64

#define DAC_FILE_MAX_SIZE ((size_t)1 << 30) /* of one that programs here read */

typedef struct DacFile {
    int channels, n_stages;
    int64_t n_frames;        /* of all chunks together */
    uint16_t *codes;         /* [channels, n_stages, n_frames], owned */
    int64_t chunk_length;    /* frames that are decoded at once; the last chunk may be shorter */
    int64_t original_length; /* samples per channel at sample_rate_hz */
    int sample_rate_hz;      /* of the recording; the model's may be another */
    float input_db;          /* loudness of the recording, LUFS */
    bool padding;            /* chunks were coded with zero padding; false: windows that overlap, without padding */
} DacFile;

/* name begins the messages. Errors: RSD_ERR_CORRUPT (damaged, or a field out of its range, named), RSD_ERR_UNSUPPORTED (another
 * version, a pickle that wants to import other things), RSD_ERR_MEMORY. */
RsdStatus dac_file_parse(DacFile *file, const uint8_t *data, size_t size, const char *name, RsdError *err);
void dac_file_clear(DacFile *file);
/* *data [*size] is the caller's (mem_free). Errors: RSD_ERR_MEMORY. */
RsdStatus dac_file_print(uint8_t **data, size_t *size, const DacFile *file, RsdError *err);

#endif
