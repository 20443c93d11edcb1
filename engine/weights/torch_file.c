/* torch_file.c - from the tree of a pickle to named tensors and metadata.
 *
 * The tree is untrusted: the walk has a bound on depth (a tree may contain itself) and on steps (a few shared nodes may stand
 * for billions). A tensor must lie inside its storage and must not have more elements than it, so that no shape can ask for
 * more memory than the file has bytes; but several may share a storage, and what a network takes is bounded where it is made.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/weights/torch_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/weights/array_values.h"
#include "engine/weights/pickle.h"

#define MAX_PICKLE_SIZE ((size_t)64 << 20)
#define MAX_TREE_SIZE ((size_t)256 << 20) /* bytes of the values */
#define MAX_DEPTH 16
#define MAX_STEPS 1000000
#define NAME_SIZE 256
#define VALUE_SIZE 1024
#define PICKLE_NAME "data.pkl"

static const char *const globals[] = {"collections OrderedDict",
                                      "torch._utils _rebuild_tensor_v2",
                                      "torch._utils _rebuild_parameter",
                                      "torch Size",
                                      "torch FloatStorage",
                                      "torch HalfStorage",
                                      "torch BFloat16Storage",
                                      "torch DoubleStorage",
                                      "torch LongStorage",
                                      "torch IntStorage",
                                      "torch ShortStorage",
                                      "torch CharStorage",
                                      "torch ByteStorage",
                                      "torch BoolStorage",
                                      NULL};

static const struct {
    const char *global;
    Dtype dtype;
} storages[] = {{"torch FloatStorage", DTYPE_F32},     {"torch HalfStorage", DTYPE_F16},
                {"torch BFloat16Storage", DTYPE_BF16}, {"torch DoubleStorage", DTYPE_F64},
                {"torch LongStorage", DTYPE_I64},      {"torch IntStorage", DTYPE_I32},
                {"torch ShortStorage", DTYPE_I16},     {"torch CharStorage", DTYPE_I8},
                {"torch ByteStorage", DTYPE_U8},       {"torch BoolStorage", DTYPE_BOOL}};

static const char *const wrappers[] = {"state_dict", "best_state"};

typedef struct Walk {
    TorchFile *file;
    char prefix[NAME_SIZE]; /* of the names in the archive */
    int n_steps;
} Walk;

/* ---- tensors ---- */

static const PickleValue *argument(const PickleValue *call, size_t i, PickleKind kind)
{
    const PickleValue *args = call->items[1];

    return i < args->n_items && args->items[i]->kind == kind ? args->items[i] : NULL;
}

/* ('storage', torch.FloatStorage, '17', 'cpu', 1536) */
static RsdStatus read_storage(TorchTensor *tensor, const Walk *walk, const PickleValue *persistent, const char *name,
                              RsdError *err)
{
    const char *place = walk->file->place;
    const PickleValue *id = persistent->items[0];
    char entry[2 * NAME_SIZE];
    size_t size, i = 0;
    RsdStatus status = RSD_OK;

    CHECK(id->kind == PICKLE_TUPLE && id->n_items == 5 && id->items[0]->kind == PICKLE_TEXT &&
              strcmp(id->items[0]->text, "storage") == 0 && id->items[1]->kind == PICKLE_GLOBAL &&
              id->items[2]->kind == PICKLE_TEXT && id->items[4]->kind == PICKLE_INT && id->items[4]->integer >= 0,
          err, RSD_ERR_CORRUPT, "%s: tensor '%s' does not say where it is stored", place, name);
    while (i < sizeof storages / sizeof *storages && !pickle_is_global(id->items[1], storages[i].global))
        i++;
    CHECK(i < sizeof storages / sizeof *storages, err, RSD_ERR_UNSUPPORTED,
          "%s: tensor '%s' is stored as %s, which is not known", place, name, id->items[1]->text);
    tensor->array.dtype = storages[i].dtype;
    tensor->n_stored = id->items[4]->integer;
    CHECK(snprintf(entry, sizeof entry, "%sdata/%s", walk->prefix, id->items[2]->text) < (int)sizeof entry, err,
          RSD_ERR_CORRUPT, "%s: tensor '%s' is in an entry with an impossible name", place, name);
    tensor->entry = zip_archive_find(walk->file->archive, entry);
    CHECK(tensor->entry >= 0, err, RSD_ERR_CORRUPT, "%s: tensor '%s' should be in entry %.100s, which is not there",
          place, name, entry);
    TRY(zip_archive_size(walk->file->archive, tensor->entry, &size, err));
    CHECK((uint64_t)tensor->n_stored == size / dtype_size(tensor->array.dtype) &&
              size % dtype_size(tensor->array.dtype) == 0,
          err, RSD_ERR_CORRUPT, "%s: tensor '%s': storage of %" PRId64 " numbers, but entry %.100s has %zu bytes",
          place, name, tensor->n_stored, entry, size);
fail:
    return status;
}

