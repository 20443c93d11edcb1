/* picture_window.h - the lines of a large picture that an encoder works on, out of all that come one after the other.
 *
 * An encoder goes through a picture from top to bottom, row of tiles after row of tiles, and asks for each with a margin. The window
 * keeps what it may ask for again: memory depends on the width of the picture, not on its height.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_PICTURE_WINDOW_H
#define RESIDUA_CLI_PICTURE_WINDOW_H

#include "media/image_lines.h"

#define WINDOW_KEPT 512 /* lines above the latest ones asked for that may still be asked for */

typedef struct PictureWindow PictureWindow;

/* lines: kept until close. Errors: RSD_ERR_MEMORY. */
RsdStatus picture_window_open(PictureWindow **out, ImageLines *lines, RsdError *err);
void picture_window_close(PictureWindow **window);

/* Lines y .. y + h - 1 are lines *first .. of *band, until the next call that needs later ones. Errors: RSD_ERR_ARG (they have passed),
 * those of image_lines_next. */
RsdStatus picture_window_need(PictureWindow *window, int64_t y, int64_t h, const Image **band, int64_t *first, RsdError *err);

#endif
