/* train.c - `residua train CONFIG --data DIR... --out RUN`.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/exit_code.h"
#include "cli/main.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/base/text.h"
#include "trainer/train_audio.h"

#define MAX_LIST 64         /* folders, and assignments */
#define LINE_PERIOD_S 30.0  /* between two lines of progress where standard error is no terminal */
#define REDRAW_PERIOD_S 0.2 /* between two updates of the line on a terminal */

typedef enum OptionId {
    OPT_DATA,
    OPT_VALID,
    OPT_OUT,
    OPT_RESUME,
    OPT_SET,
    OPT_STEPS,
    OPT_TIME_LIMIT,
    OPT_THREADS,
    OPT_DRY_RUN,
    OPT_PRINT_CONFIG,
    OPT_HALF,
    OPT_QUIET,
    OPT_VERBOSE,
    OPT_HELP
} OptionId;

typedef struct Option {
    OptionId id;
    char letter;              /* 0: long form only */
    const char *name, *value; /* value NULL: a switch */
    const char *help;
} Option;

static const Option OPTIONS[] = {
    {OPT_DATA, 'd', "data", "DIR...", "folders with recordings, searched in depth"},
    {OPT_VALID, 0, "valid", "DIR...", "folders for validation; without them every k-th file of the data is held out"},
    {OPT_OUT, 'o', "out", "RUN", "folder for the log, checkpoints and the model"},
    {OPT_RESUME, 0, "resume", NULL, "go on from the newest checkpoint in RUN"},
    {OPT_SET, 0, "set", "KEY=VALUE", "change one setting, such as model.base_channels=16; may be repeated"},
    {OPT_STEPS, 0, "steps", "N", "the same as --set train.steps=N"},
    {OPT_TIME_LIMIT, 0, "time-limit", "TIME", "save and end after this time, such as 90m"},
    {OPT_THREADS, 't', "threads", "N", "threads that compute; 0 takes one per processor (default 0)"},
    {OPT_DRY_RUN, 'n', "dry-run", NULL, "show what was found and what would be done; writes nothing"},
    {OPT_PRINT_CONFIG, 0, "print-config", NULL, "show every setting with its explanation"},
    {OPT_HALF, 0, "f16", NULL, "also write the model with 16-bit weights"},
    {OPT_QUIET, 'q', "quiet", NULL, "warnings and errors only"},
    {OPT_VERBOSE, 'v', "verbose", NULL, "also show where the time of a step goes"},
    {OPT_HELP, 'h', "help", NULL, "this help"},
};
#define N_OPTIONS (sizeof OPTIONS / sizeof *OPTIONS)

typedef struct Request {
    const char *config, *out;
    const char *data[MAX_LIST], *valid[MAX_LIST], *set[MAX_LIST], *steps, *time_limit;
    size_t n_data, n_valid, n_set;
    int n_threads;
    bool resume, dry_run, print_config, half, quiet, verbose, help;
} Request;

/* ---- command line ---- */

static void print_help(void)
{
    puts("usage: residua train CONFIG --data DIR... --out RUN [options]\n\n"
         "Trains a codec as CONFIG (an INI file) says. Ctrl-C saves a checkpoint and ends.\n");
    for (size_t i = 0; i < N_OPTIONS; i++) {
        char left[48];

        snprintf(left, sizeof left, "%s%c%s--%s %s", OPTIONS[i].letter ? "-" : " ",
                 OPTIONS[i].letter ? OPTIONS[i].letter : ' ', OPTIONS[i].letter ? ", " : "  ", OPTIONS[i].name,
                 OPTIONS[i].value ? OPTIONS[i].value : "");
        printf("  %-26s %s\n", left, OPTIONS[i].help);
    }
}

static const Option *find_option(const char *arg, const char **attached)
{
    *attached = NULL;
    for (size_t i = 0; i < N_OPTIONS; i++) {
        size_t len = strlen(OPTIONS[i].name);

        if (arg[1] == '-' && !strncmp(arg + 2, OPTIONS[i].name, len) && (!arg[2 + len] || arg[2 + len] == '=')) {
            if (arg[2 + len] == '=')
                *attached = arg + 3 + len;
            return &OPTIONS[i];
        }
        if (arg[1] == OPTIONS[i].letter && arg[1] != '-' && !arg[2])
            return &OPTIONS[i];
    }
    return NULL;
}

static RsdStatus refuse_option(const char *arg, RsdError *err)
{
    const char *names[N_OPTIONS], *near;

    for (size_t i = 0; i < N_OPTIONS; i++)
        names[i] = OPTIONS[i].name;
    near = text_nearest(arg + strspn(arg, "-"), names, N_OPTIONS);
    return error_set(err, RSD_ERR_ARG, "there is no option %.60s%s%s%s", arg, near ? "; did you mean --" : "",
                     near ? near : "", near ? "?" : "; `residua train --help` lists them");
}

