/* batch.c - the loop over inputs, its errors, its signals and the line at the end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/batch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/stop_signals.h"
#include "engine/base/atomic_file.h"
#include "engine/base/make_folders.h"

static volatile sig_atomic_t is_deferred, is_interrupted, ends_input; /* a signal handler can be told by nothing else */

/* Standard input ends at once, also for a read that waits: it begins again behind the handler. */
static void end_input(void)
{
    const int kept = errno, nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);

    if (nothing >= 0) {
        dup2(nothing, STDIN_FILENO);
        close(nothing);
    }
    errno = kept;
}

/* An output under its temporary name goes; whoever sent the signal sees that it ended the program. */
static void on_signal(int number)
{
    if (number == SIGINT && is_deferred && !is_interrupted) {
        is_interrupted = 1;
        if (ends_input)
            end_input();
        return;
    }
    atomic_file_remove_pending();
    signal(number, SIG_DFL);
    raise(number);
}

void batch_defer_interrupt(bool deferred)
{
    is_deferred = deferred;
    ends_input = false;
}

void batch_end_input_at_interrupt(const BatchItem *item)
{
    struct stat info;

    ends_input = !strcmp(item->input, "-") && fstat(STDIN_FILENO, &info) == 0 && S_ISFIFO(info.st_mode);
    is_deferred = ends_input;
}

bool batch_was_interrupted(void)
{
    return is_interrupted;
}

RsdStatus batch_check_not_itself(const char *input, const char *output, RsdError *err)
{
    struct stat in, out;

    if (!strcmp(input, "-") || !strcmp(output, "-") || stat(input, &in) != 0 || stat(output, &out) != 0 || !S_ISREG(in.st_mode) ||
        in.st_dev != out.st_dev || in.st_ino != out.st_ino)
        return RSD_OK;
    return error_set(err, RSD_ERR_ARG, "%s: is both input and output; name another output with -o", input);
}

static RsdStatus run_item(const BatchItem *item, BatchWork work, void *ctx, BatchResult *result, JsonLine *json,
                          RsdError *err)
{
    RsdStatus status = RSD_OK;

    if (item->problem)
        return error_set(err, item->status, "%s", item->problem);
    TRY(batch_check_not_itself(item->input, item->output, err));
    if (strcmp(item->output, "-") != 0)
        TRY(make_folders_above(item->output, err));
    TRY(work(ctx, item, result, json, err));
fail:
    return status;
}

static const char *shown(const char *path, const char *for_dash)
{
    return strcmp(path, "-") ? path : for_dash;
}

static double bits_per_pixel(const BatchResult *r)
{
    return r->n_pixels > 0 ? 8.0 * (double)r->n_bytes / (double)r->n_pixels : 0.0;
}

static void summarise_one(Console *console, const BatchItem *item, const BatchResult *r, double elapsed_s)
{
    const char *from = shown(item->input, "standard input"), *to = shown(item->output, "standard output");

    if (r->n_pixels > 0)
        console_say(console, LOG_INFO, "%s -> %s: %lld bytes, %.3f bits per pixel%s, %.2f million pixels per second", from, to,
                    (long long)r->n_bytes, bits_per_pixel(r), r->details, (double)r->n_pixels / elapsed_s * 1e-6);
    else
        console_say(console, LOG_INFO, "%s -> %s: %.2f s, %lld bytes, %.2f kbit/s%s, %.0f times real time", from, to, r->seconds,
                    (long long)r->n_bytes, r->bitrate_bps / 1000.0, r->details, r->seconds / elapsed_s);
}

static void summarise_all(Console *console, const Batch *batch, size_t n_failed, const BatchResult *sound, const BatchResult *pictures,
                          double elapsed_s)
{
    char text[DURATION_TEXT_SIZE], failed[32] = "", seen[128] = "";

    if (n_failed)
        snprintf(failed, sizeof failed, ", %zu failed", n_failed);
    if (pictures->n_pixels > 0)
        snprintf(seen, sizeof seen, "%.1f million pixels, %lld bytes, %.3f bits per pixel%s", (double)pictures->n_pixels * 1e-6,
                 (long long)pictures->n_bytes, bits_per_pixel(pictures), sound->n_bytes > 0 ? "; " : "");
    if (pictures->n_pixels > 0 && sound->n_bytes == 0)
        console_say(console, LOG_INFO, "%zu of %zu files done%s: %s", batch->n_items - n_failed, batch->n_items, failed, seen);
    else
        console_say(console, LOG_INFO,
                    "%zu of %zu files done%s: %s%s of sound, %lld bytes, %.2f kbit/s, %.0f times real time",
                    batch->n_items - n_failed, batch->n_items, failed, seen, console_duration(text, sound->seconds),
                    (long long)sound->n_bytes, sound->seconds > 0 ? 8.0 * (double)sound->n_bytes / sound->seconds / 1000.0 : 0.0,
                    sound->seconds / elapsed_s);
}