/* A tuple of numbers that are not negative. */
static bool read_numbers(int64_t out[TENSOR_MAX_DIMS], const PickleValue *tuple)
{
    for (size_t i = 0; i < tuple->n_items; i++) {
        if (tuple->items[i]->kind != PICKLE_INT || tuple->items[i]->integer < 0)
            return false;
        out[i] = tuple->items[i]->integer;
    }
    return true;
}

/* Index of the last element the tensor touches, or -1 when that cannot be a number. */
static int64_t last_index(const TorchTensor *tensor)
{
    int64_t last = tensor->offset;

    for (int i = 0; i < tensor->array.n_dims; i++) {
        int64_t step;

        if (__builtin_mul_overflow(tensor->array.shape[i] - 1, tensor->strides[i], &step) ||
            __builtin_add_overflow(last, step, &last))
            return -1;
    }
    return last;
}

static RsdStatus read_tensor(TorchTensor *tensor, const Walk *walk, const PickleValue *call, const char *name,
                             RsdError *err)
{
    const PickleValue *persistent = argument(call, 0, PICKLE_PERSISTENT), *offset = argument(call, 1, PICKLE_INT),
                      *shape = argument(call, 2, PICKLE_TUPLE), *strides = argument(call, 3, PICKLE_TUPLE);
    const char *place = walk->file->place;
    char text[SHAPE_TEXT_SIZE];
    int64_t count, last;
    RsdStatus status = RSD_OK;

    CHECK(persistent && offset && shape && strides && shape->n_items == strides->n_items && offset->integer >= 0, err,
          RSD_ERR_CORRUPT, "%s: tensor '%s' is not described as torch does", place, name);
    CHECK(shape->n_items <= TENSOR_MAX_DIMS, err, RSD_ERR_UNSUPPORTED, "%s: tensor '%s' has %zu axes; %d are possible",
          place, name, shape->n_items, TENSOR_MAX_DIMS);
    TRY(read_storage(tensor, walk, persistent, name, err));
    tensor->offset = offset->integer;
    tensor->array.n_dims = (int)shape->n_items;
    CHECK(read_numbers(tensor->array.shape, shape) && read_numbers(tensor->strides, strides), err, RSD_ERR_CORRUPT,
          "%s: tensor '%s': a size or a stride is negative or no number", place, name);
    if (shape_count(&count, tensor->array.n_dims, tensor->array.shape, err) != RSD_OK)
        return error_prefix(err, RSD_ERR_CORRUPT, "%s: tensor '%s'", place, name);
    last = count > 0 ? last_index(tensor) : 0;
    CHECK(count <= tensor->n_stored && (count == 0 || (last >= 0 && last < tensor->n_stored)), err, RSD_ERR_CORRUPT,
          "%s: tensor '%s' of shape %s does not fit its storage of %" PRId64 " numbers", place, name,
          shape_text(text, tensor->array.n_dims, tensor->array.shape), tensor->n_stored);
fail:
    return status;
}

static RsdStatus add_tensor(Walk *walk, const PickleValue *call, const char *name, RsdError *err)
{
    TorchFile *file = walk->file;
    TorchTensor tensor = {0};
    char *copy = NULL;
    RsdStatus status = RSD_OK;

    TRY(read_tensor(&tensor, walk, call, name, err));
    if (file->n_tensors == file->capacity) {
        size_t capacity = file->capacity * 2 + 64;

        TRY(mem_resize(&file->tensors, file->capacity, capacity, sizeof *file->tensors, err));
        file->capacity = capacity;
    }
    TRY(mem_strdup(&copy, name, err));
    tensor.array.name = copy;
    file->tensors[file->n_tensors++] = tensor;
fail:
    return status;
}

/* ---- the walk ---- */

/* Appends the text of a scalar; false for anything else, or when it does not fit. */
static bool add_scalar(char text[VALUE_SIZE], const PickleValue *value)
{
    size_t used = strlen(text), room = VALUE_SIZE - used;
    int n = -1;

    if (value->kind == PICKLE_TEXT)
        n = snprintf(text + used, room, "%s", value->text);
    else if (value->kind == PICKLE_INT)
        n = snprintf(text + used, room, "%" PRId64, value->integer);
    else if (value->kind == PICKLE_BOOL)
        n = snprintf(text + used, room, "%s", value->integer ? "true" : "false");
    else if (value->kind == PICKLE_FLOAT)
        n = snprintf(text + used, room, "%.9g", value->number);
    return n >= 0 && (size_t)n < room;
}

