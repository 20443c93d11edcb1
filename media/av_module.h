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
#define AV_MODULE_VERSION 8 /* goes up with any change of AvModule, AudioSource, PeerOptions, PeerFormat or AvPicture */

/* A picture on its way between residua and libavcodec. Samples are 8 bits, or 16 in host order, full range; lines of plane i
 * are stride[i] bytes apart. */
typedef struct AvPicture {
    int width, height;
    int channels, bits; /* as in media/image.h */
    int source_bits;
    bool has_more, lost_alpha;
    char format[16];
    const uint8_t *plane[4]; /* grey, or red, green, blue; [3] is alpha, NULL for none */
    ptrdiff_t stride[4];
    const uint8_t *icc; /* NULL for none */
    size_t icc_size;
    bool is_srgb, has_cicp; /* what the file says of its colours; cicp as in ImageColor */
    uint8_t cicp[4];
    const uint8_t *exif, *xmp; /* AVIF by libavif alone; NULL for none */
    size_t exif_size, xmp_size;
    int orientation; /* as EXIF counts, of what only the module can read; 0: it and metadata are to be looked for in the file */
    void *owner;
} AvPicture;

typedef struct AvModule {
    int version;

    /* Opens the audio of fd (borrowed until close; read from its current position, from 0 when seekable). start [start_size]: what was
     * read of a pipe before; borrowed until close.
     * name: of the file, "-" for standard input; its ending decides where the contents cannot (G.722 and others without a
     * header). It is never opened.
     * Errors: RSD_ERR_CORRUPT, RSD_ERR_UNSUPPORTED, RSD_ERR_IO, RSD_ERR_MEMORY; the sentence has no file name. */
    RsdStatus (*audio_open)(AudioSource **out, int fd, bool seekable, const uint8_t *start, size_t start_size, const char *name,
                            RsdError *err);

    /* peer_codec.h; *decoded_48k [n_decoded] at 48 kHz without pre-skip, freed with peer_free. */
    RsdStatus (*peer_opus)(const float *samples, int64_t n_samples, const PeerOptions *options, float **decoded_48k,
                           int64_t *n_decoded, PeerResult *result, RsdError *err);
    void (*peer_free)(float *decoded_48k);

    /* peer_file.h; *bytes is freed with file_free. */
    RsdStatus (*file_rate)(int *supported_hz, const PeerFormat *format, int rate_hz, RsdError *err);
    RsdStatus (*file_encode)(uint8_t **bytes, size_t *size, const PeerFormat *format, const float *samples, int channels,
                             int64_t n, int rate_hz, RsdError *err);
    void (*file_free)(uint8_t *bytes);

    /* Decodes the first picture of a file of `format` (as image_format_of names it; NULL: not known by its first bytes).
     * Errors: RSD_ERR_CORRUPT, RSD_ERR_UNSUPPORTED, RSD_ERR_MEMORY; the sentence has no file name. Free with picture_free. */
    RsdStatus (*picture_decode)(AvPicture *out, const uint8_t *data, size_t size, const char *format, int64_t max_pixels,
                                RsdError *err);
    void (*picture_free)(AvPicture *picture);
    /* Encodes to *bytes [*size], freed with bytes_free. format: "jpg", "webp", "avif", "jxl", "tiff", "bmp" or "pnm".
     * quality: 1 to 100. reduce: 16 bits may become 8. Errors: RSD_ERR_UNSUPPORTED, RSD_ERR_MEMORY. */
    RsdStatus (*picture_encode)(uint8_t **bytes, size_t *size, const AvPicture *picture, const char *format, int quality,
                                bool reduce, RsdError *err);
    void (*bytes_free)(uint8_t *bytes);
    /* peer_file.h; *bytes is freed with bytes_free. */
    RsdStatus (*picture_file)(uint8_t **bytes, size_t *size, const PeerFormat *format, const AvPicture *picture,
                              RsdError *err);

    /* "libavformat 59.27.100, libavcodec 59.37.100", for --version -v. */
    const char *(*describe)(void);
} AvModule;

typedef const AvModule *(*AvModuleEntry)(void);

/* The samples of an image, borrowed. Errors: RSD_ERR_UNSUPPORTED (more pixels a side than libavcodec takes). */
RsdStatus av_picture_of(AvPicture *out, const Image *image, bool drop_alpha, RsdError *err);

/* The table, opened on the first call; any thread. Errors: RSD_ERR_MODULE, saying what to do and where it was looked for. */
RsdStatus av_module_get(const AvModule **out, RsdError *err);

#endif
