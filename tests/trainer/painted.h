/* painted.h - small pictures and a picture codec small enough to learn from them within a test.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TESTS_PAINTED_H
#define RESIDUA_TESTS_PAINTED_H

#include <stdint.h>

#include "trainer/config.h"

/* p0.png, p1.png, ...: soft blobs of colour, something that a small network learns in a few steps. */
void painted_write_all(const char *folder, uint32_t n);
void painted_tiny_config(TrainConfig *cfg);

#endif
