/* rd_choice.c - see rd_choice.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/rd_choice.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/picture_job.h"
#include "engine/base/text.h"

#define OURS_AT RD_OURS " effort "
#define SHOWN 60 /* characters of an item in an error */

static bool item_is(const TextItem *item, const char *name)
{
    return item->len == strlen(name) && strncmp(item->text, name, item->len) == 0;
}

static bool is_named(const char *list, const char *name)
{
    TextItem item;

    if (!list)
        return true;
    while (text_next_item(&item, &list))
        if (item_is(&item, name))
            return true;
    return false;
}

/* ---- names ---- */

/* It must be that of a codec of this kind. */
static RsdStatus check_name(const char *name, const char *option, const RdKind *kind, RsdError *err)
{
    const char *names[RD_MAX_CODECS] = {RD_OURS}, *near;
    char all[160] = RD_OURS;
    size_t n = 1;

    if (strcmp(name, RD_OURS) == 0)
        return RSD_OK;
    for (size_t i = 0; rd_peer_at(i); i++) {
        const RdCodec *peer = rd_peer_at(i);

        if (strcmp(peer->name, name) == 0)
            return peer->kind == kind->eval ? RSD_OK
                                            : error_set(err, RSD_ERR_ARG, "%s: %s codes %s, and these are %s", option, name,
                                                        peer->kind->things, kind->eval->things);
        if (peer->kind != kind->eval || n == RD_MAX_CODECS)
            continue;
        names[n++] = peer->name;
        snprintf(all + strlen(all), sizeof all - strlen(all), ", %s", peer->name);
    }
    near = text_nearest(name, names, n);
    return error_set(err, RSD_ERR_ARG, "%s: there is no codec '%s'%s%s%s", option, name,
                     near ? "; did you mean " : "; there are ", near ? near : all, near ? "?" : "");
}

static RsdStatus check_names(const char *list, const char *option, bool with_efforts, const RdKind *kind, RsdError *err)
{
    TextItem item;
    RsdStatus status = RSD_OK;

    while (text_next_item(&item, &list)) {
        char name[SHOWN + 1];

        snprintf(name, sizeof name, "%.*s", (int)item.len, item.text);
        if (strncmp(name, OURS_AT, strlen(OURS_AT)) != 0)
            TRY(check_name(name, option, kind, err));
        else
            CHECK(with_efforts, err, RSD_ERR_ARG, "%s: '%s' is %s with --effort %s", option, name, RD_OURS, name + strlen(OURS_AT));
    }
fail:
    return status;
}

/* ---- ours ---- */

/* The usual one first. */
typedef struct Efforts {
    int values[1 + RD_MAX_EFFORTS];
    size_t n;
} Efforts;

static RsdStatus add_effort(Efforts *efforts, const TextItem *item, RsdError *err)
{
    const int effort = item->len == 1 ? *item->text - '0' : 0;
    size_t i = 0;
    RsdStatus status = RSD_OK;

    CHECK(effort >= 1 && effort <= SEARCH_LAST_EFFORT, err, RSD_ERR_ARG, "--effort: '%.*s' is not a number of 1 to %d", (int)item->len,
          item->text, SEARCH_LAST_EFFORT);
    while (i < efforts->n && efforts->values[i] != effort)
        i++;
    if (i < efforts->n)
        return RSD_OK;
    CHECK(i <= RD_MAX_EFFORTS, err, RSD_ERR_ARG, "--effort: at most %d besides %d", RD_MAX_EFFORTS, PICTURE_EFFORT_USUAL);
    efforts->values[efforts->n++] = effort;
fail:
    return status;
}

static RsdStatus list_efforts(Efforts *efforts, const char *list, RsdError *err)
{
    TextItem item;
    RsdStatus status = RSD_OK;

    efforts->values[efforts->n++] = PICTURE_EFFORT_USUAL;
    while (text_next_item(&item, &list))
        TRY(add_effort(efforts, &item, err));
fail:
    return status;
}

/* A model's level, as one of the ladder's. */
static RsdStatus add_level(RdCodec *codec, const TextItem *item, int highest, RsdError *err)
{
    const double last = codec->n_settings ? codec->ladder[codec->n_settings - 1].quality : -1;
    char number[24];
    double level;
    RsdStatus status = RSD_OK;

    snprintf(number, sizeof number, "%.*s", (int)item->len, item->text);
    CHECK(item->len > 0 && item->len < sizeof number, err, RSD_ERR_ARG, "--levels: '%.*s' is not a level",
          (int)(item->len < SHOWN ? item->len : SHOWN), item->text);
    status = text_parse_quantity(&level, number, UNIT_NONE, err);
    if (status != RSD_OK)
        return error_prefix(err, status, "--levels");
    CHECK(level >= 0 && level <= highest / 16.0 && floor(16 * level) == 16 * level, err, RSD_ERR_ARG,
          "--levels: %s is not a level of the model: 0 to %g, in steps of 1/16", number, highest / 16.0);
    CHECK(level > last, err, RSD_ERR_ARG, "--levels: %s comes after %g: give them in rising order", number, last);
    CHECK(codec->n_settings < RD_MAX_SETTINGS, err, RSD_ERR_ARG, "--levels: more than %d", RD_MAX_SETTINGS);
    codec->ladder[codec->n_settings++] = (RdSetting){.quality = level};
fail:
    return status;
}

