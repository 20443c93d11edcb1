/* test_scripts.c - runs tests/cli/NAME.sh and compares what it prints and how it ends.
 *
 * NAME.stdout, NAME.stderr and NAME.exit beside the script hold what is expected; a missing one stands for no output and
 * exit 0. A script runs under `sh -u` in an empty folder of its own, with the program first in PATH as `residua`, and with
 *   SOURCE   the source tree          BUILD    the build folder
 *   SHARED   golden data, or empty    NAME     the script's name
 * Exit 77 skips it (a tool it needs is missing; refused under CI=true). RESIDUA_UPDATE=1 writes the expected files anew, for
 * review with git diff.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/shared.h"

#define NAME_SIZE 128
#define OUTPUT_SIZE ((size_t)1 << 20)
#define EXIT_SKIP 77
#define EXIT_TIMEOUT 124 /* of timeout */

typedef struct Script {
    char name[NAME_SIZE];
} Script;

static char *read_text(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *text = calloc(1, OUTPUT_SIZE);
    size_t len;

    cr_assert_not_null(text);
    if (!file)
        return text;
    len = fread(text, 1, OUTPUT_SIZE - 1, file);
    text[len] = '\0';
    fclose(file);
    return text;
}

static void write_expected(const char *path, const char *text)
{
    FILE *file;

    if (!*text) {
        unlink(path);
        return;
    }
    file = fopen(path, "wb");
    cr_assert(file && fputs(text, file) >= 0 && fclose(file) == 0, "cannot write %s", path);
}

/* NULL when equal, else a sentence with the first line that differs. */
static const char *first_difference(const char *actual, const char *expected)
{
    static char text[1024];
    int line = 1;

    while (*actual && *expected) {
        size_t a = strcspn(actual, "\n"), e = strcspn(expected, "\n");

        if (a != e || strncmp(actual, expected, a) != 0 || actual[a] != expected[e])
            break;
        actual += a + (actual[a] == '\n');
        expected += e + (expected[e] == '\n');
        line++;
    }
    if (!*actual && !*expected)
        return NULL;
    snprintf(text, sizeof text, "line %d is '%.*s', expected '%.*s'", line, (int)strcspn(actual, "\n"), actual,
             (int)strcspn(expected, "\n"), expected);
    return text;
}

/* A file of the script: NAME.stdout beside it, or one that this run made in its folder. */
static const char *beside(SharedPath *path, const Script *script, const char *ending)
{
    char relative[NAME_SIZE + 32];

    snprintf(relative, sizeof relative, "tests/cli/%s.%s", script->name, ending);
    return source_path(path, relative);
}

static int run_script(const Script *script, const char *folder)
{
    static char command[4 * SHARED_PATH_SIZE];
    SharedPath file, build, source, shared;
    int status;

    /* The folder of the run is beside the files of its output, so that a script sees an empty one. */
    snprintf(command, sizeof command,
             "mkdir '%s/work' && SOURCE=$(realpath '%s') BUILD=$(realpath '%s') SHARED=$(realpath -q '%s') && export "
             "SOURCE BUILD SHARED && "
             "script=$(realpath '%s') && cd '%s/work' && NAME='%s' LC_ALL=C HOME='%s/work' PATH=\"$BUILD:$PATH\" "
             "timeout 300 sh -u \"$script\" >'%s/stdout' 2>'%s/stderr' </dev/null",
             folder, source_path(&source, ""), build_path(&build, ""),
             shared_exists("") ? shared_path(&shared, "") : ".", beside(&file, script, "sh"), folder, script->name,
             folder, folder, folder);
    status = system(command);
    cr_assert(WIFEXITED(status), "%s: the shell was killed", script->name);
    return WEXITSTATUS(status);
}

static void check_output(const Script *script, const char *folder, const char *ending)
{
    char made[256];
    SharedPath path;
    char *actual, *expected;
    const char *difference;

    snprintf(made, sizeof made, "%s/%s", folder, ending);
    actual = read_text(made);
    if (getenv("RESIDUA_UPDATE"))
        write_expected(beside(&path, script, ending), actual);
    expected = read_text(beside(&path, script, ending));
    difference = first_difference(actual, expected);
    cr_expect(difference == NULL, "tests/cli/%s.%s: %s\nall of it:\n%.3000s", script->name, ending, difference, actual);
    free(actual);
    free(expected);
}

ParameterizedTestParameters(tool, scripts_print_what_is_expected)
{
    static const Script none;
    SharedPath pattern;
    glob_t found;
    Script *scripts;
    size_t n = 0;

    if (glob(source_path(&pattern, "tests/cli/*.sh"), 0, NULL, &found) != 0)
        return cr_make_param_array(Script, &none, 0);
    scripts = cr_malloc(found.gl_pathc * sizeof *scripts);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        const char *base = strrchr(found.gl_pathv[i], '/') + 1;

        snprintf(scripts[n++].name, NAME_SIZE, "%.*s", (int)(strlen(base) - 3), base);
    }
    globfree(&found);
    return cr_make_param_array(Script, scripts, n);
}

ParameterizedTest(Script *script, tool, scripts_print_what_is_expected, .timeout = 400)
{
    char folder[] = "/tmp/residua-tool-XXXXXX", command[32 + 2 * sizeof folder];
    const char *only = getenv("RESIDUA_SCRIPT"); /* one name, for work on it */
    SharedPath path;
    char *expected;
    int code;

    if (only && strcmp(only, script->name) != 0)
        return;
    cr_assert_not_null(mkdtemp(folder));
    code = run_script(script, folder);
    cr_assert_neq(code, EXIT_TIMEOUT, "tests/cli/%s.sh: took more than 300 seconds", script->name);
    if (code != EXIT_SKIP) {
        check_output(script, folder, "stdout");
        check_output(script, folder, "stderr");
        if (getenv("RESIDUA_UPDATE")) {
            char number[16];

            snprintf(number, sizeof number, "%d\n", code);
            write_expected(beside(&path, script, "exit"), code ? number : "");
        }
        expected = read_text(beside(&path, script, "exit"));
        cr_expect_eq(code, atoi(expected), "tests/cli/%s.sh: exit %d, expected %d", script->name, code, atoi(expected));
        free(expected);
    }
    snprintf(command, sizeof command, "chmod -R u+w %s; rm -rf %s", folder, folder);
    cr_expect_eq(system(command), 0);
    if (code == EXIT_SKIP) {
        cr_assert(!shared_is_required(), "tests/cli/%s.sh skips itself, which CI does not allow", script->name);
        fprintf(stderr, "skipped: tests/cli/%s.sh\n", script->name);
        cr_skip_test("tests/cli/%s.sh", script->name);
    }
}
