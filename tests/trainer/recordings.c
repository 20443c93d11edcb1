/* recordings.c - folders of synthetic recordings.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/trainer/recordings.h"

#include <ftw.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "engine/base/bytes.h"

#define RATE_HZ 8000
#define WAV_HEADER_SIZE 44

void recordings_make_folder(char path[RECORDINGS_PATH_SIZE])
{
    const char *tmp = getenv("TMPDIR");

    snprintf(path, RECORDINGS_PATH_SIZE, "%s/residua-test-XXXXXX", tmp ? tmp : "/tmp");
    cr_assert_not_null(mkdtemp(path), "cannot make %s", path);
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *place)
{
    (void)info;
    (void)type;
    (void)place;
    return remove(path);
}

void recordings_remove(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void recordings_write_bytes(const char *folder, const char *name, const void *bytes, size_t size)
{
    char path[RECORDINGS_PATH_SIZE + 64];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "wb");
    cr_assert_not_null(file, "cannot write %s", path);
    cr_assert_eq(fwrite(bytes, 1, size, file), size);
    cr_assert_eq(fclose(file), 0);
}

void recordings_write_tone(const char *folder, const char *name, double seconds, double hz, double amplitude)
{
    uint32_t n = (uint32_t)(seconds * RATE_HZ), data_size = 2 * n;
    uint8_t *bytes = malloc(WAV_HEADER_SIZE + data_size);

    cr_assert_not_null(bytes);
    memcpy(bytes, "RIFF\0\0\0\0WAVEfmt ", 16);
    put_u32le(bytes + 4, 36 + data_size);
    put_u32le(bytes + 16, 16);
    put_u16le(bytes + 20, 1);
    put_u16le(bytes + 22, 1);
    put_u32le(bytes + 24, RATE_HZ);
    put_u32le(bytes + 28, 2 * RATE_HZ);
    put_u16le(bytes + 32, 2);
    put_u16le(bytes + 34, 16);
    memcpy(bytes + 36, "data", 4);
    put_u32le(bytes + 40, data_size);
    for (uint32_t i = 0; i < n; i++) {
        double t = (double)i / RATE_HZ, phase = 6.283185307179586 * hz * t + 3.0 * sin(30.0 * t);

        put_u16le(bytes + WAV_HEADER_SIZE + 2 * i, (uint16_t)(int16_t)lrint(32767.0 * amplitude * sin(phase)));
    }
    recordings_write_bytes(folder, name, bytes, WAV_HEADER_SIZE + data_size);
    free(bytes);
}

void recordings_write_tones(const char *folder, int count)
{
    for (int i = 0; i < count; i++) {
        char name[32];

        snprintf(name, sizeof name, "tone-%02d.wav", i);
        recordings_write_tone(folder, name, 0.5 + 0.05 * (i % 10), 110.0 * pow(2.0, i / 6.0), 0.3);
    }
}

void recordings_tiny_config(TrainConfig *cfg)
{
    static const char text[] =
        "[model]\nname=tiny\nrate=8000\nbase_channels=4\nratios=4,4\nlatent_dim=8\ncodebooks=3\n"
        "codebook_size=16\n"
        "[data]\nbatch=4\nsegment=0.1s\nvalid_every=0\nvalid_clips=2\nvalid_clip=0.5s\nprefetch=2\n"
        "[train]\nsteps=6\nrates=3k,6k\nkmeans_batches=2\nlog_every=1\nvalid_steps=0\n"
        "checkpoint_period=0\n"
        "[loss]\nl1=1\nmse=0.5\n"
        "[optim]\nlr=0.003\nlr_final=0.001\nwarmup=2\nema=0.9\n";
    RsdError err = {0};

    train_config_init(cfg);
    cr_assert_eq(train_config_parse(cfg, text, "tiny", &err), RSD_OK, "%s", err.text);
}
