/* zip_archive.c - libzip's calls and errors as ours.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/weights/zip_archive.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <zip.h>

#include "engine/base/bytes.h"
#include "engine/base/file_map.h"
#include "engine/base/library.h"
#include "engine/base/mem.h"

#define MAX_ENTRIES 65534 /* what is said without zip64; 65535 points there */
#define MAX_DIRECTORY (46u * MAX_ENTRIES) /* bytes: for so many of the shortest entries, whatever their number is said to be */
#define END_SIZE 22        /* of the record at the end of a zip */
#define MAX_COMMENT 65535  /* behind it */
#define END64_SIZE 56      /* of the record of zip64, and of what says where it is */
#define LOCATOR64_SIZE 20
#define MAX_ENDS 8

/* Loaded with the first archive: with libcrypto behind it, libzip would cost every start of the program 5 ms. */
#define ZIP_FUNCTIONS(X) \
    X(zip_discard) X(zip_error_code_zip) X(zip_error_fini) X(zip_error_init) X(zip_error_strerror) \
    X(zip_fclose) X(zip_file_strerror) X(zip_fopen_index) X(zip_fread) X(zip_get_name) X(zip_get_num_entries) \
    X(zip_name_locate) X(zip_open_from_source) X(zip_source_buffer_create) X(zip_source_file_create) \
    X(zip_source_free) X(zip_stat_index) X(zip_strerror)

static LibraryTable(ZIP_FUNCTIONS) libzip;
static const char *const zip_names[] = {LibraryNames(ZIP_FUNCTIONS)};
static Library zip_library = {"libzip.so.4", "libzip4", zip_names, &libzip, sizeof libzip, false};

struct ZipArchive {
    zip_t *zip;
    char *place;
    uint64_t file_size;
};

static RsdStatus refuse(const char *place, zip_error_t *reason, RsdError *err)
{
    const int code = libzip.zip_error_code_zip(reason);
    RsdStatus status = RSD_ERR_CORRUPT;

    if (code == ZIP_ER_MEMORY)
        status = RSD_ERR_MEMORY;
    else if (code == ZIP_ER_OPEN || code == ZIP_ER_NOENT)
        status = RSD_ERR_IO;
    if (code == ZIP_ER_NOZIP)
        error_set(err, status, "%s: Not a zip archive: no directory at its end; is the file complete?", place);
    else if (code == ZIP_ER_EXISTS)
        error_set(err, status, "%s: two entries of the zip archive have the same name", place);
    else
        error_set(err, status, "%s: %s", place, libzip.zip_error_strerror(reason));
    libzip.zip_error_fini(reason);
    return status;
}

/* What a record at the end says of the directory. */
static RsdStatus check_directory(uint64_t n_entries, uint64_t n_bytes, const char *place, RsdError *err)
{
    if (n_entries > MAX_ENTRIES)
        return error_set(err, RSD_ERR_UNSUPPORTED, "%s: more than %d entries, which no model has", place, MAX_ENTRIES);
    if (n_bytes > MAX_DIRECTORY)
        return error_set(err, RSD_ERR_UNSUPPORTED, "%s: a directory of %llu bytes, which no model has", place, (unsigned long long)n_bytes);
    return RSD_OK;
}

/* The record of 64 bits that a locator before the other one names, if there is one; it counts instead. */
static RsdStatus check_end64(const uint8_t *data, size_t size, const uint8_t *locator, const char *place, RsdError *err)
{
    uint64_t at = get_u64le(locator + 8);

    if (memcmp(locator, "PK\6\7", 4) != 0 || size < END64_SIZE || at > size - END64_SIZE)
        return RSD_OK;
    return check_directory(get_u64le(data + at + 32), get_u64le(data + at + 40), place, err);
}

/* Before libzip takes memory and time for each: whether a record at the end says that there are too many entries, or that their
 * directory is long enough for too many. It reads the directory of each record that it finds. */
static RsdStatus check_end(const uint8_t *data, size_t size, const char *place, RsdError *err)
{
    size_t first = size > END_SIZE + MAX_COMMENT ? size - END_SIZE - MAX_COMMENT : 0;
    int n_ends = 0;
    RsdStatus status = RSD_OK;

    for (size_t at = first; at + END_SIZE <= size; at++) {
        if (memcmp(data + at, "PK\5\6", 4) != 0)
            continue;
        CHECK(++n_ends <= MAX_ENDS, err, RSD_ERR_CORRUPT, "%s: more than %d ends of a zip archive", place, MAX_ENDS);
        TRY(check_directory(get_u16le(data + at + 10), get_u32le(data + at + 12), place, err));
        if (at >= LOCATOR64_SIZE)
            TRY(check_end64(data, size, data + at - LOCATOR64_SIZE, place, err));
    }
fail:
    return status;
}

static RsdStatus check_end_of_file(const char *path, RsdError *err)
{
    FileMap map = {0};
    RsdStatus status = RSD_OK;

    TRY(file_map_open(&map, path, err));
    TRY(check_end(map.data, map.size, path, err));
fail:
    file_map_close(&map);
    return status;
}

/* Takes the source over. */
static RsdStatus open_source(ZipArchive *archive, zip_source_t *source, RsdError *err)
{
    zip_error_t reason;

    libzip.zip_error_init(&reason);
    archive->zip = libzip.zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &reason);
    if (!archive->zip) {
        libzip.zip_source_free(source);
        return refuse(archive->place, &reason, err);
    }
    libzip.zip_error_fini(&reason);
    if (zip_archive_count(archive) > MAX_ENTRIES)
        return error_set(err, RSD_ERR_UNSUPPORTED, "%s: more than %d entries, which no model has", archive->place, MAX_ENTRIES);
    return RSD_OK;
}

