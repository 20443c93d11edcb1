/* av_module_table.c - the one symbol residua-av.so exports.
 *
 * SPDX-License-Identifier: MIT
 */
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/log.h>
#include <stdio.h>

#include "media/av_module.h"
#include "media/libav/av_parts.h"

RSD_API const AvModule *residua_av_module(void);

static const char *describe(void)
{
    static char text[80]; /* the same words whoever writes them */

    snprintf(text, sizeof text, "libavformat %u.%u.%u, libavcodec %u.%u.%u", AV_VERSION_MAJOR(avformat_version()),
             AV_VERSION_MINOR(avformat_version()), AV_VERSION_MICRO(avformat_version()),
             AV_VERSION_MAJOR(avcodec_version()), AV_VERSION_MINOR(avcodec_version()),
             AV_VERSION_MICRO(avcodec_version()));
    return text;
}

const AvModule *residua_av_module(void)
{
    static const AvModule module = {
        .version = AV_MODULE_VERSION,
        .audio_open = av_audio_open,
        .peer_opus = av_peer_opus,
        .peer_free = av_peer_free,
        .file_rate = av_file_rate,
        .file_encode = av_file_encode,
        .file_free = av_file_free,
        .picture_decode = av_picture_decode,
        .picture_free = av_picture_free,
        .picture_encode = av_picture_encode,
        .bytes_free = av_bytes_free,
        .picture_file = av_picture_file,
        .describe = describe,
    };

    av_log_set_level(AV_LOG_QUIET); /* our own sentences say what is wrong */
    return &module;
}
