/* dac_names.h - what the published files of DAC call our parameters.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_DAC_NAMES_H
#define RESIDUA_DAC_NAMES_H

#include <stdbool.h>

#include "models/dac.h"

#define DAC_NAME_SIZE 96

typedef enum DacNaming {
    DAC_NAMES_ORIGINAL, /* the authors' torch files: "encoder.block.1.block.0.block.1.weight_v" */
    DAC_NAMES_HUB       /* safetensors of the model hub: "encoder.block.0.res_unit1.conv1.weight" */
} DacNaming;

/* theirs: the name of our parameter `ours` (models/dac.h, models/projected_rvq.h) in a file of that kind; a weight under
 * weight norm ends in "weight" all the same. False when it is none of DAC's. */
bool dac_name_in(char theirs[DAC_NAME_SIZE], const char *ours, DacNaming naming, const DacConfig *cfg);

#endif
