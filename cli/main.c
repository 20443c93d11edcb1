/* main.c - the residua program: finds the command and runs it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/manual.h"
#include "cli/version.h"
#include "engine/base/program_heap.h"

static int help(int argc, char **argv)
{
    const Command *command;

    if (argc < 2) {
        manual_print_overview(stdout);
        return EXIT_DONE;
    }
    if (!strcmp(argv[1], "--man") || !strcmp(argv[1], "--bash")) {
        (argv[1][2] == 'm' ? manual_print_page : manual_print_completion)(stdout);
        return EXIT_DONE;
    }
    command = command_find(argv[1]);
    if (!command)
        return command_refuse(argv[1]);
    manual_print_help(stdout, command);
    return EXIT_DONE;
}

static int run(int argc, char **argv)
{
    const Command *command;

    if (argc < 2) {
        manual_print_overview(stderr);
        return EXIT_USAGE;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help"))
        return help(argc - 1, argv + 1);
    if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V"))
        return version_print(argc > 2 && (!strcmp(argv[2], "-v") || !strcmp(argv[2], "--verbose")));
    command = command_find(argv[1]);
    return command ? command->run(argc - 1, argv + 1) : command_refuse(argv[1]);
}

int main(int argc, char **argv)
{
    int code;

    program_heap_in_large_pages();
    code = run(argc, argv);

    /* Results that did not reach the disk are no results. */
    if ((fflush(stdout) != 0 || ferror(stdout)) && code == EXIT_DONE) {
        fprintf(stderr, "residua: standard output: cannot write: %s\n", strerror(errno));
        code = EXIT_SYSTEM;
    }
    return code;
}
