/* test_eval_weights.c - `residua eval --weights` with the published weights: from picture files to the published values.
 *
 * Pairs and values are those of golden/losses_image. Pictures with 8-bit samples are handed over as they are; noisy ones are
 * rounded to 16 bits, which their tolerance allows. The trunk of DISTS and of LPIPS through VGG16 is the computed one of the
 * index.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <unistd.h>

#include "media/image_writer.h"
#include "tests/losses/hashed_net.h"
#include "tests/shared.h"

#define GOLDEN "golden/losses_image/"

typedef struct Desk {
    char folder[40];
    json_t *index;
} Desk;

static Desk open_desk(void)
{
    Desk desk = {.folder = "/tmp/residua-weights-XXXXXX"};
    SharedPath path;

    cr_assert_not_null(mkdtemp(desk.folder));
    desk.index = json_file_load(shared_path(&path, GOLDEN "index.json"));
    return desk;
}

static void close_desk(Desk *desk)
{
    char command[64];

    json_decref(desk->index);
    snprintf(command, sizeof command, "rm -r %s", desk->folder);
    cr_expect_eq(system(command), 0);
}

static void write_picture(const Desk *desk, const char *pair, const char *side)
{
    char relative[64], to[80];
    SharedPath path;
    Npy x;
    Image *image;
    RsdError err = {0};

    snprintf(relative, sizeof relative, GOLDEN "img_%s_%s.npy", pair, side);
    snprintf(to, sizeof to, "%s/%s.png", desk->folder, side);
    npy_load(&x, shared_path(&path, relative));
    ASSERT_OK(image_from_float(&image, x.f32, NULL, x.shape[2], x.shape[1], 3, 16, &err), err);
    ASSERT_OK(image_write(image, to, &(ImageWriteOptions){.overwrite = true}, &err), err);
    image_destroy(&image);
    npy_free(&x);
}

/* The value that `residua eval --json` prints of the pair. */
static double measure(const Desk *desk, const char *pair, const char *metric, const char *weights)
{
    static char command[8 * SHARED_PATH_SIZE];
    SharedPath build;
    json_t *object;
    double value;
    FILE *pipe;

    write_picture(desk, pair, "ref");
    write_picture(desk, pair, "dist");
    snprintf(command, sizeof command, "'%s/residua' eval -q --json -m %s %s %s/ref.png %s/dist.png", build_path(&build, ""), metric,
             weights, desk->folder, desk->folder);
    pipe = popen(command, "r");
    cr_assert_not_null(pipe);
    object = json_loadf(pipe, JSON_DISABLE_EOF_CHECK, NULL);
    cr_assert(object, "%s printed no JSON", command);
    value = json_number_value(json_object_get(json_object_get(json_object_get(object, "metrics"), metric), "value"));
    json_decref(object);
    while (fgetc(pipe) != EOF)
        continue;
    cr_assert_eq(pclose(pipe), 0);
    return value;
}

/* Every pair of `pairs` against its value in the index. */
static void check(const Desk *desk, const char *golden, const char *metric, const char *pairs, const char *weights)
{
    size_t i, n = 0;
    json_t *c;

    json_array_foreach(json_object_get(desk->index, "cases"), i, c)
    {
        const char *pair = json_string_value(json_object_get(c, "pair"));

        if (strcmp(json_string_value(json_object_get(c, "metric")), golden) != 0 || !strstr(pairs, pair))
            continue;
        ASSERT_CLOSE(golden, measure(desk, pair, metric, weights), json_number_at(c, "value"),
                     ((Tolerance){.rel = json_number_at(c, "tolerance_value_rel")}));
        n++;
    }
    cr_assert_eq(n, strlen(pairs), "%zu pairs of %s", n, pairs);
}

Test(eval_weights, lpips_through_the_published_squeezenet)
{
    static char weights[3 * SHARED_PATH_SIZE];
    SharedPath net, linear;
    Desk desk;

    NEED_SHARED(GOLDEN "index.json");
    NEED_SHARED("weights/squeezenet1_1_f16.safetensors");
    desk = open_desk();
    snprintf(weights, sizeof weights, "--weights 'squeeze=%s' --weights 'lpips_squeeze=%s'",
             shared_path(&net, "weights/squeezenet1_1_f16.safetensors"), shared_path(&linear, "weights/lpips_linear_v0.1.safetensors"));
    check(&desk, "lpips_squeeze", "lpips", "ABCR", weights);
    close_desk(&desk);
}

Test(eval_weights, dists_with_its_published_alpha_and_beta)
{
    static char weights[3 * SHARED_PATH_SIZE];
    char trunk[80];
    SharedPath dists;
    Desk desk;

    NEED_SHARED(GOLDEN "index.json");
    NEED_SHARED("weights/dists_alpha_beta.safetensors");
    desk = open_desk();
    snprintf(trunk, sizeof trunk, "%s/vgg16.safetensors", desk.folder);
    hashed_net_write(trunk, hashed_vgg16, HASHED_VGG16_SEED);
    snprintf(weights, sizeof weights, "--weights vgg16=%s --weights 'dists=%s'", trunk,
             shared_path(&dists, "weights/dists_alpha_beta.safetensors"));
    check(&desk, "dists_hash", "dists", "BC", weights);
    close_desk(&desk);
}