static RsdStatus create(ZipArchive **out, const char *place, uint64_t file_size, RsdError *err)
{
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(out, 1, sizeof **out, err));
    (*out)->file_size = file_size;
    TRY(mem_strdup(&(*out)->place, place, err));
    return RSD_OK;
fail:
    zip_archive_close(out);
    return status;
}

RsdStatus zip_archive_open(ZipArchive **out, const char *path, RsdError *err)
{
    struct stat info;
    zip_source_t *source;
    zip_error_t reason;
    RsdStatus status = RSD_OK;

    *out = NULL;
    CHECK(stat(path, &info) == 0, err, RSD_ERR_IO, "%s: %s", path, strerror(errno));
    CHECK(S_ISREG(info.st_mode), err, RSD_ERR_IO, "%s: is no regular file", path);
    TRY(check_end_of_file(path, err));
    TRY(library_need(&zip_library, err));
    TRY(create(out, path, (uint64_t)info.st_size, err));
    libzip.zip_error_init(&reason);
    source = libzip.zip_source_file_create(path, 0, 0, &reason);
    if (!source) {
        status = refuse(path, &reason, err);
        goto fail;
    }
    libzip.zip_error_fini(&reason);
    TRY(open_source(*out, source, err));
    return RSD_OK;
fail:
    zip_archive_close(out);
    return status;
}

RsdStatus zip_archive_open_memory(ZipArchive **out, const void *data, size_t size, const char *name, RsdError *err)
{
    zip_source_t *source;
    zip_error_t reason;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(check_end(data, size, name, err));
    TRY(library_need(&zip_library, err));
    TRY(create(out, name, size, err));
    libzip.zip_error_init(&reason);
    source = libzip.zip_source_buffer_create(data, size, 0, &reason);
    if (!source) {
        status = refuse(name, &reason, err);
        goto fail;
    }
    libzip.zip_error_fini(&reason);
    TRY(open_source(*out, source, err));
    return RSD_OK;
fail:
    zip_archive_close(out);
    return status;
}

void zip_archive_close(ZipArchive **archive)
{
    if (!*archive)
        return;
    if ((*archive)->zip)
        libzip.zip_discard((*archive)->zip);
    mem_free(&(*archive)->place);
    mem_free(archive);
}

int64_t zip_archive_count(const ZipArchive *archive)
{
    return libzip.zip_get_num_entries(archive->zip, 0);
}

const char *zip_archive_name(const ZipArchive *archive, int64_t i)
{
    return libzip.zip_get_name(archive->zip, (zip_uint64_t)i, ZIP_FL_ENC_RAW);
}

int64_t zip_archive_find(const ZipArchive *archive, const char *name)
{
    return libzip.zip_name_locate(archive->zip, name, ZIP_FL_ENC_RAW);
}

RsdStatus zip_archive_size(const ZipArchive *archive, int64_t i, size_t *size, RsdError *err)
{
    const zip_uint64_t needed = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
    zip_stat_t entry;
    RsdStatus status = RSD_OK;

    *size = 0;
    CHECK(libzip.zip_stat_index(archive->zip, (zip_uint64_t)i, 0, &entry) == 0, err, RSD_ERR_CORRUPT, "%s: entry %lld: %s",
          archive->place, (long long)i, libzip.zip_strerror(archive->zip));
    CHECK((entry.valid & needed) == needed && entry.comp_method == ZIP_CM_STORE &&
              entry.encryption_method == ZIP_EM_NONE,
          err, RSD_ERR_UNSUPPORTED, "%s: entry %lld is compressed or encrypted; torch.save stores entries as they are",
          archive->place, (long long)i);
    CHECK(entry.size == entry.comp_size && entry.size <= archive->file_size, err, RSD_ERR_CORRUPT,
          "%s: entry %lld claims %llu bytes in a file of %llu", archive->place, (long long)i,
          (unsigned long long)entry.size, (unsigned long long)archive->file_size);
    *size = (size_t)entry.size;
fail:
    return status;
}

RsdStatus zip_archive_read(ZipArchive *archive, int64_t i, void *dst, size_t size, RsdError *err)
{
    zip_file_t *file = libzip.zip_fopen_index(archive->zip, (zip_uint64_t)i, 0);
    size_t n_done = 0;
    zip_int64_t n = 0;
    char extra;
    RsdStatus status = RSD_OK;

    CHECK(file, err, RSD_ERR_CORRUPT, "%s: entry %lld: %s", archive->place, (long long)i, libzip.zip_strerror(archive->zip));
    while (n_done < size && (n = libzip.zip_fread(file, (char *)dst + n_done, size - n_done)) > 0)
        n_done += (size_t)n;
    /* libzip compares the checksum when it meets the end. */
    if (n >= 0 && n_done == size)
        n = libzip.zip_fread(file, &extra, 1);
    CHECK(n == 0 && n_done == size, err, RSD_ERR_CORRUPT, "%s: entry %lld is damaged after %zu of %zu bytes: %s",
          archive->place, (long long)i, n_done, size, libzip.zip_file_strerror(file));
fail:
    if (file)
        libzip.zip_fclose(file);
    return status;
}
