/* token_file.h - codes in files that other programs read: .npy, JSON lines, raw.
 *
 *   .npy    uint16, C order, [channels, stages, frames]; read: any integers, [stages, frames] too
 *   .jsonl  a line about the codes, then a line for each frame: {"codes": [[stage 0, stage 1, ...], ...]}, one list per channel
 *   raw     the numbers of the .npy file alone, little-endian
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_TOKEN_FILE_H
#define RESIDUA_CLI_TOKEN_FILE_H

#include <stdint.h>

#include "codec/residua.h"
#include "engine/base/atomic_file.h"

typedef enum TokenFormat { TOKENS_NPY, TOKENS_JSONL, TOKENS_RAW } TokenFormat;

#define TOKENS_MAX_CHANNELS 64
#define TOKENS_MAX_STAGES 64
#define TOKENS_MAX_FILE_SIZE ((size_t)1 << 31)

typedef struct Tokens {
    int channels, n_stages;
    int64_t n_frames;
    uint16_t *codes; /* [channels, n_stages, n_frames], owned */
} Tokens;

void tokens_clear(Tokens *tokens);

/* The format that a name's ending stands for, -1 for none. */
int token_format_of(const char *path);

/* model: whose codes these are, for the first line of JSON. Errors: those of atomic_file_write. */
RsdStatus tokens_write(const Tokens *tokens, TokenFormat format, const RsdModelInfo *model, AtomicFile *file, RsdError *err);

/* path "-": standard input. tokens->channels and n_stages are what a raw file has; those of the other formats are in the file
 * and must agree where they are not 0. Errors: RSD_ERR_IO, RSD_ERR_CORRUPT (damaged, of a wrong shape, numbers beyond
 * 0..65535; place and value are named), RSD_ERR_UNSUPPORTED (numbers that are no integers), RSD_ERR_MEMORY. */
RsdStatus tokens_read(Tokens *tokens, const char *path, TokenFormat format, RsdError *err);
/* The same from memory; name begins the messages. */
RsdStatus tokens_parse(Tokens *tokens, const uint8_t *data, size_t size, TokenFormat format, const char *name, RsdError *err);

#endif
