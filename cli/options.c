/* options.c - parsing by table.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/options.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"

#define CHOICES_SIZE 128

static const Option *find_long(const Command *command, const char *name, size_t len)
{
    for (size_t i = 0; i < command->n_options; i++)
        if (strlen(command->options[i].name) == len && !strncmp(command->options[i].name, name, len))
            return &command->options[i];
    return NULL;
}

/* of_number: the option that takes a number, where one does. */
static const Option *find_short(const Command *command, char letter, bool of_number)
{
    const Option *found = NULL;

    for (size_t i = 0; i < command->n_options; i++) {
        const Option *option = &command->options[i];

        if (option->letter != letter)
            continue;
        if (!found || (option->kind == OPTION_COUNT) == of_number)
            found = option;
    }
    return found;
}

static RsdStatus refuse_long(const Command *command, const char *name, size_t len, RsdError *err)
{
    const char *names[64], *near;
    char word[64];
    size_t n = command->n_options < 64 ? command->n_options : 64;
    const Command *owner;

    snprintf(word, sizeof word, "%.*s", (int)(len < 60 ? len : 60), name);
    owner = command_with_option(word);
    if (owner)
        return error_set(err, RSD_ERR_ARG, "there is no option --%s; residua %s has one", word, owner->name);
    for (size_t i = 0; i < n; i++)
        names[i] = command->options[i].name;
    near = text_nearest(word, names, n);
    return error_set(err, RSD_ERR_ARG, "there is no option --%s%s%s%s", word, near ? "; did you mean --" : "",
                     near ? near : "", near ? "?" : "");
}

static RsdStatus refuse_choice(const Option *option, const char *value, RsdError *err)
{
    char list[CHOICES_SIZE] = "";
    size_t used = 0;

    for (size_t i = 0; option->choices[i] && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", option->choices[i]);
    return error_set(err, RSD_ERR_ARG, "--%s %.40s: possible are %s", option->name, value, list);
}

static RsdStatus parse_number(double *number, const Option *option, const char *value, RsdError *err)
{
    char least[QUANTITY_TEXT_SIZE], most[QUANTITY_TEXT_SIZE];
    bool whole = option->kind == OPTION_COUNT;
    RsdStatus status = text_parse_quantity(number, value, option->unit, err);

    if (status != RSD_OK)
        return error_prefix(err, status, "--%s", option->name);
    if (*number < option->min || *number > option->max || (whole && *number != floor(*number)))
        return error_set(err, RSD_ERR_ARG, "--%s %.40s: %s%s to %s are possible", option->name, value,
                         whole ? "whole numbers from " : "", text_print_quantity(least, option->min, option->unit),
                         text_print_quantity(most, option->max, option->unit));
    return RSD_OK;
}

static RsdStatus store(void *request, const Option *option, const char *value, RsdError *err)
{
    void *field = (char *)request + option->offset;
    TextList *list = field;
    double number = 0.0;
    RsdStatus status = RSD_OK;

    switch (option->kind) {
    case OPTION_SWITCH:
        *(bool *)field = true;
        break;
    case OPTION_TEXT:
        CHECK(*value, err, RSD_ERR_ARG, "--%s: %s is missing", option->name, option->value);
        *(const char **)field = value;
        break;
    case OPTION_LIST:
        CHECK(list->n < MAX_LIST, err, RSD_ERR_ARG, "--%s was given more than %d times", option->name, MAX_LIST);
        list->items[list->n++] = value;
        break;
    case OPTION_COUNT:
        TRY(parse_number(&number, option, value, err));
        *(int *)field = (int)number;
        break;
    case OPTION_QUANTITY:
        TRY(parse_number(&number, option, value, err));
        *(double *)field = number;
        break;
    case OPTION_CHOICE:
        for (int i = 0; option->choices[i]; i++)
            if (!strcmp(option->choices[i], value)) {
                *(int *)field = i;
                return RSD_OK;
            }
        return refuse_choice(option, value, err);
    }
fail:
    return status;
}

static bool takes_many(const Option *option)
{
    size_t len = option->value ? strlen(option->value) : 0;

    return option->kind == OPTION_LIST && len > 3 && !strcmp(option->value + len - 3, "...");
}

/* The value attached to the option, or the next argument, and for lists those after it. */
static RsdStatus take_values(void *request, const Option *option, const char *attached, int argc, char **argv, int *at,
                             RsdError *err)
{
    RsdStatus status = RSD_OK;

    if (!attached) {
        CHECK(*at + 1 < argc, err, RSD_ERR_ARG, "--%s needs a value: %s", option->name, option->value);
        attached = argv[++*at];
    }
    TRY(store(request, option, attached, err));
    while (takes_many(option) && *at + 1 < argc && argv[*at + 1][0] != '-')
        TRY(store(request, option, argv[++*at], err));
fail:
    return status;
}

static RsdStatus take_long(const Command *command, void *request, int argc, char **argv, int *at, RsdError *err)
{
    const char *name = argv[*at] + 2, *equals = strchr(name, '=');
    size_t len = equals ? (size_t)(equals - name) : strlen(name);
    const Option *option = find_long(command, name, len);

    if (!option)
        return refuse_long(command, name, len, err);
    if (option->kind != OPTION_SWITCH)
        return take_values(request, option, equals ? equals + 1 : NULL, argc, argv, at, err);
    if (equals)
        return error_set(err, RSD_ERR_ARG, "--%s takes no value", option->name);
    return store(request, option, NULL, err);
}

static bool is_number(const char *word)
{
    return *word && strspn(word, "0123456789") == strlen(word);
}

static RsdStatus take_short(const Command *command, void *request, int argc, char **argv, int *at, RsdError *err)
{
    RsdStatus status = RSD_OK;

    for (const char *letter = argv[*at] + 1; *letter; letter++) {
        const char *follows = letter[1] ? letter + 1 : *at + 1 < argc ? argv[*at + 1] : "";
        const Option *option = find_short(command, *letter, is_number(follows));

        CHECK(option, err, RSD_ERR_ARG, "there is no option -%c", *letter);
        if (option->kind != OPTION_SWITCH)
            return take_values(request, option, letter[1] ? letter + 1 : NULL, argc, argv, at, err);
        TRY(store(request, option, NULL, err));
    }
fail:
    return status;
}

RsdStatus options_parse(const Command *command, void *request, int argc, char **argv, size_t *n_operands, RsdError *err)
{
    bool ended = false;
    RsdStatus status = RSD_OK;

    *n_operands = 0;
    for (int i = 1; i < argc; i++) {
        if (ended || argv[i][0] != '-' || !argv[i][1])
            argv[(*n_operands)++] = argv[i];
        else if (!strcmp(argv[i], "--"))
            ended = true;
        else if (argv[i][1] == '-')
            TRY(take_long(command, request, argc, argv, &i, err));
        else
            TRY(take_short(command, request, argc, argv, &i, err));
    }
fail:
    return status;
}
