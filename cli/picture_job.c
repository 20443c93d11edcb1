/* picture_job.c - what encoding and decoding of pictures share: names, models.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/picture_job.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/model_choice.h"
#include "codec/container.h"
#include "media/image_reader.h"

#define LOOKS 100 /* at a pipe, until enough bytes are there */
#define LOOK_US 1000

const char *const PICTURE_METADATA[] = {"keep", "drop", NULL};
const char *const PICTURE_SCALES[] = {"1", "1/2", "1/4", NULL}; /* decoder's shrink: 1 << index */

const char *picture_wish_problem(const PictureWish *wish)
{
    int n = (wish->quality != QUALITY_NOT_GIVEN) + (wish->bpp > 0) + (wish->max_size > 0) + (wish->target != NULL);

    return n > 1 ? "--quality, --bpp, --max-size and --target each decide about the size: give one of them" : NULL;
}

bool picture_wish_is_empty(const PictureWish *wish)
{
    return wish->quality == QUALITY_NOT_GIVEN && wish->bpp <= 0 && wish->max_size <= 0 && !wish->target &&
           !wish->tune && !wish->drop_profile && !wish->drop_alpha && wish->metadata == PICTURE_METADATA_KEEP;
}

bool picture_is_tuned(const char *tune)
{
    return tune && strcmp(tune, "mse") != 0 && strcmp(tune, "psnr") != 0;
}

/* --- which files ---------------------------------------------------------------------------------------------------- */

/* Of what is read from, without taking them from it: of a pipe as many as are written within a moment. */
static ssize_t look_at(int fd, uint8_t *bytes, size_t size)
{
    const off_t at = lseek(fd, 0, SEEK_CUR);
    ssize_t n = 0;

    if (at >= 0)
        return pread(fd, bytes, size, at);
#if defined(__linux__)
    for (int i = 0, copy[2]; i < LOOKS && n >= 0 && (size_t)n < size && pipe2(copy, O_CLOEXEC) == 0; i++) {
        if (i > 0)
            usleep(LOOK_US);
        n = tee(fd, copy[1], size, 0);
        if (n > 0)
            n = read(copy[0], bytes, (size_t)n);
        close(copy[0]);
        close(copy[1]);
        if (n == 0)
            break;
    }
#endif
    return n;
}

/* The descriptor that a path names: "-" and names that the shell gives pipes, /dev/fd/63. -1 for others. */
static int descriptor_of(const char *path)
{
    static const char *const folders[] = {"/dev/fd/", "/proc/self/fd/"};

    if (strcmp(path, "-") == 0 || strcmp(path, "/dev/stdin") == 0)
        return STDIN_FILENO;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        const size_t n = strlen(folders[i]);
        const char *digits = path + n;

        if (strncmp(path, folders[i], n) == 0 && *digits && strspn(digits, "0123456789") == strlen(digits) && strlen(digits) < 7)
            return atoi(digits);
    }
    return -1;
}

/* Up to `size` first bytes of a file. Of a pipe that has to be opened none: what is read from it, or only opens it, is lost to the
 * real reader. */
static size_t first_bytes(const char *path, uint8_t *bytes, size_t size)
{
    int fd = descriptor_of(path);
    struct stat info;
    ssize_t n = 0;

    if (fd >= 0) {
        n = look_at(fd, bytes, size);
    } else if (stat(path, &info) == 0 && S_ISREG(info.st_mode)) {
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        n = fd >= 0 ? read(fd, bytes, size) : 0;
        if (fd >= 0)
            close(fd);
    }
    return n > 0 ? (size_t)n : 0;
}

bool picture_is_file(const char *path)
{
    uint8_t bytes[16];
    size_t n = first_bytes(path, bytes, sizeof bytes);

    return image_format_of(bytes, n) != NULL;
}

bool picture_is_empty_file(const char *path)
{
    uint8_t byte;

    return first_bytes(path, &byte, 1) == 0;
}

bool picture_is_stream_head(const uint8_t *bytes, size_t n)
{
    return n > 4 && memcmp(bytes, "RSD", 3) == 0 && bytes[4] == KIND_PICTURE;
}

