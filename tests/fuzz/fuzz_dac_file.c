/* fuzz_dac_file.c - .dac files of any bytes: refused, or read to numbers in range that are written and read again.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/dac_file.h"
#include "engine/base/mem.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* --make-corpus DIR: one small file of each kind. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    for (int i = 0; *argc == 3 && strcmp((*argv)[1], "--make-corpus") == 0 && i < 2; i++) {
        uint16_t codes[24] = {1, 2, 3};
        DacFile file = {.channels = 1 + i, .n_stages = 3, .n_frames = 4, .codes = codes, .chunk_length = 2 + i,
                        .original_length = 1000, .sample_rate_hz = 44100, .input_db = -20.0f, .padding = i == 0};
        char path[4096];
        uint8_t *data;
        size_t size;
        FILE *out;

        snprintf(path, sizeof path, "%s/%d.dac", (*argv)[2], i);
        if (dac_file_print(&data, &size, &file, NULL) != RSD_OK || !(out = fopen(path, "wb")) ||
            fwrite(data, 1, size, out) != size || fclose(out) != 0)
            abort();
        mem_free(&data);
        if (i == 1)
            exit(0);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    DacFile file, again;
    uint8_t *printed;
    size_t printed_size;
    RsdError err = {RSD_OK, ""};

    if (dac_file_parse(&file, data, size, "input", &err) != RSD_OK) {
        if (err.text[0] == '\0')
            abort();
        return 0;
    }
    if (dac_file_print(&printed, &printed_size, &file, &err) != RSD_OK)
        abort();
    if (dac_file_parse(&again, printed, printed_size, "again", &err) != RSD_OK || again.n_frames != file.n_frames ||
        again.original_length != file.original_length ||
        memcmp(again.codes, file.codes,
               (size_t)file.channels * (size_t)file.n_stages * (size_t)file.n_frames * sizeof *file.codes) != 0)
        abort();
    mem_free(&printed);
    dac_file_clear(&file);
    dac_file_clear(&again);
    return 0;
}