static bool add_list(char text[VALUE_SIZE], const PickleValue *list)
{
    for (size_t i = 0; i < list->n_items; i++) {
        if (i > 0 && strlen(text) + 2 < VALUE_SIZE)
            strcat(text, ",");
        if (i == VALUE_SIZE || !add_scalar(text, list->items[i])) /* empty texts always fit */
            return false;
    }
    return true;
}

static RsdStatus walk_value(Walk *walk, const PickleValue *value, const char *name, int depth, RsdError *err);

static RsdStatus walk_dict(Walk *walk, const PickleValue *dict, const char *name, int depth, RsdError *err)
{
    RsdStatus status = RSD_OK;

    for (size_t i = 0; i < dict->n_items; i += 2) {
        const PickleValue *key = dict->items[i];
        char part[VALUE_SIZE] = "", longer[NAME_SIZE];

        CHECK(key->kind == PICKLE_TEXT || key->kind == PICKLE_INT, err, RSD_ERR_UNSUPPORTED,
              "%s: '%s' has a key that is neither text nor a number", walk->file->place, name);
        CHECK(add_scalar(part, key) &&
                  snprintf(longer, sizeof longer, "%s%s%s", name, *name ? "." : "", part) < NAME_SIZE,
              err, RSD_ERR_UNSUPPORTED, "%s: a name that begins with '%.40s' is longer than %d characters",
              walk->file->place, name, NAME_SIZE - 1);
        for (size_t j = 0; j < sizeof wrappers / sizeof *wrappers && depth == 0; j++)
            if (strcmp(part, wrappers[j]) == 0 && dict->items[i + 1]->kind == PICKLE_DICT)
                longer[0] = '\0';
        TRY(walk_value(walk, dict->items[i + 1], longer, depth + 1, err));
    }
fail:
    return status;
}

static RsdStatus walk_list(Walk *walk, const PickleValue *list, const char *name, int depth, RsdError *err)
{
    char text[VALUE_SIZE] = "";
    RsdStatus status = RSD_OK;

    if (add_list(text, list))
        return metadata_set(&walk->file->metadata, name, text, err);
    for (size_t i = 0; i < list->n_items; i++) {
        char longer[NAME_SIZE];

        CHECK(snprintf(longer, sizeof longer, "%s.%zu", name, i) < NAME_SIZE, err, RSD_ERR_UNSUPPORTED,
              "%s: a name that begins with '%.40s' is longer than %d characters", walk->file->place, name,
              NAME_SIZE - 1);
        TRY(walk_value(walk, list->items[i], longer, depth + 1, err));
    }
fail:
    return status;
}

static RsdStatus walk_value(Walk *walk, const PickleValue *value, const char *name, int depth, RsdError *err)
{
    const PickleValue *inner;
    char text[VALUE_SIZE] = "";
    RsdStatus status = RSD_OK;

    CHECK(depth <= MAX_DEPTH, err, RSD_ERR_CORRUPT, "%s: '%.80s' is nested more than %d deep, or contains itself",
          walk->file->place, name, MAX_DEPTH);
    CHECK(++walk->n_steps <= MAX_STEPS, err, RSD_ERR_CORRUPT, "%s: holds more than %d values", walk->file->place,
          MAX_STEPS);
    switch (value->kind) {
    case PICKLE_DICT:
        return walk_dict(walk, value, name, depth, err);
    case PICKLE_LIST:
    case PICKLE_TUPLE:
        return walk_list(walk, value, name, depth, err);
    case PICKLE_CALL:
        if (pickle_is_call(value, "torch._utils _rebuild_tensor_v2"))
            return add_tensor(walk, value, name, err);
        inner = argument(value, 0, PICKLE_CALL);
        if (pickle_is_call(value, "torch._utils _rebuild_parameter") && inner)
            return walk_value(walk, inner, name, depth + 1, err);
        return error_set(err, RSD_ERR_UNSUPPORTED, "%s: '%.80s' calls %s with something else than a tensor",
                         walk->file->place, name, value->items[0]->text);
    case PICKLE_NONE:
    case PICKLE_BYTES:
    case PICKLE_GLOBAL:
    case PICKLE_PERSISTENT:
        break; /* says nothing about weights */
    default:
        /* Long texts, such as a training run's whole configuration, are of no use here. */
        if (add_scalar(text, value))
            TRY(metadata_set(&walk->file->metadata, name, text, err));
    }
fail:
    return status;
}

