/* exit_code.c - statuses to exit codes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/exit_code.h"

int cli_exit_code(RsdStatus status)
{
    switch (status) {
    case RSD_OK:
        return EXIT_DONE;
    case RSD_ERR_ARG:
        return EXIT_USAGE;
    case RSD_ERR_CORRUPT:
    case RSD_ERR_UNSUPPORTED:
    case RSD_ERR_MODEL:
    case RSD_ERR_MODULE:
    case RSD_ERR_NUMERIC:
        return EXIT_DAMAGED;
    case RSD_ERR_IO:
    case RSD_ERR_MEMORY:
        return EXIT_SYSTEM;
    case RSD_ERR_INTERRUPTED:
    case RSD_ERR_EXISTS:
        return EXIT_SOME_FAILED;
    }
    return EXIT_SOME_FAILED;
}