/* Instead of the whole ones, where a list is given. */
static RsdStatus choose_levels(RdCodec *codec, const char *list, const ImageCodec *model, RsdError *err)
{
    TextItem item;
    RsdStatus status = RSD_OK;

    if (list)
        codec->n_settings = 0;
    while (text_next_item(&item, &list))
        TRY(add_level(codec, &item, image_codec_level_max(&model->config), err));
fail:
    return status;
}

/* Options of ours are for pictures, and for runs that ours takes part in. */
static RsdStatus check_options(const RdChoice *choice, const RdKind *kind, RsdError *err)
{
    const struct {
        const char *name, *value;
    } options[] = {{"--effort", choice->efforts}, {"--tune", choice->tune}, {"--levels", choice->levels}};
    RsdStatus status = RSD_OK;

    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        CHECK(!options[i].value || kind == &rd_kind_picture, err, RSD_ERR_ARG, "%s is for pictures, and these are recordings", options[i].name);
        CHECK(!options[i].value || is_named(choice->names, RD_OURS), err, RSD_ERR_ARG, "%s is of %s, which is not among --codecs",
              options[i].name, RD_OURS);
    }
fail:
    return status;
}

/* At each effort, if it is among the codecs asked for. */
static RsdStatus add_ours(RdRun *run, RdCompared *compared, const RdChoice *choice, RsdError *err)
{
    Efforts efforts = {0};
    bool follows_loss;
    RsdStatus status = RSD_OK;

    TRY(check_options(choice, run->kind, err));
    if (!is_named(choice->names, RD_OURS))
        return RSD_OK;
    TRY(list_efforts(&efforts, choice->efforts, err));
    TRY(rd_model_open(&run->model, run->kind->eval, choice->model, choice->tune, err));
    follows_loss = !run->model.loss.named || picture_is_twin(run->model.image, choice->tune);
    for (size_t i = 0; i < efforts.n; i++) {
        RdCodec *codec = &compared->codecs[run->n_codecs++];
        const bool searches = efforts.values[i] >= SEARCH_FIRST_EFFORT;

        follows_loss |= searches;
        CHECK(!searches || run->model.image->config.quantizer == IMAGE_SCALAR, err, RSD_ERR_ARG,
              "--effort %d: model %s codes vectors, which efforts from %d on cannot search", efforts.values[i],
              run->model.image->config.name, SEARCH_FIRST_EFFORT);
        rd_describe_ours(codec, &run->model, efforts.values[i], compared->settings[i]);
        TRY(choose_levels(codec, choice->levels, run->model.image, err));
    }
    CHECK(follows_loss, err, RSD_ERR_ARG, "--tune %s: model %s was not made for it, and nothing searches: give --effort %d or more, too",
          choice->tune, run->model.image->config.name, SEARCH_FIRST_EFFORT);
fail:
    return status;
}

/* ---- all ---- */

static RsdStatus choose_anchors(RdRun *run, const RdChoice *choice, RsdError *err)
{
    const char *names = choice->anchor ? choice->anchor : run->kind->anchor;
    TextItem item;
    RsdStatus status = RSD_OK;

    while (text_next_item(&item, &names)) {
        size_t i = 0;

        while (i < run->n_codecs && !item_is(&item, run->codecs[i].name))
            i++;
        CHECK(i < run->n_codecs || !choice->anchor, err, RSD_ERR_ARG, "--anchor: %.*s is not among the codecs", (int)item.len, item.text);
        CHECK(run->n_anchors < RD_MAX_ANCHORS, err, RSD_ERR_ARG, "--anchor: more than %d names", RD_MAX_ANCHORS);
        run->anchors[run->n_anchors++] = i < run->n_codecs ? i : 0;
    }
fail:
    return status;
}

RsdStatus rd_choose_codecs(RdRun *run, RdCompared *compared, const RdChoice *choice, RsdError *err)
{
    RsdStatus status = RSD_OK;

    TRY(check_names(choice->names, "--codecs", false, run->kind, err));
    TRY(check_names(choice->anchor, "--anchor", true, run->kind, err)); /* are the efforts among the codecs? */
    run->codecs = compared->codecs;
    TRY(add_ours(run, compared, choice, err));
    for (size_t k = 0; rd_peer_at(k); k++)
        if (rd_peer_at(k)->kind == run->kind->eval && is_named(choice->names, rd_peer_at(k)->name))
            compared->codecs[run->n_codecs++] = *rd_peer_at(k);
    TRY(choose_anchors(run, choice, err));
fail:
    return status;
}