int batch_run(const Batch *batch, BatchWork work, void *ctx, bool json, Console *console)
{
    double began_s = console_clock();
    size_t n_failed = 0;
    BatchResult sound = {0}, pictures = {0};
    RsdStatus status = RSD_OK;

    stop_signals_catch(on_signal);
    for (size_t i = 0; i < batch->n_items && !is_interrupted; i++) {
        const BatchItem *item = &batch->items[i];
        BatchResult result = {0};
        RsdError err = {0};
        JsonLine line;
        double item_began_s = console_clock();

        if (json) {
            json_line_begin(&line, stdout);
            json_line_text(&line, "input", item->input);
            json_line_text(&line, "output", item->output);
        }
        status = run_item(item, work, ctx, &result, json ? &line : NULL, &err);
        console_clear_line(console);
        if (json) {
            if (status != RSD_OK) {
                json_line_text(&line, "status", rsd_status_name(status));
                json_line_text(&line, "error", err.text);
            }
            json_line_end(&line);
            fflush(stdout);
        }
        n_failed += status != RSD_OK;
        sound.seconds += result.seconds;
        pictures.n_pixels += result.n_pixels;
        *(result.n_pixels > 0 ? &pictures.n_bytes : &sound.n_bytes) += result.n_bytes;
        if (status != RSD_OK)
            console_say_failure(console, &err);
        else if (batch->n_items == 1)
            summarise_one(console, item, &result, console_clock() - item_began_s);
        else if (console->verbose)
            summarise_one(console, item, &result, console_clock() - item_began_s);
    }
    if (is_interrupted && status == RSD_OK)
        return EXIT_INTERRUPTED;
    if (batch->n_items == 1)
        return cli_exit_code(status);
    summarise_all(console, batch, n_failed, &sound, &pictures, console_clock() - began_s);
    return n_failed ? EXIT_SOME_FAILED : EXIT_DONE;
}

void batch_progress(Console *console, const BatchItem *item, double done_s, double total_s, double started_s)
{
    char done[DURATION_TEXT_SIZE], total[DURATION_TEXT_SIZE], left[DURATION_TEXT_SIZE];
    double speed;

    if (!console_wants_progress(console))
        return;
    speed = done_s / (console_clock() - started_s + 1e-9);
    if (total_s > 0 && speed > 0)
        console_progress(console, "%s  %3.0f%%  %s of %s  %.0f times real time  %s left",
                         shown(item->input, "standard input"), 100.0 * done_s / total_s, console_duration(done, done_s),
                         console_duration(total, total_s), speed, console_duration(left, (total_s - done_s) / speed));
    else
        console_progress(console, "%s  %s  %.0f times real time", shown(item->input, "standard input"),
                         console_duration(done, done_s), speed);
}

bool batch_to_stdout(const Batch *batch)
{
    return batch->items[0].output && !strcmp(batch->items[0].output, "-");
}

int batch_command(const BatchOptions *plan, const char *product, bool json, BatchAll all, void *ctx, Console *console)
{
    Batch *batch = NULL;
    RsdError err = {0};
    int code = EXIT_DONE;
    Shard shard = {0};
    RsdStatus status = plan->shard ? shard_parse(&shard, *plan->shard, &err) : RSD_OK;

    if (status == RSD_OK)
        status = batch_plan(&batch, plan, &code, &err);
    if (status == RSD_OK && code == EXIT_DONE && plan->shard)
        batch_keep_shard(batch, &shard);
    if (status == RSD_OK && code == EXIT_DONE && batch->n_items == 0 && shard.text[0])
        console_say(console, LOG_INFO, "--shard %s: there are fewer inputs than parts, and none is in this one", shard.text);
    else if (status == RSD_OK && code == EXIT_DONE && json && batch_to_stdout(batch))
        code = command_misused(plan->command, "--json and %s cannot both go to standard output; use -o", product);
    else if (status == RSD_OK && code == EXIT_DONE)
        status = all(ctx, batch, console, &code, &err);
    if (status != RSD_OK) {
        console_say(console, LOG_ERROR, "%s", err.text);
        code = cli_exit_code(status);
    }
    batch_destroy(&batch);
    console_close(console);
    return code;
}
