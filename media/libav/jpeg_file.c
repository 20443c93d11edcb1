/* jpeg_file.c - the one door to libjpeg: a picture as a baseline JPEG file.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h> /* jpeglib.h needs it */
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "media/libav/av_parts.h"

#ifdef RESIDUA_HAVE_JPEG
#include <jpeglib.h>
#include <jerror.h>
#include <libavutil/mem.h>
#include <setjmp.h>

#define FIRST_ROOM ((size_t)65536)

/* libjpeg's errors end here; everything that must be freed after one lives here too. */
typedef struct Job {
    struct jpeg_error_mgr errors; /* first: libjpeg gives back a pointer to it */
    jmp_buf failed;
    struct jpeg_compress_struct encoder;
    struct jpeg_destination_mgr to;
    unsigned char *made; /* by malloc */
    size_t made_size, room;
    JSAMPLE *line;
} Job;

static void jump_out(j_common_ptr any)
{
    longjmp(((Job *)(void *)any->err)->failed, 1);
}

static void say_nothing(j_common_ptr any)
{
    (void)any;
}

/* --- where the bytes go: libjpeg's own jpeg_mem_dest leaves a freed buffer behind after an error ------------------------------ */

static Job *job_of(j_compress_ptr encoder)
{
    return (Job *)(void *)encoder->err;
}

/* Room for as much again, behind what is made. */
static boolean grow(j_compress_ptr encoder)
{
    Job *job = job_of(encoder);
    const size_t room = job->room ? 2 * job->room : FIRST_ROOM;
    unsigned char *grown = realloc(job->made, room);

    if (!grown)
        ERREXIT1(encoder, JERR_OUT_OF_MEMORY, 0);
    job->to.next_output_byte = grown + job->room;
    job->to.free_in_buffer = room - job->room;
    job->made = grown;
    job->room = room;
    return TRUE;
}

static void begin(j_compress_ptr encoder)
{
    (void)grow(encoder);
}

static void end(j_compress_ptr encoder)
{
    Job *job = job_of(encoder);

    job->made_size = job->room - job->to.free_in_buffer;
}

/* --- the file --------------------------------------------------------------------------------------------------------------- */

static void write_lines(Job *job, const AvPicture *picture)
{
    for (int y = 0; y < picture->height; y++) {
        JSAMPROW row = job->line;

        for (int c = 0; c < picture->channels; c++)
            for (int x = 0; x < picture->width; x++)
                row[x * picture->channels + c] = picture->plane[c][y * picture->stride[c] + x];
        jpeg_write_scanlines(&job->encoder, &row, 1);
    }
}

static void encode(Job *job, const AvPicture *picture, int quality, bool halve_colours)
{
    struct jpeg_compress_struct *encoder = &job->encoder;

    jpeg_create_compress(encoder);
    job->to = (struct jpeg_destination_mgr){.init_destination = begin, .empty_output_buffer = grow, .term_destination = end};
    encoder->dest = &job->to;
    encoder->image_width = (JDIMENSION)picture->width;
    encoder->image_height = (JDIMENSION)picture->height;
    encoder->input_components = picture->channels;
    encoder->in_color_space = picture->channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(encoder); /* YCbCr with 4:2:0 */
    if (!halve_colours)
        encoder->comp_info[0].h_samp_factor = encoder->comp_info[0].v_samp_factor = 1;
    jpeg_set_quality(encoder, quality, TRUE);
    encoder->optimize_coding = TRUE;
    encoder->dct_method = JDCT_ISLOW;
    jpeg_start_compress(encoder, TRUE);
    write_lines(job, picture);
    jpeg_finish_compress(encoder);
}

/* False where libjpeg gave up; job->errors then says why. */
static bool has_encoded(Job *job, const AvPicture *picture, int quality, bool halve_colours)
{
    if (setjmp(job->failed))
        return false;
    encode(job, picture, quality, halve_colours);
    return true;
}

RsdStatus jpeg_file_encode(uint8_t **bytes, size_t *size, const AvPicture *picture, int quality, bool halve_colours, RsdError *err)
{
    Job *job = calloc(1, sizeof *job);
    char why[JMSG_LENGTH_MAX];
    RsdStatus status = RSD_OK;

    CHECK(job, err, RSD_ERR_MEMORY, "no memory for a JPEG file");
    job->encoder.err = jpeg_std_error(&job->errors);
    job->errors.error_exit = jump_out;
    job->errors.output_message = say_nothing;
    job->line = malloc((size_t)picture->width * (size_t)picture->channels);
    CHECK(job->line, err, RSD_ERR_MEMORY, "no memory for a line of %d pixels", picture->width);
    if (!has_encoded(job, picture, quality, halve_colours)) {
        job->errors.format_message((j_common_ptr)&job->encoder, why);
        status = error_set(err, RSD_ERR_UNSUPPORTED, "libjpeg: %s", why);
        goto fail;
    }
    *bytes = av_memdup(job->made, job->made_size);
    *size = job->made_size;
    CHECK(*bytes, err, RSD_ERR_MEMORY, "no memory for %zu bytes", job->made_size);
fail:
    if (job) {
        jpeg_destroy_compress(&job->encoder);
        free(job->made);
        free(job->line);
    }
    free(job);
    return status;
}

#else

RsdStatus jpeg_file_encode(uint8_t **bytes, size_t *size, const AvPicture *picture, int quality, bool halve_colours, RsdError *err)
{
    (void)bytes, (void)size, (void)picture, (void)quality, (void)halve_colours;
    return error_set(err, RSD_ERR_UNSUPPORTED, "this build has no libjpeg; install libjpeg-dev (Debian) and run ./configure again");
}

#endif
