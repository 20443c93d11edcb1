/* test_layers.c - the tree keeps its layers, and the script that says so notices when one does not.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/shared.h"

/* Runs the script on a tree; what it prints goes to `output`. Returns the exit status. */
static int check_layers(const char *tree, char *output, size_t size)
{
    SharedPath script;
    char command[SHARED_PATH_SIZE + 256];
    FILE *pipe;
    size_t len;

    snprintf(command, sizeof command, "RESIDUA_SOURCE='%s' sh '%s' 2>&1", tree,
             source_path(&script, "tests/check-layers.sh"));
    pipe = popen(command, "r");
    cr_assert_not_null(pipe);
    len = fread(output, 1, size - 1, pipe);
    output[len] = '\0';
    return WEXITSTATUS(pclose(pipe));
}

Test(layers, sources_include_only_what_is_below_them)
{
    SharedPath source;
    char output[8192];

    cr_assert_eq(check_layers(source_path(&source, ""), output, sizeof output), 0, "%s", output);
}

Test(layers, forbidden_edges_are_named_with_their_line)
{
    static const struct {
        const char *folder, *file, *include, *expected;
    } cases[] = {
        {"engine/base", "engine/base/a.c", "\"engine/dsp/fft.h\"",
         "engine/base/a.c:2: includes engine/dsp/fft.h: base may not use dsp"},
        {"engine/kernels", "engine/kernels/a.c", "\"engine/tensor.h\"", "kernels may not use engine"},
        {"losses", "losses/a.c", "\"codec/residua.h\"", "losses may not use codec"},
        {"media", "media/a.h", "\"models/rvq.h\"", "media may not use models"},
        {"codec", "codec/a.c", "\"media/audio_reader.h\"", "codec may not use media"},
        {"trainer", "trainer/a.c", "\"cli/options.h\"", "trainer may not use cli"},
        {"models", "models/a.c", "\"rvq.h\"", "not a path from the root"},
        {"engine/ops", "engine/ops/a.c", "<cblas.h>", "<cblas.h>, whose door is"},
        {"engine/dsp", "engine/dsp/a.c", "<libavutil/tx.h>", "whose door is"},
        {"cli", "cli/a.c", "<jansson.h>", "whose door is"},
    };
    static const char *const targets[] = {"engine/dsp/fft.h", "engine/tensor.h",      "codec/residua.h",
                                          "models/rvq.h",     "media/audio_reader.h", "cli/options.h"};
    char tree[] = "/tmp/residua-layers-XXXXXX", command[512], output[8192];

    cr_assert_not_null(mkdtemp(tree));
    snprintf(command, sizeof command,
             "cd %s && mkdir -p engine/base engine/kernels engine/dsp engine/ops codec models media cli losses trainer",
             tree);
    cr_assert_eq(system(command), 0);
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        snprintf(command, sizeof command, "touch %s/%s", tree, targets[i]);
        cr_assert_eq(system(command), 0);
    }
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[512];
        FILE *file;

        snprintf(path, sizeof path, "%s/%s", tree, cases[i].file);
        file = fopen(path, "w");
        cr_assert_not_null(file);
        fprintf(file, "#include <stdio.h>\n#include %s\n", cases[i].include);
        fclose(file);
        cr_assert_eq(check_layers(tree, output, sizeof output), 1, "%s passed: %s", cases[i].expected, output);
        cr_assert(strstr(output, cases[i].expected), "'%s' does not contain '%s'", output, cases[i].expected);
        cr_assert_eq(remove(path), 0);
    }
    snprintf(command, sizeof command, "rm -rf %s", tree);
    cr_assert_eq(system(command), 0);
}
