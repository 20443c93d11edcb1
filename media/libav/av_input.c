/* av_input.c - the bytes that libavformat reads, and its error codes in our words.
 *
 * libavformat never opens anything itself: play lists and similar formats could otherwise reach the network or other
 * files on the word of the input.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "media/libav/av_parts.h"

#define BUFFER_SIZE 32768

/* Keeps the first AV_HEAD_SIZE bytes, starting again behind an ID3v2 tag (ID3v2.4, 3.1: a size of 4 x 7 bits). */
static void keep_head(AvInput *input, const uint8_t *src, size_t size)
{
    uint8_t *head = input->head;
    int64_t skip = input->head_from - input->n_read;

    if (skip < (int64_t)size && input->head_size < AV_HEAD_SIZE) {
        size_t from = skip > 0 ? (size_t)skip : 0, room = AV_HEAD_SIZE - input->head_size;
        size_t take = size - from < room ? size - from : room;

        memcpy(head + input->head_size, src + from, take);
        input->head_size += take;
    }
    input->n_read += (int64_t)size;
    if (input->head_from == 0 && input->head_size >= 10 && memcmp(head, "ID3", 3) == 0) {
        int64_t tag_size = (head[6] & 127) << 21 | (head[7] & 127) << 14 | (head[8] & 127) << 7 | (head[9] & 127);
        int64_t kept = (int64_t)input->head_size;

        input->head_from = 10 + tag_size + (head[5] & 16 ? 10 : 0);
        input->head_size = 0;
        if (input->head_from < kept) { /* a short tag: part of what follows is here already */
            memmove(head, head + input->head_from, (size_t)(kept - input->head_from));
            input->head_size = (size_t)(kept - input->head_from);
        }
    }
}

static int read_bytes(void *ctx, uint8_t *dst, int size)
{
    AvInput *input = ctx;
    ssize_t got = (ssize_t)input->start_left < size ? (ssize_t)input->start_left : size;

    if (got > 0) {
        memcpy(dst, input->start, (size_t)got);
        input->start += got;
        input->start_left -= (size_t)got;
        keep_head(input, dst, (size_t)got);
        return (int)got;
    }
    do {
        got = read(input->fd, dst, (size_t)size);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        input->failed = errno;
        return AVERROR(errno);
    }
    if (input->keep_head)
        keep_head(input, dst, (size_t)got);
    return got == 0 ? AVERROR_EOF : (int)got;
}

static int64_t seek_bytes(void *ctx, int64_t offset, int whence)
{
    AvInput *input = ctx;
    struct stat info;
    off_t at;

    if (whence & AVSEEK_SIZE)
        return fstat(input->fd, &info) == 0 ? info.st_size : AVERROR(errno);
    input->keep_head = false; /* bytes no longer come in order */
    at = lseek(input->fd, offset, whence & ~AVSEEK_FORCE);
    return at < 0 ? AVERROR(errno) : at;
}

RsdStatus av_input_open(AvInput *input, int fd, bool seekable, RsdError *err)
{
    unsigned char *buffer = av_malloc(BUFFER_SIZE);

    *input = (AvInput){.fd = fd, .seekable = seekable, .keep_head = true};
    if (buffer)
        input->io = avio_alloc_context(buffer, BUFFER_SIZE, 0, input, read_bytes, NULL, seekable ? seek_bytes : NULL);
    if (!input->io) {
        av_free(buffer);
        return error_set(err, RSD_ERR_MEMORY, "no memory to read the input");
    }
    input->io->seekable = seekable ? AVIO_SEEKABLE_NORMAL : 0;
    return RSD_OK;
}

void av_input_close(AvInput *input)
{
    if (!input->io)
        return;
    av_freep(&input->io->buffer); /* libavformat may have replaced the buffer we gave */
    avio_context_free(&input->io);
}

RsdStatus av_failure(int code, const AvInput *input, const char *doing, RsdError *err)
{
    char words[AV_ERROR_MAX_STRING_SIZE] = "";

    if (input && input->failed)
        return error_set(err, RSD_ERR_IO, "%s: %s", doing, strerror(input->failed));
    if (code == AVERROR(ENOMEM))
        return error_set(err, RSD_ERR_MEMORY, "%s: out of memory", doing);
    av_strerror(code, words, sizeof words);
    if (code == AVERROR_DECODER_NOT_FOUND || code == AVERROR_PATCHWELCOME || code == AVERROR(ENOSYS))
        return error_set(err, RSD_ERR_UNSUPPORTED, "%s: %s", doing, words);
    return error_set(err, RSD_ERR_CORRUPT, "%s: %s", doing, words);
}