static RsdStatus add(const char **list, size_t *n, const char *value, const char *option, RsdError *err)
{
    if (*n == MAX_LIST)
        return error_set(err, RSD_ERR_ARG, "--%s was given more than %d times", option, MAX_LIST);
    list[(*n)++] = value;
    return RSD_OK;
}

static RsdStatus take_option(Request *r, const Option *option, const char *value, RsdError *err)
{
    double number;
    RsdStatus status = RSD_OK;

    switch (option->id) {
    case OPT_DATA:
        return add(r->data, &r->n_data, value, option->name, err);
    case OPT_VALID:
        return add(r->valid, &r->n_valid, value, option->name, err);
    case OPT_SET:
        return add(r->set, &r->n_set, value, option->name, err);
    case OPT_OUT:
        r->out = value;
        break;
    case OPT_STEPS:
        r->steps = value;
        break;
    case OPT_TIME_LIMIT:
        r->time_limit = value;
        break;
    case OPT_THREADS:
        TRY(text_parse_quantity(&number, value, UNIT_NONE, err));
        CHECK(number >= 0 && number <= 256 && number == floor(number), err, RSD_ERR_ARG,
              "--threads %.40s: 0 to 256 are possible", value);
        r->n_threads = (int)number;
        break;
    case OPT_RESUME:
        r->resume = true;
        break;
    case OPT_DRY_RUN:
        r->dry_run = true;
        break;
    case OPT_PRINT_CONFIG:
        r->print_config = true;
        break;
    case OPT_HALF:
        r->half = true;
        break;
    case OPT_QUIET:
        r->quiet = true;
        break;
    case OPT_VERBOSE:
        r->verbose = true;
        break;
    case OPT_HELP:
        r->help = true;
        break;
    }
fail:
    return status;
}

static RsdStatus parse_arguments(Request *r, int argc, char **argv, RsdError *err)
{
    bool only_names = false;
    RsdStatus status = RSD_OK;

    for (int i = 1; i < argc; i++) {
        const Option *option;
        const char *value;

        if (!only_names && !strcmp(argv[i], "--")) {
            only_names = true;
            continue;
        }
        if (only_names || argv[i][0] != '-' || !argv[i][1]) {
            CHECK(!r->config, err, RSD_ERR_ARG,
                  "'%.60s' is one name too many; the configuration is '%.60s', folders follow --data", argv[i],
                  r->config);
            r->config = argv[i];
            continue;
        }
        option = find_option(argv[i], &value);
        if (!option)
            return refuse_option(argv[i], err);
        CHECK(option->value || !value, err, RSD_ERR_ARG, "--%s takes no value", option->name);
        if (option->value && !value) {
            CHECK(i + 1 < argc, err, RSD_ERR_ARG, "--%s needs %s", option->name, option->value);
            value = argv[++i];
        }
        TRY(take_option(r, option, value, err));
        /* "DIR..." takes all names up to the next option. */
        while (option->value && strstr(option->value, "...") && i + 1 < argc && argv[i + 1][0] != '-')
            TRY(take_option(r, option, argv[++i], err));
    }
    CHECK(r->help || r->config || r->print_config, err, RSD_ERR_ARG,
          "no configuration was given: residua train CONFIG --data DIR... --out RUN");
    CHECK(r->help || r->print_config || r->n_data, err, RSD_ERR_ARG, "no data was given: add --data DIR...");
    CHECK(r->help || r->print_config || r->dry_run || r->out, err, RSD_ERR_ARG,
          "no output folder was given: add --out RUN");
fail:
    return status;
}

static RsdStatus make_config(TrainConfig *cfg, const Request *r, RsdError *err)
{
    char assignment[128];
    RsdStatus status = RSD_OK;

    train_config_init(cfg);
    if (r->config)
        TRY(train_config_load(cfg, r->config, err));
    for (size_t i = 0; i < r->n_set; i++)
        TRY(train_config_set(cfg, r->set[i], err));
    if (r->steps) {
        snprintf(assignment, sizeof assignment, "train.steps=%.64s", r->steps);
        TRY(train_config_set(cfg, assignment, err));
    }
    if (r->time_limit) {
        snprintf(assignment, sizeof assignment, "train.time_limit=%.64s", r->time_limit);
        TRY(train_config_set(cfg, assignment, err));
    }
    if (!r->print_config)
        TRY(train_config_check(cfg, err));
fail:
    return status;
}

