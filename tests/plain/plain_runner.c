/* plain_runner.c - runs the criterion tests without criterion, for the thread sanitizer.
 *
 * Criterion's sandbox needs memory at addresses that the thread sanitizer keeps for itself, so that it cannot start. Its tests
 * are rows in the linker section cr_tst; this file walks the section, forks for each row and supplies the few functions of the
 * library that the macros call. It knows what our tests of threads use: asserts, skips, init and fini. Tests with parameters,
 * which run the tool in a process of its own, are left out.
 *
 *     build-thread/tests/run [--filter PATTERN] [--verbose]
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <fnmatch.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_FAILED = 1, EXIT_SKIPPED = 77 }; /* any other: a crash, or the sanitizer's 66 */

extern struct criterion_test *__start_cr_tst[], *__stop_cr_tst[];
extern struct criterion_suite *__start_cr_sts[] __attribute__((weak)), *__stop_cr_sts[] __attribute__((weak));

struct criterion_options criterion_options;

static jmp_buf leave_test;
static struct criterion_test_extra_data *current_suite;
static struct criterion_test_extra_data *current_test;
static bool failed;

/* --- what the macros call ------------------------------------------------------------------------------------------ */

void criterion_internal_test_setup(void)
{
    if (current_suite && current_suite->init)
        current_suite->init();
    if (current_test->init)
        current_test->init();
}

void criterion_internal_test_main(void (*fn)(void))
{
    if (setjmp(leave_test) == 0)
        fn();
}

void criterion_internal_test_teardown(void)
{
    if (current_test->fini)
        current_test->fini();
    if (current_suite && current_suite->fini)
        current_suite->fini();
}

/* Named by the parameters of tests that are left out; never called. */
void *cr_malloc(size_t size)
{
    return malloc(size);
}

void criterion_send_assert(struct criterion_assert_stats *stats)
{
    if (stats->passed)
        return;
    failed = true;
    fprintf(stderr, "[----] %s:%u: Assertion failed: %s\n", stats->file, stats->line, stats->message);
}

void criterion_abort_test(void)
{
    longjmp(leave_test, 1);
}

void criterion_continue_test(void)
{
}

void criterion_skip_test(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    criterion_internal_test_teardown();
    exit(EXIT_SKIPPED);
}

void cri_asserts_passed_incr(void)
{
}

int cr_asprintf(char **out, const char *format, ...)
{
    va_list args;
    int len;

    va_start(args, format);
    len = vasprintf(out, format, args);
    va_end(args);
    return len;
}

void cr_asprintf_free(char *text)
{
    free(text);
}

/* The macros pass a sentence as "Expected %s to ..." pieces with an index; the words matter less than the place. */
char *cr_translate_assert_msg(int i, ...)
{
    char *text = NULL;

    (void)i;
    return asprintf(&text, "(condition)") < 0 ? NULL : text;
}

/* --- running -------------------------------------------------------------------------------------------------------- */

static int run_one(struct criterion_test *test)
{
    int wait_status;
    pid_t child;

    fflush(NULL);
    child = fork();
    if (child < 0)
        return EXIT_FAILED;
    if (child == 0) {
        current_test = test->data;
        for (struct criterion_suite **suite = __start_cr_sts; suite < __stop_cr_sts; suite++)
            if (*suite && strcmp((*suite)->name, test->category) == 0)
                current_suite = (*suite)->data;
        test->test();
        exit(failed ? EXIT_FAILED : 0); /* not _exit: the sanitizer reports at exit */
    }
    if (waitpid(child, &wait_status, 0) != child)
        return EXIT_FAILED;
    if (WIFSIGNALED(wait_status)) {
        fprintf(stderr, "[----] killed by signal %d\n", WTERMSIG(wait_status));
        return EXIT_FAILED;
    }
    return WEXITSTATUS(wait_status);
}

int main(int argc, char **argv)
{
    const char *filter = "*";
    int n_tested = 0, n_failed = 0, n_skipped = 0;
    bool verbose = false;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--filter") == 0 && i + 1 < argc) {
            filter = argv[++i];
        } else if (strcmp(argv[i], "--verbose") == 0) {
            verbose = true;
        } else {
            fprintf(stderr, "usage: %s [--filter PATTERN] [--verbose]\n", argv[0]);
            return 2;
        }
    }
    for (struct criterion_test **test = __start_cr_tst; test < __stop_cr_tst; test++) {
        int result;

        if (!*test || (*test)->data->disabled || (*test)->data->kind_ == CR_TEST_PARAMETERIZED ||
            fnmatch(filter, (*test)->data->identifier_, FNM_EXTMATCH) != 0)
            continue;
        if (verbose)
            printf("[RUN ] %s\n", (*test)->data->identifier_);
        result = run_one(*test);
        if (result == EXIT_SKIPPED) {
            n_skipped++;
            continue;
        }
        n_tested++;
        if (result != 0) {
            n_failed++;
            printf("[FAIL] %s: exit %d\n", (*test)->data->identifier_, result);
        }
    }
    printf("[====] Synthesis: Tested: %d | Passing: %d | Failing: %d | Skipped: %d\n", n_tested, n_tested - n_failed,
           n_failed, n_skipped);
    return n_failed || n_tested == 0;
}
