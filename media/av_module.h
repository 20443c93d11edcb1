/* av_module.h - the interface between residua and its module residua-av.so, which alone links libavformat and friends.
 *
 * Loading those libraries takes about 60 ms, three times what the program may need to start, so they live in a shared
 * object of their own (media/libav/) that is opened when a file needs it. The module exports one function that
 * returns one table; it uses nothing of the program.
 *
 * The module is looked for in each directory of the environment variable RESIDUA_MODULES (separated by colons), then
 * beside the running program and up to two directories above (build tree) and in ../lib/residua from there (a moved
 * installation), the same for the library this code is in, then in the configured $(libdir)/residua.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_AV_MODULE_H
#define RESIDUA_AV_MODULE_H

#include "media/audio_source.h"
#include "media/peer_codec.h"
#include "media/peer_file.h"

#define AV_MODULE_FILE "residua-av.so"
#define AV_MODULE_SYMBOL "residua_av_module"
#define AV_MODULE_VERSION 3 /* goes up with any change of AvModule, AudioSource or PeerOptions */

typedef struct AvModule {
    int version;

    /* Opens the audio of fd (borrowed until close; read from its current position, from 0 when seekable).
     * name: of the file, "-" for standard input; its ending decides where the contents cannot (G.722 and others without a
     * header). It is never opened.
     * Errors: RSD_ERR_CORRUPT, RSD_ERR_UNSUPPORTED, RSD_ERR_IO, RSD_ERR_MEMORY; the sentence has no file name. */
    RsdStatus (*audio_open)(AudioSource **out, int fd, bool seekable, const char *name, RsdError *err);

    /* peer_codec.h; *decoded_48k [n_decoded] at 48 kHz without pre-skip, freed with peer_free. */
    RsdStatus (*peer_opus)(const float *samples, int64_t n_samples, const PeerOptions *options, float **decoded_48k,
                           int64_t *n_decoded, PeerResult *result, RsdError *err);
    void (*peer_free)(float *decoded_48k);

    /* peer_file.h; *bytes is freed with file_free. */
    RsdStatus (*file_rate)(int *supported_hz, const PeerFormat *format, int rate_hz, RsdError *err);
    RsdStatus (*file_encode)(uint8_t **bytes, size_t *size, const PeerFormat *format, const float *samples, int channels,
                             int64_t n, int rate_hz, RsdError *err);
    void (*file_free)(uint8_t *bytes);

    /* "libavformat 59.27.100, libavcodec 59.37.100", for --version -v. */
    const char *(*describe)(void);
} AvModule;

typedef const AvModule *(*AvModuleEntry)(void);

/* The table, opened on the first call; any thread. Errors: RSD_ERR_UNSUPPORTED listing where it was looked for. */
RsdStatus av_module_get(const AvModule **out, RsdError *err);

#endif
