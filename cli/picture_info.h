/* picture_info.h - what `residua info` says about pictures.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_PICTURE_INFO_H
#define RESIDUA_CLI_PICTURE_INFO_H

#include "cli/byte_source.h"
#include "cli/json_line.h"

/* json NULL: text for people, on standard output. */
RsdStatus picture_info_stream(ByteSource *source, bool test, JsonLine *json, RsdError *err);
RsdStatus picture_info_model(const char *choice, JsonLine *json, RsdError *err);
RsdStatus picture_info_image(const char *path, JsonLine *json, RsdError *err);

#endif
