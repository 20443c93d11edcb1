/* fuzz_config.c - configurations of training of any bytes: refused with the name of the file, or taken and printed to a text that
 * is read to the same configuration.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"
#include "tests/fuzz/demand.h"
#include "trainer/config_table.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* --make-corpus DIR: every key at its default, in small files of one section each, and values of the kinds that have units. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const char units[] = "; a comment\n[model]\nrate = 24kHz\nratios = 5, 4,2\n[data]\nsegment = 1500 ms ; inline\ncache = 64MiB\n"
                                "level_low = -20 dB\n[train]\nrates = 6k,1.5kbit/s\ntime_limit = 90m\n[loss]\nl1 = 0.1\nmel_dac = 2\n";
    FILE *file = NULL;
    char path[4096];

    if (*argc != 3 || strcmp((*argv)[1], "--make-corpus") != 0)
        return 0;
    for (size_t i = 0; i < CONFIG_N_KEYS; i++) {
        const ConfigKey *key = &CONFIG_KEYS[i];

        if (i == 0 || strcmp(key->section, CONFIG_KEYS[i - 1].section) != 0) {
            demand(!file || fclose(file) == 0);
            snprintf(path, sizeof path, "%s/%s.ini", (*argv)[2], key->section);
            demand((file = fopen(path, "w")) != NULL && fprintf(file, "[%s]\n", key->section) > 0);
        }
        fprintf(file, "%s = %s\n", key->name, key->standard);
    }
    demand(file && fclose(file) == 0);
    snprintf(path, sizeof path, "%s/units.ini", (*argv)[2]);
    demand((file = fopen(path, "w")) != NULL && fputs(units, file) >= 0 && fclose(file) == 0);
    exit(0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static TrainConfig cfg, again;
    RsdError err = {RSD_OK, ""};
    char *text = malloc(size + 1), *printed[2] = {NULL, NULL};

    memcpy(text, data, size);
    text[size] = '\0';
    train_config_init(&cfg);
    if (train_config_parse(&cfg, text, "fuzz.ini", &err) != RSD_OK) {
        demand(strncmp(err.text, "fuzz.ini", 8) == 0);
    } else {
        demand(train_config_print(&printed[0], &cfg, size % 2, &err) == RSD_OK);
        train_config_init(&again);
        demand(train_config_parse(&again, printed[0], "printed.ini", &err) == RSD_OK);
        demand(train_config_print(&printed[1], &again, size % 2, &err) == RSD_OK);
        demand(strcmp(printed[0], printed[1]) == 0);
        demand((train_config_check(&cfg, &err) == RSD_OK) == (train_config_check(&again, NULL) == RSD_OK));
    }
    train_config_init(&cfg);
    (void)train_config_set(&cfg, text, &err); /* section.key=value */
    mem_free(&printed[0]);
    mem_free(&printed[1]);
    free(text);
    return 0;
}
