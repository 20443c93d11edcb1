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

#include "cli/commands.h"
#include "cli/data_file.h"
#include "cli/stop_signals.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "engine/base/text.h"
#include "trainer/comm.h"
#include "trainer/train_audio.h"
#include "trainer/train_image.h"

#define LINE_PERIOD_S 30.0  /* between two lines of progress where standard error is no terminal */
#define OTHERS_TIME_S 1     /* for what other processes have to say and to write before they are ended */
#define REDRAW_PERIOD_S 0.2 /* between two updates of the line on a terminal */

typedef struct TrainRequest {
    CommonRequest common;
    const char *config, *out, *init, *prior, *steps, *time_limit;
    TextList data, valid, set;
    int n_threads;
    bool resume, dry_run, print_config, half, bytes;
} TrainRequest;

static const Option OPTIONS[] = {
    {.letter = 'd',
     .name = "data",
     .kind = OPTION_LIST,
     .value = "DIR...",
     .offset = offsetof(TrainRequest, data),
     .help = "folders with recordings, or pictures for a picture model, searched in depth"},
    {.name = "valid",
     .kind = OPTION_LIST,
     .value = "DIR...",
     .offset = offsetof(TrainRequest, valid),
     .help = "folders for validation; without them every k-th file of the data is held out"},
    {.letter = 'o',
     .name = "out",
     .kind = OPTION_TEXT,
     .value = "RUN",
     .offset = offsetof(TrainRequest, out),
     .help = "folder for the log, checkpoints and the model"},
    {.name = "resume", .offset = offsetof(TrainRequest, resume), .help = "go on from the newest checkpoint in RUN"},
    {.name = "init",
     .kind = OPTION_TEXT,
     .value = "MODEL",
     .offset = offsetof(TrainRequest, init),
     .help = "start from the weights of this model instead of random ones: the name of a built-in one, or a file"},
    {.name = "prior",
     .kind = OPTION_TEXT,
     .value = "MODEL",
     .offset = offsetof(TrainRequest, prior),
     .help = "of pictures, with train.freeze=prior: the prior of this model instead of that of --init, for a twin "
             "that follows its model; not looked at with --resume"},
    {.name = "set",
     .kind = OPTION_LIST,
     .value = "KEY=VALUE",
     .offset = offsetof(TrainRequest, set),
     .help = "change one setting, such as model.base_channels=16; may be repeated"},
    {.name = "steps",
     .kind = OPTION_TEXT,
     .value = "N",
     .offset = offsetof(TrainRequest, steps),
     .help = "the same as --set train.steps=N"},
    {.name = "time-limit",
     .kind = OPTION_TEXT,
     .value = "TIME",
     .offset = offsetof(TrainRequest, time_limit),
     .help = "save and end after this time, such as 90m"},
    THREADS_OPTION(TrainRequest,
                   "threads that compute; 0, the default, takes one per processor"),
    {.letter = 'n',
     .name = "dry-run",
     .offset = offsetof(TrainRequest, dry_run),
     .help = "show what was found and what would be done; writes nothing"},
    {.name = "print-config",
     .offset = offsetof(TrainRequest, print_config),
     .help = "show every setting with its explanation"},
    {.name = "f16", .offset = offsetof(TrainRequest, half), .help = "also write the model with 16-bit weights"},
    {.name = "i8", .offset = offsetof(TrainRequest, bytes), .help = "also write the model with its large matrices in 8 bits"},
    COMMON_OPTIONS(TrainRequest),
};

static const Explained EXAMPLES[] = {
    {"models/speech16.ini --data recordings --out run", "trains a model"},
    {"models/speech16.ini --data recordings --dry-run", "shows what that would do"},
    {"models/speech16.ini --data recordings --out run --resume", "goes on after Ctrl-C"},
    {"models/photo.ini --data pictures --out run", "trains a model for pictures"},
    {NULL, NULL},
};

/* ---- settings ---- */

