/* report_run.h - the page about training runs.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_REPORT_RUN_H
#define RESIDUA_CLI_REPORT_RUN_H

#include "cli/json_line.h"
#include "trainer/landscape.h"
#include "trainer/run_history.h"

typedef struct RunReport {
    const char *const *dirs; /* [n] folders of runs */
    RunHistory *histories;   /* [n], of the same */
    size_t n;
    double refresh_s; /* the page loads itself anew after this time; 0: it does not */
    bool with_sound;  /* samples are put into it */
    const Landscape *landscapes; /* [n]; NULL: none */
} RunReport;

/* For report_write; ctx is a RunReport. Errors: RSD_ERR_IO, RSD_ERR_MEMORY. */
RsdStatus report_fill_run(void *ctx, JsonLine *data, RsdError *err);

#endif
