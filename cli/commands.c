/* commands.c - the list of commands.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/commands.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/manual.h"

#define MAX_COMMANDS 16

const Command *const COMMANDS[] = {&cli_encode, &cli_decode, &cli_info,  &cli_cut, &cli_tokens, &cli_eval,
                                   &cli_bench,  &cli_losses, &cli_train, &cli_report, &cli_convert, NULL};

const Command *command_find(const char *name)
{
    for (size_t i = 0; COMMANDS[i]; i++)
        if (!strcmp(COMMANDS[i]->name, name))
            return COMMANDS[i];
    return NULL;
}

const Command *command_with_option(const char *name)
{
    for (size_t i = 0; COMMANDS[i]; i++)
        for (size_t k = 0; k < COMMANDS[i]->n_options; k++)
            if (!strcmp(COMMANDS[i]->options[k].name, name))
                return COMMANDS[i];
    return NULL;
}

int command_refuse(const char *name)
{
    const char *names[MAX_COMMANDS], *near;
    size_t n = 0;

    for (; COMMANDS[n] && n < MAX_COMMANDS; n++)
        names[n] = COMMANDS[n]->name;
    near = text_nearest(name, names, n);
    fprintf(stderr, "residua: there is no command '%.60s'%s%s%s\n", name, near ? "; did you mean '" : "",
            near ? near : "", near ? "'?" : "; `residua --help` lists them");
    return EXIT_USAGE;
}

bool command_begin(const Command *command, void *request, int argc, char **argv, size_t *n_operands, Console *console,
                   int *code)
{
    RsdError err = {0};
    const CommonRequest *common = request;
    RsdStatus status = options_parse(command, request, argc, argv, n_operands, &err);

    if (common->help) {
        manual_print_help(stdout, command);
        *code = EXIT_DONE;
        return false;
    }
    if (status != RSD_OK) {
        *code = command_misused(command, "%s", err.text);
        return false;
    }
    console_open(console, common);
    return true;
}

int command_misused(const Command *command, const char *format, ...)
{
    va_list args;

    fputs("residua: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n`residua %s --help` explains the options\n", command->name);
    return EXIT_USAGE;
}