static RsdStatus load_config(TrainConfig *cfg, const char *name, RsdError *err)
{
    char path[DATA_FILE_SIZE];
    const char *found = data_file_find(path, name);

    if (found != name)
        log_note(LOG_INFO, "the configuration is %s", found);
    return train_config_load(cfg, found, err);
}

static RsdStatus make_config(TrainConfig *cfg, const TrainRequest *r, RsdError *err)
{
    char assignment[128];
    RsdStatus status = RSD_OK;

    train_config_init(cfg);
    if (r->config)
        TRY(load_config(cfg, r->config, err));
    for (size_t i = 0; i < r->set.n; i++)
        TRY(train_config_set(cfg, r->set.items[i], err));
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
    Console console;
    double last_line_s;
} Screen;

static void show_progress(void *ctx, const TrainProgress *p)
{
    Screen *screen = ctx;
    Console *console = &screen->console;
    double now = console_clock();
    char left[DURATION_TEXT_SIZE];
    bool last = p->step == p->n_steps;

    if (console->quiet || (!last && now - screen->last_line_s < (console->terminal ? REDRAW_PERIOD_S : LINE_PERIOD_S)))
        return;
    screen->last_line_s = now;
    console_clear_line(console);
    fprintf(stderr, "step %lld/%lld  %s  grad %.3g  %.1f %s  %s left", (long long)p->step, (long long)p->n_steps,
            p->losses, p->mean_grad_norm, p->speed, p->speed_unit, console_duration(left, p->left_s));
    if (isfinite(p->score))
        fprintf(stderr, "  best %.4f", p->score);
    if (console->verbose)
        for (int i = 0; i < p->n_phases; i++)
            fprintf(stderr, "  %s %.1f", p->phase_names[i], 1000.0 * p->phase_s[i]);
    console->line_shown = console->terminal && !last;
    if (!console->line_shown)
        fputc('\n', stderr);
    fflush(stderr);
}

static void print_plan(const TrainConfig *cfg, const TrainPlan *p)
{
    char text[DURATION_TEXT_SIZE], stages[64] = "";
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
    printf("; balance %s\n", BALANCE_NAMES[cfg->loss.balance]);
    if (p->n_critics)
        printf("adversary   %d critics: %.2f M parameters, %.1f MMAC per second of audio; adversarial %g, feature %g\n",
               p->n_critics, (double)p->n_critic_parameters / 1e6, p->critic_macs_per_s / 1e6,
               (double)cfg->adversary.weight, (double)cfg->adversary.feature_weight);
    printf("memory      %.0f MB for a step, %.0f MB for weights and moments, %.0f MB of decoded audio\n",
           (double)p->step_size / 1e6, (double)p->state_size / 1e6, (double)p->cache_size / 1e6);
    printf("speed       %.0f ms per step, %.1f audio-s/s:", 1000.0 * p->step_s,
           cfg->data.batch * (double)train_config_segment_len(cfg) / cfg->model.rate_hz / p->step_s);
    for (int i = PHASE_ENCODE; i < N_PHASES; i++)
        printf(" %s %.0f%s", STEP_PHASE_NAMES[i], 1000.0 * p->phase_s[i], i + 1 < N_PHASES ? "," : "");
    printf("\ntime        %s in all", console_duration(text, p->total_s));
    if (cfg->train.time_limit_s > 0 && cfg->train.time_limit_s < p->total_s)
        printf("; the limit of %s ends it after about %.0f steps", console_duration(text, cfg->train.time_limit_s),
               cfg->train.time_limit_s / p->step_s);
    putchar('\n');
}

