/* colour_map.h - colours for values.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_COLOUR_MAP_H
#define RESIDUA_CLI_COLOUR_MAP_H

#include "media/png_writer.h"

/* Black, violet, red, orange, light yellow: lightness rises all the way, and neighbours are equally far apart in OKLab, so
 * that equal differences of the values look equal, without colour too. */
void colour_map_heat(PngColour colours[256]);

#endif
