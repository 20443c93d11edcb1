/* image_nets.h - the networks that perceptual measures look through, each loaded from the user's published file.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_IMAGE_NETS_H
#define RESIDUA_IMAGE_NETS_H

#include "engine/base/error.h"

typedef struct ImageNets ImageNets;

#endif