/* ---- what is shown ---- */

typedef struct Screen {
    bool terminal, quiet, verbose, line_shown;
    double last_shown_s;
} Screen;

static void clear_line(Screen *screen)
{
    if (screen->line_shown)
        fputs("\r\033[K", stderr);
    screen->line_shown = false;
}

static void show_note(void *ctx, LogLevel level, const char *text)
{
    static const char *const names[] = {"error: ", "warning: ", "", ""};
    Screen *screen = ctx;

    if ((level == LOG_DEBUG && !screen->verbose) || (level == LOG_INFO && screen->quiet))
        return;
    clear_line(screen);
    fprintf(stderr, "residua: %s%s\n", names[level], text);
}

static const char *print_duration(char text[32], double seconds)
{
    int64_t s = (int64_t)seconds;

    if (s >= 3600)
        snprintf(text, 32, "%lld:%02d:%02d", (long long)(s / 3600), (int)(s / 60 % 60), (int)(s % 60));
    else
        snprintf(text, 32, "%d:%02d", (int)(s / 60), (int)(s % 60));
    return text;
}

static void show_progress(void *ctx, const TrainProgress *p)
{
    Screen *screen = ctx;
    double now = step_clock();
    char left[32], losses[256] = "";
    size_t used = 0;
    bool last = p->step == p->n_steps;

    if (screen->quiet || (!last && now - screen->last_shown_s < (screen->terminal ? REDRAW_PERIOD_S : LINE_PERIOD_S)))
        return;
    screen->last_shown_s = now;
    for (int i = 0; i < p->config->loss.n_losses && used < sizeof losses; i++)
        used += (size_t)snprintf(losses + used, sizeof losses - used, "%s %.4g  ", p->config->loss.names[i],
                                 p->mean_losses[i]);
    clear_line(screen);
    fprintf(stderr, "step %lld/%lld  %sgrad %.3g  %.1f audio-s/s  %s left", (long long)p->step, (long long)p->n_steps,
            losses, p->mean_grad_norm, p->audio_per_s, print_duration(left, p->left_s));
    if (isfinite(p->score))
        fprintf(stderr, "  best %.4f", p->score);
    if (screen->verbose)
        for (int i = 0; i < N_PHASES; i++)
            fprintf(stderr, "  %s %.1f", STEP_PHASE_NAMES[i], 1000.0 * p->report->phase_s[i]);
    screen->line_shown = screen->terminal && !last;
    if (!screen->line_shown)
        fputc('\n', stderr);
    fflush(stderr);
}

static void print_plan(const TrainConfig *cfg, const TrainPlan *p)
{
    char text[32], stages[64] = "";
    size_t used = 0;

    printf("data        %s\n", p->data_report);
    if (p->n_valid_clips)
        printf("validation  %d clips, %.0f s, from %s\n", p->n_valid_clips, p->valid_seconds, p->valid_report);
    else
        printf("validation  none\n");
    printf("model       %s: %.2f M parameters, %.2f M in %d codebooks; hop %d, %g frames/s\n", cfg->model.name,
           (double)p->n_parameters / 1e6, (double)p->n_codebook_numbers / 1e6, cfg->model.rvq.n_q,
           seanet_hop(&cfg->model.seanet), (double)cfg->model.rate_hz / seanet_hop(&cfg->model.seanet));
    printf("cost        encoder %.1f, decoder %.1f MMAC per second of audio\n", p->encoder_macs_per_s / 1e6,
           p->decoder_macs_per_s / 1e6);
    for (int i = 0; i < cfg->train.n_rates && used < sizeof stages; i++)
        used += (size_t)snprintf(stages + used, sizeof stages - used, "%s%g", i ? ", " : "",
                                 cfg->train.rates_bps[i] / 1000.0);
    printf("rates       %s kbit/s\n", stages);
    printf("steps       %lld of %d x %.3g s", (long long)cfg->train.steps, cfg->data.batch,
           (double)train_config_segment_len(cfg) / cfg->model.rate_hz);
    if (p->resume_step)
        printf(", %lld are done", (long long)p->resume_step);
    printf("\nlosses     ");
    for (int i = 0; i < cfg->loss.n_losses; i++)
        printf(" %s %g%s", cfg->loss.names[i], (double)cfg->loss.weights[i], i + 1 < cfg->loss.n_losses ? "," : "");
    printf("%s\n", cfg->loss.balance ? ", balanced" : "");
    printf("memory      %.0f MB for a step, %.0f MB for weights and moments, %.0f MB of decoded audio\n",
           (double)p->step_size / 1e6, (double)p->state_size / 1e6, (double)p->cache_size / 1e6);
    printf("speed       %.0f ms per step, %.1f audio-s/s:", 1000.0 * p->step_s,
           cfg->data.batch * (double)train_config_segment_len(cfg) / cfg->model.rate_hz / p->step_s);
    for (int i = PHASE_ENCODE; i < N_PHASES; i++)
        printf(" %s %.0f%s", STEP_PHASE_NAMES[i], 1000.0 * p->phase_s[i], i + 1 < N_PHASES ? "," : "");
    printf("\ntime        %s in all", print_duration(text, p->total_s));
    if (cfg->train.time_limit_s > 0 && cfg->train.time_limit_s < p->total_s)
        printf("; the limit of %s ends it after about %.0f steps", print_duration(text, cfg->train.time_limit_s),
               cfg->train.time_limit_s / p->step_s);
    putchar('\n');
}

