/* jp2_file.c - the one door to OpenJPEG: a picture as a JP2 file. (libavcodec's wrapper leaves the colour transform of JPEG 2000 off.)
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "media/libav/av_parts.h"

#ifdef RESIDUA_HAVE_OPENJPEG
#include <libavutil/mem.h>
#include <openjpeg.h>

#define CHUNK_SIZE 65536
#define USUAL_RESOLUTIONS 6

/* ---- memory as a file ---- */

typedef struct Memory {
    uint8_t *bytes;
    size_t size, capacity, at;
} Memory;

static bool reach(Memory *m, size_t end)
{
    if (end > m->capacity) {
        const size_t capacity = 2 * end + CHUNK_SIZE;
        uint8_t *bytes = av_realloc(m->bytes, capacity);

        if (!bytes)
            return false;
        m->bytes = bytes;
        m->capacity = capacity;
    }
    if (end > m->size) {
        memset(m->bytes + m->size, 0, end - m->size);
        m->size = end;
    }
    return true;
}

static OPJ_SIZE_T write_memory(void *data, OPJ_SIZE_T size, void *ctx)
{
    Memory *m = ctx;

    if (!reach(m, m->at + size))
        return (OPJ_SIZE_T)-1;
    memcpy(m->bytes + m->at, data, size);
    m->at += size;
    return size;
}

static OPJ_OFF_T skip_memory(OPJ_OFF_T n, void *ctx)
{
    Memory *m = ctx;

    if (n < 0 || !reach(m, m->at + (size_t)n))
        return -1;
    m->at += (size_t)n;
    return n;
}

static OPJ_BOOL seek_memory(OPJ_OFF_T to, void *ctx)
{
    Memory *m = ctx;

    if (to < 0 || !reach(m, (size_t)to))
        return OPJ_FALSE;
    m->at = (size_t)to;
    return OPJ_TRUE;
}

static opj_stream_t *open_stream(Memory *m)
{
    opj_stream_t *stream = opj_stream_create(CHUNK_SIZE, OPJ_FALSE);

    if (stream) {
        opj_stream_set_user_data(stream, m, NULL);
        opj_stream_set_write_function(stream, write_memory);
        opj_stream_set_skip_function(stream, skip_memory);
        opj_stream_set_seek_function(stream, seek_memory);
    }
    return stream;
}

/* ---- the picture ---- */

static opj_image_t *image_of(const AvPicture *picture)
{
    opj_image_cmptparm_t plane = {
        .dx = 1, .dy = 1, .w = (OPJ_UINT32)picture->width, .h = (OPJ_UINT32)picture->height, .prec = 8};
    opj_image_cmptparm_t planes[] = {plane, plane, plane};
    const bool is_grey = picture->channels == 1;
    opj_image_t *image = opj_image_create(is_grey ? 1 : 3, planes, is_grey ? OPJ_CLRSPC_GRAY : OPJ_CLRSPC_SRGB);

    if (!image)
        return NULL;
    image->x1 = plane.w;
    image->y1 = plane.h;
    for (int c = 0; c < picture->channels; c++)
        for (int y = 0; y < picture->height; y++)
            for (int x = 0; x < picture->width; x++)
                image->comps[c].data[(size_t)y * plane.w + (size_t)x] = picture->plane[c][y * picture->stride[c] + x];
    return image;
}

static opj_cparameters_t parameters_of(const AvPicture *picture, double ratio)
{
    const int side = picture->width < picture->height ? picture->width : picture->height;
    opj_cparameters_t p;

    opj_set_default_encoder_parameters(&p);
    p.irreversible = 1;
    p.tcp_mct = picture->channels == 3;
    p.tcp_numlayers = 1;
    p.tcp_rates[0] = (float)ratio;
    p.cp_disto_alloc = 1;
    p.numresolution = 1;
    while (p.numresolution < USUAL_RESOLUTIONS && 1 << p.numresolution <= side)
        p.numresolution++;
    return p;
}

RsdStatus jp2_file_encode(uint8_t **bytes, size_t *size, const AvPicture *picture, double ratio, RsdError *err)
{
    opj_cparameters_t parameters = parameters_of(picture, ratio);
    opj_image_t *image = image_of(picture);
    opj_codec_t *codec = opj_create_compress(OPJ_CODEC_JP2);
    Memory memory = {0};
    opj_stream_t *stream = open_stream(&memory);
    RsdStatus status = RSD_OK;

    CHECK(image && codec && stream, err, RSD_ERR_MEMORY, "no memory for a JPEG 2000 file");
    CHECK(opj_setup_encoder(codec, &parameters, image) && opj_start_compress(codec, image, stream) &&
              opj_encode(codec, stream) && opj_end_compress(codec, stream),
          err, RSD_ERR_UNSUPPORTED, "OpenJPEG cannot code %d x %d pixels 1 : %g", picture->width, picture->height, ratio);
    opj_stream_destroy(stream); /* writes what it still holds */
    stream = NULL;
    *bytes = memory.bytes;
    *size = memory.size;
    memory.bytes = NULL;
fail:
    if (stream)
        opj_stream_destroy(stream);
    if (codec)
        opj_destroy_codec(codec);
    opj_image_destroy(image);
    av_free(memory.bytes);
    return status;
}

#else

RsdStatus jp2_file_encode(uint8_t **bytes, size_t *size, const AvPicture *picture, double ratio, RsdError *err)
{
    (void)bytes, (void)size, (void)picture, (void)ratio;
    return error_set(err, RSD_ERR_UNSUPPORTED,
                     "this build has no OpenJPEG; install libopenjp2-7-dev (Debian) and run ./configure again");
}

#endif
