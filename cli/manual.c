/* manual.c - the same tables three times: for reading at the terminal, for man, for bash.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/manual.h"

#include <string.h>

#include "cli/commands.h"
#include "codec/residua.h"

#define TEXT_COLUMNS 96
#define LEFT_COLUMNS 26

static const Explained EXIT_CODES[] = {
    {"0", "everything was done"},
    {"1", "one of several inputs failed, a limit was missed, the output exists, or training diverged"},
    {"2", "wrong usage"},
    {"3", "the input is damaged, holds numbers that are none or is not supported, or a stream needs another model"},
    {"4", "input, output or memory failed"},
    {"130", "Ctrl-C ended the work; what encode was searching for is written as good as it was by then"},
    {NULL, NULL},
};

static const Explained ENVIRONMENT[] = {
    {"RESIDUA_CPU", "ref, avx2 or avx512 forces a set of kernels."},
    {"RESIDUA_MODULES", "folders, separated by colons, that are searched for residua-av.so before all others."},
    {"TMPDIR", "the folder for temporary files: of samples on their way to and from .dac files (else /var/tmp or /tmp), and of what bench rd "
               "gives to other codecs (else /tmp)."},
    {NULL, NULL},
};

static const Explained SEPARATE_OPTIONS[] = {
    {"--version [-v]", "show the version; with -v the kernels, libraries and built-in models too"},
    {"--help, help COMMAND", "show help"},
    {"help --man, help --bash", "print the manual page, or the completion for bash"},
    {NULL, NULL},
};

/* ---- terminal ---- */

/* Words wrapped at TEXT_COLUMNS, every line but the first indented. */
static void print_wrapped(FILE *file, const char *text, int indent)
{
    int column = indent;

    while (*text) {
        int len = (int)strcspn(text, " \n");

        if (column > indent && column + 1 + len > TEXT_COLUMNS) {
            fprintf(file, "\n%*s", indent, "");
            column = indent;
        } else if (column > indent) {
            fputc(' ', file);
            column++;
        }
        fprintf(file, "%.*s", len, text);
        column += len;
        text += len;
        if (text[0] == '\n' && text[1] == '\n') {
            fprintf(file, "\n\n%*s", indent, "");
            column = indent;
        }
        text += strspn(text, " \n");
    }
    fputc('\n', file);
}

static void print_row(FILE *file, const char *left, const char *right)
{
    int len = (int)strlen(left);

    fprintf(file, "  %s", left);
    if (len > LEFT_COLUMNS)
        fprintf(file, "\n%*s", LEFT_COLUMNS + 4, "");
    else
        fprintf(file, "%*s", LEFT_COLUMNS + 2 - len, "");
    print_wrapped(file, right, LEFT_COLUMNS + 4);
}

static void print_rows(FILE *file, const char *title, const Explained *rows)
{
    fprintf(file, "\n%s\n", title);
    for (; rows->text; rows++)
        print_row(file, rows->text, rows->meaning);
}

static void print_option(FILE *file, const Option *option)
{
    char left[80], letter[8] = "    ";

    if (option->letter)
        snprintf(letter, sizeof letter, "-%c, ", option->letter);
    snprintf(left, sizeof left, "%s--%s%s%s", letter, option->name, option->value ? " " : "",
             option->value ? option->value : "");
    print_row(file, left, option->help);
}

void manual_print_overview(FILE *file)
{
    fputs("usage: residua COMMAND [options] inputs...\n\n"
          "A neural codec for sound and pictures: encodes them into small .rsd streams, decodes and\n"
          "measures them, and trains its models.\n\ncommands\n",
          file);
    for (size_t i = 0; COMMANDS[i]; i++)
        print_row(file, COMMANDS[i]->name, COMMANDS[i]->summary);
    print_rows(file, "other", SEPARATE_OPTIONS);
    print_rows(file, "exit codes", EXIT_CODES);
}

void manual_print_help(FILE *file, const Command *command)
{
    fprintf(file, "usage: residua %s %s\n\n", command->name, command->usage);
    print_wrapped(file, command->description, 0);
    fputs("\noptions\n", file);
    for (size_t i = 0; i < command->n_options; i++)
        print_option(file, &command->options[i]);
    if (command->json)
        print_rows(file, "fields of --json", command->json);
    fputs("\nexamples\n", file);
    for (const Explained *example = command->examples; example->text; example++)
        fprintf(file, "  residua %s %s\n      %s\n", command->name, example->text, example->meaning);
}

/* ---- man ---- */

/* Text in troff: hyphens that are typed, backslashes, and no line that begins like a request. */
static void print_roff(FILE *file, const char *text)
{
    bool fresh = true;

    for (; *text; text++) {
        if (text[0] == '\n' && text[1] == '\n') {
            fputs("\n.PP\n", file);
            text++;
            fresh = true;
            continue;
        }
        if (fresh && (*text == '.' || *text == '\''))
            fputs("\\&", file);
        if (*text == '-')
            fputs("\\-", file);
        else if (*text == '\\')
            fputs("\\e", file);
        else
            fputc(*text, file);
        fresh = *text == '\n';
    }
    fputc('\n', file);
}

static void print_roff_rows(FILE *file, const char *title, const Explained *rows)
{
    if (title)
        fprintf(file, ".PP\n%s\n", title);
    for (; rows->text; rows++) {
        fputs(".TP\n.B ", file);
        print_roff(file, rows->text);
        print_roff(file, rows->meaning);
    }
}

