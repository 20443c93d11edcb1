/* rd_svg.c - the curves as an SVG picture for papers and READMEs: a panel for each metric, rates on a log axis.
 *
 * SPDX-License-Identifier: MIT
 */
#include <float.h>
#include <math.h>
#include <stdio.h>

#include "cli/rd_run.h"

#define WIDTH 760
#define PANEL_HEIGHT 440
#define LEFT 64
#define RIGHT 150 /* for the codecs' names */
#define TOP 34
#define BOTTOM 46

static const char *const colours[] = {"#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", /* those of the pages */
                                      "#17a2b8", "#c2528b", "#8c6d31", "#5b6472"};

typedef struct Panel {
    const RdRun *run;
    size_t metric;
    double top;                                 /* of the panel in the picture */
    double least_log, most_log, least, most;    /* of rates and values */
} Panel;

static bool is_shown(const RdPoint *point, size_t m)
{
    return point->usable && point->values[m].n;
}

/* False when there is nothing to show. */
static bool find_ranges(Panel *p)
{
    double margin;

    p->least_log = p->least = DBL_MAX;
    p->most_log = p->most = -DBL_MAX;
    for (size_t i = 0; i < p->run->n_points; i++) {
        const RdPoint *point = &p->run->points[i];

        if (!is_shown(point, p->metric))
            continue;
        p->least_log = fmin(p->least_log, log(point->rate / 1.1));
        p->most_log = fmax(p->most_log, log(point->rate * 1.1));
        p->least = fmin(p->least, point->values[p->metric].mean);
        p->most = fmax(p->most, point->values[p->metric].mean);
    }
    margin = p->most > p->least ? 0.05 * (p->most - p->least) : 0.5;
    p->least -= margin;
    p->most += margin;
    return p->most_log > p->least_log;
}

static double x_of(const Panel *p, double rate)
{
    return LEFT + (WIDTH - LEFT - RIGHT) * (log(rate) - p->least_log) / (p->most_log - p->least_log);
}

static double y_of(const Panel *p, double value)
{
    return p->top + TOP + (PANEL_HEIGHT - TOP - BOTTOM) * (p->most - value) / (p->most - p->least);
}

/* 1, 2 or 5 times a power of ten, about six of them in the range. */
static double step_of(double range)
{
    const double power = pow(10, floor(log10(range / 6))), rest = range / 6 / power;

    return power * (rest < 1.5 ? 1 : rest < 3.5 ? 2 : rest < 7.5 ? 5 : 10);
}

static void draw_line(FILE *out, double x1, double y1, double x2, double y2)
{
    fprintf(out, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/>\n", x1, y1, x2, y2);
}

static void draw_axes(const Panel *p, FILE *out)
{
    static const double digits[] = {1, 1.5, 2, 3, 5, 7};
    const EvalMetric *metric = &p->run->set->items[p->metric];
    const double step = step_of(p->most - p->least), low = p->top + PANEL_HEIGHT - BOTTOM, middle = p->top + PANEL_HEIGHT / 2.0;

    for (double v = ceil(p->least / step) * step; v <= p->most; v += step) {
        draw_line(out, LEFT, y_of(p, v), WIDTH - RIGHT, y_of(p, v));
        fprintf(out, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.5g</text>\n", LEFT - 8, y_of(p, v) + 4,
                fabs(v) < step / 2 ? 0.0 : v);
    }
    for (double power = pow(10, floor(p->least_log / log(10))); log(power) <= p->most_log; power *= 10)
        for (size_t i = 0; i < sizeof digits / sizeof *digits; i++) {
            const double rate = digits[i] * power;

            if (log(rate) < p->least_log || log(rate) > p->most_log)
                continue;
            draw_line(out, x_of(p, rate), p->top + TOP, x_of(p, rate), low);
            fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%g</text>\n", x_of(p, rate), low + 17, rate);
        }
    fprintf(out, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"middle\">%s</text>\n", (LEFT + WIDTH - RIGHT) / 2, low + 36,
            p->run->kind->rate_title);
    fprintf(out, "<text x=\"16\" y=\"%.1f\" text-anchor=\"middle\" transform=\"rotate(-90 16 %.1f)\">%s%s%s%s</text>\n", middle,
            middle, metric->title, *metric->unit ? " (" : "", metric->unit, *metric->unit ? ")" : "");
}

static void draw_codec(const Panel *p, size_t c, FILE *out)
{
    const RdRun *run = p->run;
    const char *colour = colours[c % (sizeof colours / sizeof *colours)];
    const double key = p->top + TOP + 10 + 20 * (double)c;

    fprintf(out, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" points=\"", colour);
    for (size_t i = 0; i < run->n_points; i++)
        if (run->points[i].codec == &run->codecs[c] && is_shown(&run->points[i], p->metric))
            fprintf(out, "%.1f,%.1f ", x_of(p, run->points[i].rate), y_of(p, run->points[i].values[p->metric].mean));
    fputs("\"/>\n", out);
    for (size_t i = 0; i < run->n_points; i++)
        if (run->points[i].codec == &run->codecs[c] && is_shown(&run->points[i], p->metric))
            fprintf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\" fill=\"%s\"/>\n", x_of(p, run->points[i].rate),
                    y_of(p, run->points[i].values[p->metric].mean), colour);
    fprintf(out, "<rect x=\"%d\" y=\"%.1f\" width=\"12\" height=\"12\" fill=\"%s\"/><text x=\"%d\" y=\"%.1f\">%s</text>\n",
            WIDTH - RIGHT + 14, key - 10, colour, WIDTH - RIGHT + 32, key, run->codecs[c].title);
}

void rd_print_svg(const RdRun *run, FILE *out)
{
    const size_t height = run->set->n * PANEL_HEIGHT, n_files = run->n_files - run->n_missing;

    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%zu\" viewBox=\"0 0 %d %zu\" "
            "font-family=\"sans-serif\" font-size=\"13\" fill=\"#222\">\n<rect width=\"%d\" height=\"%zu\" fill=\"#fff\"/>\n",
            WIDTH, height, WIDTH, height, WIDTH, height);
    for (size_t m = 0; m < run->set->n; m++) {
        Panel panel = {.run = run, .metric = m, .top = (double)(m * PANEL_HEIGHT)};

        fprintf(out, "<text x=\"%d\" y=\"%.1f\" font-size=\"15\" font-weight=\"bold\">%s of %zu %s</text>\n", LEFT,
                panel.top + 22, run->set->items[m].title, n_files,
                n_files == 1 ? run->kind->eval->thing : run->kind->eval->things);
        if (!find_ranges(&panel))
            continue;
        draw_axes(&panel, out);
        for (size_t c = 0; c < run->n_codecs; c++)
            draw_codec(&panel, c, out);
    }
    fputs("</svg>\n", out);
}
