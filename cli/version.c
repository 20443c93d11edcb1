/* version.c - what this program is made of.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/version.h"

#include <stdio.h>

#include "cli/exit_code.h"
#include "codec/residua.h"
#include "config.h"
#include "engine/kernels/kernels.h"
#include "media/av_module.h"
#include "models/builtin.h"

int version_print(bool verbose)
{
    const AvModule *module = NULL;
    RsdError err = {0};

    printf("residua %s\n", rsd_version());
    if (!verbose)
        return EXIT_DONE;
    printf("compiler   %s\n", RESIDUA_COMPILER);
    printf("kernels    %s\n", kernels_pick()->name);
    printf("format     .rsd version %d\n", RSD_FORMAT_VERSION);
    puts("libraries  " RESIDUA_LIBRARIES);
    if (av_module_get(&module, &err) == RSD_OK)
        puts("module     " RESIDUA_MODULE_LIBRARIES);
    else
        printf("module     none: %s\n", err.text);
    if (!builtin_models[0].name)
        printf("models     none built in\n");
    for (const BuiltinModel *model = builtin_models; model->name; model++) {
        printf("model      %s ", model->name);
        for (size_t i = 0; i < sizeof model->hash; i++)
            printf("%02x", model->hash[i]);
        printf(", %lld bytes\n", (long long)(model->end - model->data));
    }
    return EXIT_DONE;
}