static void print_summary(const TrainSummary *s, const Request *r)
{
    char text[32];

    if (r->quiet)
        return;
    fprintf(stderr, "residua: %s at step %lld after %s",
            s->end == TRAIN_FINISHED     ? "done"
            : s->end == TRAIN_TIME_LIMIT ? "time limit reached"
                                         : "stopped",
            (long long)s->step, print_duration(text, s->seconds));
    if (isfinite(s->best_score))
        fprintf(stderr, "; best mel distance %.4f at step %lld, model in %s/model.safetensors", s->best_score,
                (long long)s->best_step, r->out);
    fprintf(stderr, "%s\n", s->end == TRAIN_FINISHED ? "" : "; --resume goes on");
}

/* ---- running ---- */

static volatile sig_atomic_t stop_signal;

/* The first signal asks the run to save and end; a second one ends the process at once. */
static void on_signal(int number)
{
    stop_signal = number;
    signal(number, SIG_DFL);
}

static int train(const TrainConfig *cfg, const Request *r, Screen *screen)
{
    TrainOptions options = {.dirs = r->data,
                            .n_dirs = r->n_data,
                            .valid_dirs = r->valid,
                            .n_valid_dirs = r->n_valid,
                            .run_dir = r->out,
                            .resume = r->resume,
                            .export_half = r->half,
                            .stop = &stop_signal,
                            .progress = show_progress,
                            .progress_ctx = screen};
    TrainSummary *summary = NULL;
    TrainPlan *plan = NULL;
    RsdError err = {0};
    RsdStatus status = RSD_OK;

    TRY(rsd_threads_create(&options.threads, r->n_threads, &err));
    if (r->dry_run) {
        TRY(mem_calloc(&plan, 1, sizeof *plan, &err));
        TRY(train_audio_plan(cfg, &options, 2, plan, &err));
        print_plan(cfg, plan);
    } else {
        TRY(mem_calloc(&summary, 1, sizeof *summary, &err));
        signal(SIGINT, on_signal);
        signal(SIGTERM, on_signal);
        TRY(train_audio(cfg, &options, summary, &err));
        clear_line(screen);
        print_summary(summary, r);
    }
fail:
    clear_line(screen);
    if (status != RSD_OK)
        fprintf(stderr, "residua: %s\n", err.text);
    mem_free(&summary);
    mem_free(&plan);
    rsd_threads_destroy(&options.threads);
    /* Whoever sent the signal sees that it was obeyed. */
    if (status == RSD_OK && stop_signal) {
        signal(stop_signal, SIG_DFL);
        raise(stop_signal);
    }
    return cli_exit_code(status);
}

int cli_train(int argc, char **argv)
{
    Request *request = NULL;
    TrainConfig *cfg = NULL;
    Screen screen = {.terminal = isatty(STDERR_FILENO) == 1};
    char *text = NULL;
    int code = EXIT_DONE;
    RsdError err = {0};
    RsdStatus status = RSD_OK;

    TRY(mem_calloc(&request, 1, sizeof *request, &err));
    TRY(mem_calloc(&cfg, 1, sizeof *cfg, &err));
    TRY(parse_arguments(request, argc, argv, &err));
    screen.quiet = request->quiet;
    screen.verbose = request->verbose;
    if (request->help) {
        print_help();
        goto done;
    }
    TRY(make_config(cfg, request, &err));
    if (request->print_config) {
        TRY(train_config_print(&text, cfg, true, &err));
        fputs(text, stdout);
        goto done;
    }
    log_set_sink(show_note, &screen);
    code = train(cfg, request, &screen);
    log_set_sink(NULL, NULL);
    goto done;
fail:
    fprintf(stderr, "residua: %s\n", err.text);
    code = cli_exit_code(status);
done:
    mem_free(&text);
    mem_free(&request);
    mem_free(&cfg);
    return code;
}
