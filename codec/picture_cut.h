/* picture_cut.h - a picture of codes with fewer stages: the same packets without the streams of the upper ones (docs/format.md).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_PICTURE_CUT_H
#define RESIDUA_PICTURE_CUT_H

#include "codec/picture_reader.h"

typedef struct PictureCutOptions {
    RsdReadFn read;
    void *read_ctx;
    const char *name; /* kept; for messages */
    RsdWriteFn write;
    void *write_ctx;
    int n_stages; /* that stay, 1 or more; a stream that has no more is copied */
} PictureCutOptions;

/* No model is needed. *info (may be NULL) describes the result. Damage ends it. Errors: RSD_ERR_ARG, RSD_ERR_UNSUPPORTED (a picture whose
 * tiles have no stages), RSD_ERR_CORRUPT, those of read and write, RSD_ERR_MEMORY. */
RsdStatus picture_cut(PictureInfo *info, const PictureCutOptions *options, RsdError *err);

#endif
