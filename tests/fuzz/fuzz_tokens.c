/* fuzz_tokens.c - token files of any bytes, .npy, JSON lines and raw: refused with a sentence, or read to an array of the shape
 * that is told. JSON lines of segments, too.
 *
 * The first byte says which notation the rest is in and what shape the user asked for.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/segment_tokens.h"
#include "cli/token_file.h"
#include "engine/weights/npy.h"

#define SEGMENTS 3 /* behind the values of TokenFormat */
#define N_NOTATIONS 4

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_seed(const char *folder, int number, uint8_t first, const void *data, size_t size)
{
    char path[4096];
    FILE *out;

    snprintf(path, sizeof path, "%s/%d", folder, number);
    out = fopen(path, "wb");
    if (!out || fputc(first, out) == EOF || fwrite(data, 1, size, out) != size || fclose(out) != 0)
        abort();
}

/* --make-corpus DIR: files of each notation, also with other numbers and axes than residua writes. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const char *const types[] = {"<u2", ">u2", "<i8", "|u1"};
    static const char lines[] = "{\"model\": \"m\", \"rate_hz\": 24000}\n{\"codes\": [[1, 2], [3, 4]]}\n"
                                "{\"t\": 1, \"codes\": [[65535, 0], [7, 8]]}\n";
    static const char segments[] = "{\"model\": \"m\", \"stages\": 2, \"samples\": 960}\n{\"scale\": 0.5, \"codes\": [[1, 2], [3, 4]]}\n"
                                   "{\"scale\": 1e-3, \"codes\": [[65535], [7]]}\n";
    const char *folder = *argc == 3 && strcmp((*argv)[1], "--make-corpus") == 0 ? (*argv)[2] : NULL;

    if (!folder)
        return 0;
    for (int i = 0; i < 4; i++) {
        uint8_t bytes[NPY_HEADER_MAX + 96] = {0};
        size_t size = npy_write(bytes, types[i], 2 + i % 2, i % 2 ? (int64_t[]){1, 2, 6} : (int64_t[]){2, 6});

        write_seed(folder, i, TOKENS_NPY, bytes, size + 12 * (size_t)(types[i][2] - '0'));
    }
    write_seed(folder, 4, TOKENS_JSONL, lines, sizeof lines - 1);
    write_seed(folder, 5, TOKENS_RAW + N_NOTATIONS * 2 + 4 * N_NOTATIONS * 1, "\1\0\2\0\3\0\4\0", 8);
    write_seed(folder, 6, SEGMENTS, segments, sizeof segments - 1);
    exit(0);
}

static void read_segments(const uint8_t *data, size_t size)
{
    EcdcSegments s;
    RsdError err = {RSD_OK, ""};
    int64_t sum = 0;

    if (segment_tokens_parse(&s, data, size, "input", &err) != RSD_OK) {
        if (strncmp(err.text, "input", 5) != 0)
            abort();
    } else {
        for (size_t i = 0; i < s.n_segments; i++)
            for (int64_t k = 0; k < s.n_stages * s.items[i].n_frames; k++)
                sum += s.codes[s.items[i].first + (size_t)k];
        if (sum < 0 || s.n_samples < 0 || (s.n_segments > 0 && s.n_stages < 1))
            abort();
    }
    ecdc_segments_clear(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Tokens tokens = {0};
    RsdError err = {RSD_OK, ""};
    int64_t count, sum = 0;

    if (size == 0)
        return 0;
    if (data[0] % N_NOTATIONS == SEGMENTS) {
        read_segments(data + 1, size - 1);
        return 0;
    }
    tokens.n_stages = data[0] / N_NOTATIONS % 4;
    tokens.channels = data[0] / (4 * N_NOTATIONS) % 3;
    if (tokens_parse(&tokens, data + 1, size - 1, (TokenFormat)(data[0] % N_NOTATIONS), "input", &err) != RSD_OK) {
        if (strncmp(err.text, "input", 5) != 0)
            abort();
    } else {
        count = tokens.channels * tokens.n_stages * tokens.n_frames;
        if (tokens.channels < 1 || tokens.channels > TOKENS_MAX_CHANNELS || tokens.n_stages < 1 ||
            tokens.n_stages > TOKENS_MAX_STAGES || tokens.n_frames < 0)
            abort();
        for (int64_t i = 0; i < count; i++) /* all of them are there */
            sum += tokens.codes[i];
        if (sum < 0)
            abort();
    }
    tokens_clear(&tokens);
    return 0;
}