static void print_roff_option(FILE *file, const Option *option)
{
    fputs(".TP\n", file);
    if (option->letter)
        fprintf(file, "\\fB\\-%c\\fR, ", option->letter);
    fputs("\\fB\\-\\-", file);
    for (const char *c = option->name; *c; c++)
        fputs(*c == '-' ? "\\-" : (char[]){*c, '\0'}, file);
    fprintf(file, "\\fR%s%s%s\n", option->value ? " \\fI" : "", option->value ? option->value : "",
            option->value ? "\\fR" : "");
    print_roff(file, option->help);
}

static void print_roff_command(FILE *file, const Command *command)
{
    fprintf(file, ".SS residua %s\n.B residua %s\n", command->name, command->name);
    print_roff(file, command->usage);
    fputs(".PP\n", file);
    print_roff(file, command->description);
    for (size_t i = 0; i < command->n_options; i++)
        print_roff_option(file, &command->options[i]);
    if (command->json)
        print_roff_rows(file, "Fields of \\fB\\-\\-json\\fR, one object per line:", command->json);
    fputs(".PP\nExamples:\n", file);
    for (const Explained *example = command->examples; example->text; example++) {
        fprintf(file, ".TP\n.B residua %s ", command->name);
        print_roff(file, example->text);
        print_roff(file, example->meaning);
    }
}

void manual_print_page(FILE *file)
{
    fprintf(file,
            ".\\\" made by `residua help --man` from the tables in cli/\n"
            ".TH RESIDUA 1 \"\" \"residua %s\" \"User Commands\"\n"
            ".SH NAME\nresidua \\- a neural codec for sound and pictures\n"
            ".SH SYNOPSIS\n.B residua\nCOMMAND [options] inputs...\n"
            ".SH DESCRIPTION\n",
            RSD_VERSION);
    print_roff(file,
               "residua encodes recordings into small .rsd streams with a neural network, decodes them, measures the "
               "result and trains new networks.\n\nThe name - stands for standard input or output, and -- ends the "
               "options. Results go to standard output, everything else to standard error. An output file that "
               "exists stays as it is unless -f is given, and a new one appears only when it is complete. Numbers "
               "may have units: 3k, 1.5kbit/s, 250ms, 90m, 16kHz.");
    print_roff_rows(file, NULL, SEPARATE_OPTIONS);
    fputs(".SH COMMANDS\n", file);
    for (size_t i = 0; COMMANDS[i]; i++)
        print_roff_command(file, COMMANDS[i]);
    fputs(".SH EXIT STATUS\n", file);
    print_roff_rows(file, NULL, EXIT_CODES);
    fputs(".SH ENVIRONMENT\n", file);
    print_roff_rows(file, NULL, ENVIRONMENT);
}

/* ---- bash ---- */

static void print_words(FILE *file, const Command *command)
{
    for (size_t i = 0; i < command->n_options; i++) {
        fprintf(file, "%s--%s", i ? " " : "", command->options[i].name);
        if (command->options[i].letter)
            fprintf(file, " -%c", command->options[i].letter);
    }
}

static void print_choices(FILE *file, const Command *command)
{
    for (size_t i = 0; i < command->n_options; i++) {
        const Option *option = &command->options[i];

        if (option->kind != OPTION_CHOICE)
            continue;
        fprintf(file, "    %s:--%s) words='", command->name, option->name);
        for (size_t k = 0; option->choices[k]; k++)
            fprintf(file, "%s%s", k ? " " : "", option->choices[k]);
        fputs("' ;;\n", file);
    }
}

void manual_print_completion(FILE *file)
{
    fputs(
        "# bash completion of residua; made by `residua help --bash` from the tables in cli/\n"
        "_residua()\n{\n"
        "    local command=${COMP_WORDS[1]} word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} words= "
        "endings=\n\n"
        "    if ((COMP_CWORD == 1)); then\n        mapfile -t COMPREPLY < <(compgen -W '",
        file);
    for (size_t i = 0; COMMANDS[i]; i++)
        fprintf(file, "%s ", COMMANDS[i]->name);
    fputs("help --help --version' -- \"$word\")\n        return\n    fi\n    case $command:$before in\n", file);
    for (size_t i = 0; COMMANDS[i]; i++)
        print_choices(file, COMMANDS[i]);
    fputs("    esac\n    if [[ -z $words && $word == -* ]]; then\n        case $command in\n", file);
    for (size_t i = 0; COMMANDS[i]; i++) {
        fprintf(file, "        %s) words='", COMMANDS[i]->name);
        print_words(file, COMMANDS[i]);
        fputs("' ;;\n", file);
    }
    fputs("        esac\n    fi\n    if [[ -n $words ]]; then\n"
          "        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n        return\n    fi\n"
          "    case $command in\n",
          file);
    for (size_t i = 0; COMMANDS[i]; i++)
        if (COMMANDS[i]->endings)
            fprintf(file, "    %s) endings='@(%s)' ;;\n", COMMANDS[i]->name, COMMANDS[i]->endings);
    fputs("    esac\n    compopt -o filenames 2>/dev/null\n"
          "    mapfile -t COMPREPLY < <(shopt -s extglob; compgen -d -- \"$word\"; compgen -f ${endings:+-X "
          "\"!*.$endings\"} "
          "-- \"$word\" | while IFS= read -r name; do [[ -d $name ]] || printf '%s\\n' \"$name\"; done)\n"
          "}\ncomplete -F _residua residua\n",
          file);
}
