/* peer_file.c - hands the work to the module.
 *
 * SPDX-License-Identifier: MIT
 */
#include "media/peer_file.h"

#include <string.h>

#include "engine/base/mem.h"
#include "media/av_module.h"

RsdStatus peer_file_rate(int *supported_hz, const PeerFormat *format, int rate_hz, RsdError *err)
{
    const AvModule *module;
    RsdStatus status = av_module_get(&module, err);

    return status == RSD_OK ? module->file_rate(supported_hz, format, rate_hz, err) : status;
}

RsdStatus peer_file_encode(uint8_t **bytes, size_t *size, const PeerFormat *format, const float *samples, int channels,
                           int64_t n, int rate_hz, RsdError *err)
{
    const AvModule *module;
    uint8_t *made = NULL; /* by the module's allocator */
    RsdStatus status = RSD_OK;

    *bytes = NULL;
    *size = 0;
    CHECK(channels >= 1 && channels <= 2 && n >= 1, err, RSD_ERR_ARG, "%s: %d channels of %lld samples",
          format->encoder, channels, (long long)n);
    TRY(av_module_get(&module, err));
    TRY(module->file_encode(&made, size, format, samples, channels, n, rate_hz, err));
    TRY(mem_alloc(bytes, *size, 1, err));
    memcpy(*bytes, made, *size);
fail:
    if (made)
        module->file_free(made);
    return status;
}

RsdStatus peer_picture_encode(uint8_t **bytes, size_t *size, const PeerFormat *format, const Image *image, RsdError *err)
{
    const AvModule *module;
    AvPicture picture;
    uint8_t *made = NULL; /* by the module's allocator */
    RsdStatus status = RSD_OK;

    *bytes = NULL;
    *size = 0;
    CHECK(image->bits == 8 && !image->alpha, err, RSD_ERR_ARG, "%s: pictures of 8 bits without alpha are compared", format->encoder);
    TRY(av_module_get(&module, err));
    TRY(av_picture_of(&picture, image, false, err));
    TRY(module->picture_file(&made, size, format, &picture, err));
    TRY(mem_alloc(bytes, *size, 1, err));
    memcpy(*bytes, made, *size);
fail:
    if (made)
        module->bytes_free(made);
    return status;
}