/* ---- the file ---- */

/* The entry data.pkl, whose folder is the prefix of all others. */
static RsdStatus find_pickle(Walk *walk, int64_t *entry, RsdError *err)
{
    const ZipArchive *archive = walk->file->archive;
    const size_t tail = strlen(PICKLE_NAME);
    RsdStatus status = RSD_OK;

    *entry = -1;
    for (int64_t i = 0; i < zip_archive_count(archive); i++) {
        const char *name = zip_archive_name(archive, i);
        size_t len = name ? strlen(name) : 0;

        if (len < tail || len - tail >= sizeof walk->prefix || strcmp(name + len - tail, PICKLE_NAME) != 0 ||
            (len > tail && name[len - tail - 1] != '/'))
            continue;
        CHECK(*entry < 0, err, RSD_ERR_CORRUPT, "%s: has two entries %s", walk->file->place, PICKLE_NAME);
        *entry = i;
        memcpy(walk->prefix, name, len - tail);
        walk->prefix[len - tail] = '\0';
    }
    CHECK(*entry >= 0, err, RSD_ERR_UNSUPPORTED, "%s: is a zip archive, but no file of torch.save: it has no entry %s",
          walk->file->place, PICKLE_NAME);
fail:
    return status;
}

static int compare_names(const void *a, const void *b)
{
    const TorchTensor *x = a, *y = b;

    return strcmp(x->array.name, y->array.name);
}

static RsdStatus sort_tensors(TorchFile *file, RsdError *err)
{
    RsdStatus status = RSD_OK;

    CHECK(file->n_tensors > 0, err, RSD_ERR_UNSUPPORTED, "%s: has no tensors", file->place);
    qsort(file->tensors, file->n_tensors, sizeof *file->tensors, compare_names);
    for (size_t i = 1; i < file->n_tensors; i++)
        CHECK(strcmp(file->tensors[i - 1].array.name, file->tensors[i].array.name) != 0, err, RSD_ERR_CORRUPT,
              "%s: has two tensors '%s'", file->place, file->tensors[i].array.name);
fail:
    return status;
}

static RsdStatus read_tree(TorchFile *file, RsdError *err)
{
    Walk walk = {.file = file};
    Arena *arena = NULL;
    PickleValue *root;
    uint8_t *bytes = NULL;
    int64_t entry;
    size_t size;
    RsdStatus status = RSD_OK;

    TRY(find_pickle(&walk, &entry, err));
    TRY(zip_archive_size(file->archive, entry, &size, err));
    CHECK(size <= MAX_PICKLE_SIZE, err, RSD_ERR_UNSUPPORTED, "%s: %s has %zu bytes; %zu are possible", file->place,
          PICKLE_NAME, size, MAX_PICKLE_SIZE);
    TRY(mem_alloc(&bytes, size, 1, err));
    TRY(zip_archive_read(file->archive, entry, bytes, size, err));
    TRY(arena_create(&arena, MAX_TREE_SIZE, err));
    TRY(pickle_read(&root, arena, bytes, size, globals, file->place, err));
    TRY(walk_value(&walk, root, "", 0, err));
    TRY(sort_tensors(file, err));
fail:
    arena_destroy(&arena);
    mem_free(&bytes);
    return status;
}

RsdStatus torch_file_open(TorchFile **out, ZipArchive *archive, const char *place, RsdError *err)
{
    TorchFile *file = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&file, 1, sizeof *file, err));
    file->archive = archive;
    file->stored = -1;
    archive = NULL;
    TRY(mem_strdup(&file->place, place, err));
    TRY(read_tree(file, err));
    *out = file;
    return RSD_OK;
fail:
    zip_archive_close(&archive);
    torch_file_close(&file);
    return status;
}

void torch_file_close(TorchFile **file)
{
    if (!*file)
        return;
    for (size_t i = 0; i < (*file)->n_tensors; i++) {
        char *name = (char *)(uintptr_t)(*file)->tensors[i].array.name;

        mem_free(&name);
    }
    mem_free(&(*file)->tensors);
    metadata_clear(&(*file)->metadata);
    mem_free(&(*file)->storage);
    mem_free(&(*file)->place);
    zip_archive_close(&(*file)->archive);
    mem_free(file);
}

/* ---- values ---- */

