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

static int read_bytes(void *ctx, uint8_t *dst, int size)
{
    AvInput *input = ctx;
    ssize_t got;

    do {
        got = read(input->fd, dst, (size_t)size);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        input->failed = errno;
        return AVERROR(errno);
    }
    return got == 0 ? AVERROR_EOF : (int)got;
}

static int64_t seek_bytes(void *ctx, int64_t offset, int whence)
{
    AvInput *input = ctx;
    struct stat info;
    off_t at;

    if (whence & AVSEEK_SIZE)
        return fstat(input->fd, &info) == 0 ? info.st_size : AVERROR(errno);
    at = lseek(input->fd, offset, whence & ~AVSEEK_FORCE);
    return at < 0 ? AVERROR(errno) : at;
}

RsdStatus av_input_open(AvInput *input, int fd, bool seekable, RsdError *err)
{
    unsigned char *buffer = av_malloc(BUFFER_SIZE);

    *input = (AvInput){.fd = fd};
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
