/* config_table.h - the table of all settings of a training run, and one value to and from text.
 *
 * Private to config.c and the tests.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CONFIG_TABLE_H
#define RESIDUA_CONFIG_TABLE_H

#include <stddef.h>

#include "engine/base/text.h"
#include "trainer/config.h"

typedef enum KeyType {
    KEY_INT,    /* int */
    KEY_INT64,  /* int64_t */
    KEY_FLOAT,  /* float */
    KEY_DOUBLE, /* double */
    KEY_BOOL,   /* bool: yes/no, true/false, on/off, 1/0 */
    KEY_NAME,   /* char[MODEL_NAME_SIZE]: letters, digits, - and _ */
    KEY_CHOICE, /* int: place in `choices` */
    KEY_INTS    /* int[max_count] with an int count at count_at: comma-separated */
} KeyType;

#define CONFIG_MAX_CHOICES 8

typedef struct ConfigKey {
    const char *section, *name;
    KeyType type;
    Unit unit;
    double low, high;
    const char *standard; /* default */
    size_t at;            /* offset in TrainConfig */
    const char *help;
    const char *choices[CONFIG_MAX_CHOICES];
    size_t count_at; /* KEY_INTS */
    int max_count;
} ConfigKey;

/* Ordered as in the printed configuration; keys of a section stand together. */
extern const ConfigKey CONFIG_KEYS[];
#define CONFIG_N_KEYS 170

#define CONFIG_N_SECTIONS 7
extern const char *const CONFIG_SECTIONS[CONFIG_N_SECTIONS];

/* NULL when there is none. */
const ConfigKey *config_key_find(const char *section, const char *name);

/* Reads text into cfg's field of this key. Errors: RSD_ERR_ARG saying what was found and what is possible. */
RsdStatus config_value_parse(TrainConfig *cfg, const ConfigKey *key, const char *text, RsdError *err);
/* A number in the key's unit and range; whole: without a fraction. */
RsdStatus config_number_parse(double *out, const char *text, const ConfigKey *key, bool whole, RsdError *err);

/* The value as config_value_parse reads it back, exactly. */
#define CONFIG_VALUE_SIZE 512
void config_value_print(char text[CONFIG_VALUE_SIZE], const TrainConfig *cfg, const ConfigKey *key);
/* Shortest decimal that reads back as the same float. */
void config_float_print(char *text, float value, Unit unit);

#endif