static void print_image_plan(const TrainConfig *cfg, const ImagePlan *p)
{
    char text[DURATION_TEXT_SIZE];

    printf("data        %s\n", p->data_report);
    if (p->n_valid)
        printf("validation  %d pictures, from %s\n", p->n_valid, p->valid_report);
    else
        printf("validation  none\n");
    printf("model       %s: %.2f M parameters\n", cfg->model.name, (double)p->n_parameters / 1e6);
    printf("cost        encoder %.1f, prior %.1f, decoder %.1f kMAC per pixel\n", p->macs.analysis / 1e3, p->macs.prior / 1e3,
           p->macs.synthesis / 1e3);
    if (p->n_critics)
        printf("adversary   %d critics: %.2f M parameters; adversarial %g, feature %g; balance %s\n", p->n_critics,
               (double)p->n_critic_parameters / 1e6, (double)cfg->adversary.weight, (double)cfg->adversary.feature_weight,
               BALANCE_NAMES[train_config_balance(cfg)]);
    printf("steps       %lld of %d x %d x %d pixels", (long long)cfg->train.steps, cfg->data.batch, cfg->picture.crop,
           cfg->picture.crop);
    if (p->resume_step)
        printf(", %lld are done", (long long)p->resume_step);
    printf("\nmemory      %.0f MB for a step, %.0f MB for weights and moments\n", (double)p->step_size / 1e6,
           (double)p->state_size / 1e6);
    printf("speed       %.0f ms per step, %.1f crops/s:", 1000.0 * p->step_s, cfg->data.batch / p->step_s);
    for (int i = 1; i < IMAGE_N_PHASES; i++)
        printf(" %s %.0f%s", IMAGE_PHASE_NAMES[i], 1000.0 * p->phase_s[i], i + 1 < IMAGE_N_PHASES ? "," : "");
    printf("\ntime        %s in all\n", console_duration(text, p->total_s));
}