static RsdStatus load_storage(TorchFile *file, const TorchTensor *tensor, RsdError *err)
{
    size_t size = (size_t)tensor->n_stored * dtype_size(tensor->array.dtype);
    RsdStatus status = RSD_OK;

    if (file->stored == tensor->entry)
        return RSD_OK;
    file->stored = -1;
    if (file->storage_size < size) {
        mem_free(&file->storage);
        file->storage_size = 0;
        TRY(mem_alloc(&file->storage, size, 1, err));
        file->storage_size = size;
    }
    TRY(zip_archive_read(file->archive, tensor->entry, file->storage, size, err));
    file->stored = tensor->entry;
fail:
    return status;
}

static bool is_contiguous(const TorchTensor *tensor)
{
    int64_t expected = 1;

    for (int i = tensor->array.n_dims - 1; i >= 0; i--) {
        if (tensor->array.shape[i] != 1 && tensor->strides[i] != expected)
            return false;
        expected *= tensor->array.shape[i];
    }
    return true;
}

/* dst [count] items in C order. */
static void gather(uint8_t *dst, const uint8_t *storage, const TorchTensor *tensor, int64_t count)
{
    const size_t item_size = dtype_size(tensor->array.dtype);
    int64_t index[TENSOR_MAX_DIMS] = {0}, at = tensor->offset;

    for (int64_t i = 0; i < count; i++) {
        memcpy(dst + (size_t)i * item_size, storage + (size_t)at * item_size, item_size);
        for (int axis = tensor->array.n_dims - 1; axis >= 0; axis--) {
            at += tensor->strides[axis];
            if (++index[axis] < tensor->array.shape[axis])
                break;
            at -= tensor->strides[axis] * tensor->array.shape[axis];
            index[axis] = 0;
        }
    }
}

/* What the array is, *count numbers, but for where they are. */
static RsdStatus describe(SafetensorsEntry *entry, int64_t *count, const CheckpointArray *array, RsdError *err)
{
    RsdStatus status = RSD_OK;

    *entry = (SafetensorsEntry){.name = array->name, .dtype = array->dtype, .n_dims = array->n_dims};
    TRY(shape_count(count, array->n_dims, array->shape, err));
    memcpy(entry->shape, array->shape, sizeof entry->shape);
    entry->size = (size_t)*count * dtype_size(array->dtype);
fail:
    return status;
}

/* Loads the storage and points the entry at its numbers, or at *gathered, the caller's, when they do not follow each other. */
static RsdStatus load_values(SafetensorsEntry *entry, uint8_t **gathered, TorchFile *file, const TorchTensor *tensor, int64_t count,
                             RsdError *err)
{
    const size_t item_size = dtype_size(entry->dtype);
    RsdStatus status = RSD_OK;

    TRY(load_storage(file, tensor, err));
    entry->data = file->storage + (count > 0 ? (size_t)tensor->offset * item_size : 0);
    if (count > 0 && !is_contiguous(tensor)) {
        TRY(mem_alloc(gathered, (size_t)count, item_size, err));
        gather(*gathered, file->storage, tensor, count);
        entry->data = *gathered;
    }
fail:
    return status;
}

RsdStatus torch_file_read_f32(TorchFile *file, const TorchTensor *tensor, float *dst, int64_t count, RsdError *err)
{
    SafetensorsEntry entry;
    uint8_t *gathered = NULL;
    int64_t held;
    RsdStatus status = RSD_OK;

    TRY(describe(&entry, &held, &tensor->array, err));
    if (held == count && held == tensor->n_stored && tensor->offset == 0 && entry.dtype == DTYPE_F32 &&
        is_contiguous(tensor) && file->stored != tensor->entry) { /* a storage of its own needs no second memory */
        TRY(zip_archive_read(file->archive, tensor->entry, (uint8_t *)dst, entry.size, err));
        entry.data = (const uint8_t *)dst;
        return array_read_f32(file->place, &entry, dst, count, err);
    }
    TRY(load_values(&entry, &gathered, file, tensor, held, err));
    TRY(array_read_f32(file->place, &entry, dst, count, err));
fail:
    mem_free(&gathered);
    return status;
}

RsdStatus torch_file_check_f32(TorchFile *file, const TorchTensor *tensor, RsdError *err)
{
    SafetensorsEntry entry;
    uint8_t *gathered = NULL;
    int64_t count;
    RsdStatus status = RSD_OK;

    TRY(describe(&entry, &count, &tensor->array, err));
    TRY(load_values(&entry, &gathered, file, tensor, count, err));
    TRY(array_check_f32(file->place, &entry, err));
fail:
    mem_free(&gathered);
    return status;
}
