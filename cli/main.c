/* main.c - the residua program: finds the command and runs it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/exit_code.h"
#include "cli/main.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/text.h"

typedef struct Command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} Command;

static const Command COMMANDS[] = {
    {"train", cli_train, "train a codec on folders of recordings"},
};
#define N_COMMANDS (sizeof COMMANDS / sizeof *COMMANDS)

static void print_usage(FILE *file)
{
    fputs("usage: residua COMMAND [options] inputs...\n\n", file);
    for (size_t i = 0; i < N_COMMANDS; i++)
        fprintf(file, "  %-8s %s\n", COMMANDS[i].name, COMMANDS[i].summary);
    fputs("\n`residua COMMAND --help` explains a command.\n", file);
}

static int refuse(const char *name)
{
    const char *names[N_COMMANDS], *near;

    for (size_t i = 0; i < N_COMMANDS; i++)
        names[i] = COMMANDS[i].name;
    near = text_nearest(name, names, N_COMMANDS);
    fprintf(stderr, "residua: there is no command '%s'%s%s%s\n", name, near ? "; did you mean '" : "", near ? near : "",
            near ? "'?" : "; `residua --help` lists them");
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_usage(stderr);
        return EXIT_USAGE;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
        print_usage(stdout);
        return EXIT_DONE;
    }
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (!strcmp(argv[1], COMMANDS[i].name))
            return COMMANDS[i].run(argc - 1, argv + 1);
    return refuse(argv[1]);
}