static void print_summary(const TrainSummary *s, const TrainConfig *cfg, const TrainRequest *r)
{
    char text[DURATION_TEXT_SIZE];

    if (r->common.quiet)
        return;
    fprintf(stderr, "residua: %s at step %lld after %s",
            s->end == TRAIN_FINISHED     ? "done"
            : s->end == TRAIN_TIME_LIMIT ? "time limit reached"
                                         : "stopped",
            (long long)s->step, console_duration(text, s->seconds));
    if (isfinite(s->best_score))
        fprintf(stderr, "; best %s %.4f at step %lld, %s%s in %s/%s.safetensors",
                cfg->kind == TRAIN_PICTURE ? "score" : "mel distance", s->best_score, (long long)s->best_step,
                cfg->train.exported == EXPORT_LAST ? "the last " : "", cfg->train.adapter_rank ? "adapter" : "model", r->out, cfg->train.adapter_rank ? "adapter" : "model");
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

/* Numbers that are none come from training here, not from its input. */
static int code_of(RsdStatus status)
{
    return status == RSD_ERR_NUMERIC ? EXIT_SOME_FAILED : cli_exit_code(status);
}

/* What all processes know the first one says; what only this one knows it says itself, and then ends the others. */
static void report_failure(Group *group, RsdStatus status, const RsdError *err)
{
    if (group_size(group) == 1 || group_rank(group) == 0)
        fprintf(stderr, "residua: %s\n", err->text);
    else if (status != RSD_ERR_NUMERIC)
        fprintf(stderr, "residua: process %d of %d: %s\n", group->rank + 1, group->size, err->text);
    if (group_size(group) == 1)
        return;
    fflush(stderr);
    sleep(OTHERS_TIME_S);
    comm_abort(group, code_of(status));
}

static int train(const TrainConfig *cfg, const TrainRequest *r, Screen *screen)
{
    TrainOptions options = {.dirs = r->data.items,
                            .n_dirs = r->data.n,
                            .valid_dirs = r->valid.items,
                            .n_valid_dirs = r->valid.n,
                            .run_dir = r->out,
                            .resume = r->resume,
                            .init_path = r->init,
                            .prior_path = r->prior,
                            .export_half = r->half,
                            .export_bytes = r->bytes,
                            .stop = &stop_signal,
                            .progress = show_progress,
                            .progress_ctx = screen};
    TrainSummary *summary = NULL;
    TrainPlan *plan = NULL;
    bool grouped;
    ImagePlan *image_plan = NULL;
    RsdError err = {0};
    RsdStatus status = RSD_OK;

    TRY(comm_open(&options.group, &err));
    if (group_rank(options.group)) /* one voice is enough */
        screen->console.quiet = true;
    TRY(rsd_threads_create(&options.threads, r->n_threads, &err));
    if (r->dry_run && cfg->kind == TRAIN_PICTURE) {
        TRY(mem_calloc(&image_plan, 1, sizeof *image_plan, &err));
        TRY(train_image_plan(cfg, &options, 3, image_plan, &err));
        print_image_plan(cfg, image_plan);
    } else if (r->dry_run) {
        TRY(mem_calloc(&plan, 1, sizeof *plan, &err));
        TRY(train_audio_plan(cfg, &options, 2, plan, &err));
        print_plan(cfg, plan);
    } else {
        TRY(mem_calloc(&summary, 1, sizeof *summary, &err));
        stop_signals_catch(on_signal);
        TRY((cfg->kind == TRAIN_PICTURE ? train_image : train_audio)(cfg, &options, summary, &err));
        console_clear_line(&screen->console);
        if (!group_rank(options.group))
            print_summary(summary, cfg, r);
    }
fail:
    console_clear_line(&screen->console);
    if (status != RSD_OK)
        report_failure(options.group, status, &err);
    grouped = options.group != NULL;
    comm_close(&options.group);
    mem_free(&summary);
    mem_free(&plan);
    mem_free(&image_plan);
    rsd_threads_destroy(&options.threads);
    /* Whoever sent the signal sees that it was obeyed; mpirun would take it for an accident. */
    if (status == RSD_OK && stop_signal && !grouped) {
        signal(stop_signal, SIG_DFL);
        raise(stop_signal);
    }
    return code_of(status);
}

/* EXIT_DONE when everything needed is there. */
static int check_usage(TrainRequest *r, size_t n_operands, char **operands)
{
    if (n_operands > 1)
        return command_misused(&cli_train,
                               "'%.60s' is one name too many; the configuration is '%.60s', folders follow --data",
                               operands[1], operands[0]);
    r->config = n_operands ? operands[0] : NULL;
    if (r->print_config)
        return EXIT_DONE;
    if (!r->config)
        return command_misused(&cli_train, "no configuration was given: residua train %s", cli_train.usage);
    if (!r->data.n)
        return command_misused(&cli_train, "no data was given: add --data DIR...");
    if (!r->dry_run && !r->out)
        return command_misused(&cli_train, "no output folder was given: add --out RUN");
    return EXIT_DONE;
}

static int run(int argc, char **argv)
{
    TrainRequest r = {0};
    TrainConfig *cfg = NULL;
    Screen screen = {0};
    size_t n_operands;
    char *text = NULL;
    int code;
    RsdError err = {0};
    RsdStatus status = RSD_OK;

    if (!command_begin(&cli_train, &r, argc, argv, &n_operands, &screen.console, &code))
        return code;
    code = check_usage(&r, n_operands, argv);
    if (code != EXIT_DONE)
        goto done;
    TRY(mem_calloc(&cfg, 1, sizeof *cfg, &err));
    TRY(make_config(cfg, &r, &err));
    if (r.print_config) {
        TRY(train_config_print(&text, cfg, true, &err));
        fputs(text, stdout);
        goto done;
    }
    code = train(cfg, &r, &screen);
    goto done;
fail:
    console_say(&screen.console, LOG_ERROR, "%s", err.text);
    code = cli_exit_code(status);
done:
    console_close(&screen.console);
    mem_free(&text);
    mem_free(&cfg);
    return code;
}

const Command cli_train = {
    .name = "train",
    .summary = "train a model on folders of recordings or pictures",
    .usage = "CONFIG --data DIR... --out RUN [options]",
    .description = "Trains a codec as CONFIG (an INI file) says; models/speech16.ini, models/photo.ini and others are installed and found by "
                   "these names. Ctrl-C saves a checkpoint and ends.",
    .options = OPTIONS,
    .n_options = sizeof OPTIONS / sizeof *OPTIONS,
    .examples = EXAMPLES,
    .endings = "ini",
    .run = run,
};
