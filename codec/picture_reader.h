/* picture_reader.h - the packets of a picture stream in order: waits for bytes, checks, finds the way again after damage.
 *
 * What counts as damage and what follows from it is docs/format.md, "Pictures".
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_PICTURE_READER_H
#define RESIDUA_PICTURE_READER_H

#include "codec/picture_format.h"

typedef struct PictureReader PictureReader;

typedef struct PictureReaderOptions {
    RsdReadFn read;
    void *read_ctx;
    const char *name;   /* kept; NULL: "stream" */
    const char *advice; /* what to do about damage, added to the error; kept; may be NULL */
    bool keep_going;
    RsdDamageFn on_damage; /* may be NULL */
    void *damage_ctx;
} PictureReaderOptions;

typedef struct PictureReport {
    int64_t n_bytes;      /* read so far, header included */
    int64_t n_tiles;      /* tiles that were there */
    int64_t n_lost;       /* tiles that were not, or not whole, as far as read */
    int64_t n_alpha_lost; /* tiles without their opacity */
    int64_t chunk_sizes[PICTURE_N_CHUNKS]; /* of the first of each kind, 0 for none */
    bool complete;        /* the last packet was there */
} PictureReport;

/* Reads the header. Errors: those of header_probe_any, picture_header_parse, read; RSD_ERR_MEMORY. */
RsdStatus picture_reader_open(PictureReader **out, const PictureReaderOptions *options, RsdError *err);
void picture_reader_close(PictureReader **reader);

/* The next packet of a tile or a chunk; valid until the next call. *found false after the last packet, or, when keeping going,
 * where the bytes end; before that comes the tile that they end in, if they do (is_cut). Tiles come in order, the opacity of a tile
 * behind its colours; what is missing is counted and told, once. Errors: RSD_ERR_CORRUPT (strict: any damage, naming place and tile),
 * those of read. Not to be called after an error. */
RsdStatus picture_reader_next(PictureReader *reader, PicturePacket *packet, bool *found, RsdError *err);

const PictureInfo *picture_reader_info(const PictureReader *reader);
/* [info.header_size] as they are in the stream, with what this version does not know. */
const uint8_t *picture_reader_header(const PictureReader *reader);
const PictureReport *picture_reader_report(const PictureReader *reader);
const char *picture_reader_name(const PictureReader *reader);

/* Reads everything and checks it, without a model. *info is zeroed when there is no header. The first damage is the error,
 * *report tells about the rest. */
RsdStatus picture_scan(PictureInfo *info, PictureReport *report, RsdReadFn read, void *read_ctx, const char *name,
                       RsdError *err);

#endif
