/* eval_embeddings.h - `residua eval --embeddings` and `--fmd`: distances of two sets of embeddings.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_EVAL_EMBEDDINGS_H
#define RESIDUA_CLI_EVAL_EMBEDDINGS_H

#include <stdbool.h>

#include "engine/base/error.h"

#define KERNEL_MAX_ROWS 10000 /* its time grows with their square */

/* Both files hold one row per embedding, [n, dim] of float32 or float64. Prints the Frechet and, of at most KERNEL_MAX_ROWS
 * rows, the kernel distance as a table or as one JSON object. Errors: RSD_ERR_IO, RSD_ERR_CORRUPT, RSD_ERR_UNSUPPORTED, RSD_ERR_ARG,
 * RSD_ERR_NUMERIC, RSD_ERR_MEMORY; they name the file. */
RsdStatus eval_embeddings(const char *ref_path, const char *dist_path, bool json, RsdError *err);

/* Log mel statistics (losses/mel_embedding.h) of all recordings below a folder, or of one recording, in mono at 16 kHz. n_threads:
 * that look for the files; values do not depend on it. Prints as above. Errors: those of media_list_scan and of reading;
 * RSD_ERR_ARG (less than two rows of 0.96 s), RSD_ERR_MEMORY. */
RsdStatus eval_fmd(const char *ref_path, const char *dist_path, int n_threads, bool json, RsdError *err);

#endif
