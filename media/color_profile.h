/* color_profile.h - what can be said of an ICC profile without a colour engine.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_COLOR_PROFILE_H
#define RESIDUA_COLOR_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All take any bytes. */

/* Why a profile cannot be kept with a picture of `channels` (its own words, constant), or NULL [ICC.1:2022, 7.2]. */
const char *color_profile_problem(const uint8_t *icc, size_t size, int channels);
/* True for profiles of RGB, which only pictures of three channels can have. */
bool color_profile_is_rgb(const uint8_t *icc, size_t size);
/* True for the plain kind that every colour engine understands: a white, of RGB three colours, and curves, all with sensible values, and
 * no tables [8.3.3, 8.4.3]. */
bool color_profile_is_plain(const uint8_t *icc, size_t size);

#endif