RsdStatus picture_is_stream(bool *is, ByteSource *source, RsdError *err)
{
    uint8_t bytes[8];
    size_t n = 0, n_read = 1;
    RsdStatus status = RSD_OK;

    *is = false;
    while (n < sizeof bytes && n_read > 0) {
        TRY(byte_source_read(source, bytes + n, sizeof bytes - n, &n_read, err));
        n += n_read;
    }
    byte_source_rewind(source);
    *is = picture_is_stream_head(bytes, n);
fail:
    return status;
}

bool picture_is_stream_file(const char *path)
{
    uint8_t bytes[8];

    return picture_is_stream_head(bytes, first_bytes(path, bytes, sizeof bytes));
}

/* --- models --------------------------------------------------------------------------------------------------------- */

/* Losses by which a model made for MS-SSIM, photo-msssim, takes fewer bits than photo for the same value (models/photo.md), and relatives of
 * those; not those of pixels, of the worst places, and of networks. */
#define TWIN_LOSS "ms_ssim"
static const char *const TWIN_LOSSES[] = {TWIN_LOSS, "ms_ssim_4", "ms_ssim_3", "ms_ssim_l1", "ssim", "iw_ssim", "ssimulacra2", "gmsd",       "ms_gmsd",
                                          "mdsi",    "fsim",      "fsimc",     "vsi",        "haarpsi", "dss",  "nlpd",        "psnr_hvs_m", "ciede2000"};

/* Of a name that ends with the text or with a value, "ms-ssim=0.97"; 0: it has ended. */
static char next_letter(const char **name)
{
    while (**name == '-' || **name == '_')
        (*name)++;
    return **name && **name != '=' ? *(*name)++ : '\0';
}

/* "msssim", "ms-ssim" and "ms_ssim" are one. */
static bool is_same_name(const char *a, const char *b)
{
    for (;;) {
        const char letter = next_letter(&a);

        if (letter != next_letter(&b))
            return false;
        if (!letter)
            return true;
    }
}

/* The name of the list, NULL when it has none such. */
static const char *find_twin_loss(const char *name)
{
    for (size_t i = 0; i < sizeof TWIN_LOSSES / sizeof *TWIN_LOSSES; i++)
        if (is_same_name(name, TWIN_LOSSES[i]))
            return TWIN_LOSSES[i];
    return NULL;
}

void picture_wish_tune_by_target(PictureWish *wish)
{
    if (!wish->target || wish->tune)
        return;
    wish->tune = find_twin_loss(wish->target);
    wish->tune_of_target = wish->tune != NULL;
}

/* "photo-msssim" was made for "ms-ssim", which is what follows the last dash, and goes with all losses of the list. */
static bool is_made_for(const char *name, const char *tune)
{
    const char *ending = strrchr(name, '-');

    if (!ending || !picture_is_tuned(tune))
        return false;
    return is_same_name(tune, ending + 1) || (is_same_name(TWIN_LOSS, ending + 1) && find_twin_loss(tune));
}

bool picture_is_twin(const ImageCodec *codec, const char *tune)
{
    return is_made_for(codec->config.name, tune);
}

const char *picture_builtin_twin(const char *tune)
{
    for (size_t i = 0; image_codec_builtin_name(i); i++)
        if (is_made_for(image_codec_builtin_name(i), tune))
            return image_codec_builtin_name(i);
    return NULL;
}

RsdStatus picture_job_open_model(PictureJob *job, const char *name, ImageCodecUse use, RsdError *err)
{
    RsdStatus status = RSD_OK;

    if (job->model)
        return RSD_OK;
    if (!name && !job->model_choice)
        name = picture_builtin_twin(job->tune);
    if (!job->codec)
        TRY(picture_choice_open(&job->codec, job->model_choice, name, use, err));
    TRY(picture_model_create(&job->model, job->codec, err));
fail:
    return status;
}

void picture_job_clear(PictureJob *job)
{
    picture_model_destroy(&job->model);
    image_codec_destroy(&job->codec);
}
