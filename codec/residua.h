/* residua.h - the public interface of the residua library: neural coding of sound and of pictures to and from `.rsd` streams.
 *
 * A model is loaded once and shared; each encoder and decoder is one stream with its own state. Samples are float,
 * planar, 1.0 is full scale; counts of samples are per channel. The library touches no file but a model's: bytes go
 * through the caller's read and write functions, so that files, pipes, sockets and memory are the same to it.
 *
 *     RsdModel *model = NULL;                              RsdDecoder *dec = NULL;
 *     RsdEncoder *enc = NULL;                              RsdDecoderOptions options;
 *     RsdEncoderOptions options;                           rsd_decoder_default_options(&options);
 *     rsd_model_open_builtin(&model, NULL, &err);          options.read = my_read;
 *     rsd_encoder_default_options(&options);               rsd_decoder_open(&dec, &options, &err);
 *     options.model = model;                               do
 *     options.write = my_write;                                status = rsd_decoder_read(dec, pcm, 4096, 4096, &n, &err);
 *     options.bitrate_bps = 3000;                          while (status == RSD_OK && n > 0);
 *     rsd_encoder_open(&enc, &options, &err);              rsd_decoder_close(&dec);
 *     rsd_encoder_write(enc, pcm, n, n, &err);  ...
 *     rsd_encoder_finish(enc, &err);
 *     rsd_encoder_close(&enc);
 *     rsd_model_close(&model);
 *
 * Errors: every function that can fail returns RsdStatus and writes a sentence into *err, which may be NULL. A function
 * that returns an error has freed what it had half built. RSD_ERR_MEMORY is possible wherever memory is taken (every
 * _open, rsd_threads_create, the stream functions) and is not repeated below; encoders and decoders take all their
 * memory when they are opened and none afterwards, and how much depends on the model alone, never on the length of a
 * stream. The one exception is an encoder of .ecdc that was not told the length: it keeps all codes, up to 256 MiB, until finish.
 *
 * Threads: a model may be used by any number of encoders and decoders in different threads at once. One encoder,
 * decoder or RsdThreads belongs to one thread at a time. The library starts no thread but those of rsd_threads_create.
 * Results are the same, bit for bit, for any number of threads and any sizes of blocks.
 *
 * Compiles as C11 and as C++. The stream format is specified in docs/format.md.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_H
#define RESIDUA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Versions ---------------------------------------------------------------------------------------------------- */

#define RSD_VERSION_MAJOR 0
#define RSD_VERSION_MINOR 1
#define RSD_VERSION_PATCH 0
#define RSD_VERSION "0.1.0"

#define RSD_FORMAT_VERSION 1 /* of the streams written; all versions up to this one are read */

/* RSD_VERSION of the library that is running; compare it with the macro that the program was compiled with. */
RSD_API const char *rsd_version(void);

/* ---- Threads ----------------------------------------------------------------------------------------------------- */

typedef struct RsdThreads RsdThreads;

/* A pool to share the work of one call. n_threads >= 1 counts the calling thread; 0 asks for one per processor that
 * the process may use, or as many of these as can be started. Errors: RSD_ERR_ARG. Destroy after everything that was opened with it. */
RSD_API RsdStatus rsd_threads_create(RsdThreads **out, int n_threads, RsdError *err);
RSD_API void rsd_threads_destroy(RsdThreads **threads);
RSD_API int rsd_threads_count(const RsdThreads *threads); /* 1 for NULL */

/* ---- Models ------------------------------------------------------------------------------------------------------ */

#define RSD_MODEL_NAME_SIZE 32 /* with the terminating zero */
#define RSD_MODEL_HASH_SIZE 8

typedef struct RsdModel RsdModel;

typedef struct RsdModelInfo {
    char name[RSD_MODEL_NAME_SIZE];    /* "speech16" */
    uint8_t hash[RSD_MODEL_HASH_SIZE]; /* begin of the SHA-256 of the model file, which streams name */
    int rate_hz, channels;             /* of the signal it codes */
    int hop_samples;                   /* samples of one frame */
    int n_stages;                      /* codebooks; a stream uses the first 1..n_stages of them */
    int bits_per_code;
    int codebook_size; /* codes are 0 .. codebook_size - 1 */
    int latent_dim;    /* numbers per frame that the codes stand for */
    double stage_bitrate_bps; /* of the first stage, containers aside; each further one adds as much, or more (multi-rate) */
    double bitrate_bps;       /* of all stages */
    int delay_samples;        /* algorithmic delay of encoder and decoder: the frames of a code, and what the model looks ahead */
    int64_t n_parameters;
    bool can_stream;     /* causal: codes .rsd streams; others code .ecdc files segment by segment */
    int segment_samples; /* of a segment, 0 without segments */
} RsdModelInfo;

/* A model that is part of the library; name NULL for the default one. Errors: RSD_ERR_MODEL, listing the names. */
RSD_API RsdStatus rsd_model_open_builtin(RsdModel **out, const char *name, RsdError *err);
/* A model file, or the weights of a published EnCodec model as torch or the model hub keep them (docs/model-file.md). Errors:
 * RSD_ERR_IO, RSD_ERR_CORRUPT, RSD_ERR_NUMERIC (damaged weights), RSD_ERR_UNSUPPORTED (sound, but of another kind or beyond
 * the format's limits). */
RSD_API RsdStatus rsd_model_open_file(RsdModel **out, const char *path, RsdError *err);
/* Adds an adapter's file (`residua train` with train.adapter_rank) to the decoder of the model that it was trained on; before the
 * model is used. Streams stay valid. Errors: RSD_ERR_MODEL (made for another model), RSD_ERR_IO, RSD_ERR_CORRUPT,
 * RSD_ERR_UNSUPPORTED, RSD_ERR_NUMERIC. */
RSD_API RsdStatus rsd_model_add_adapter(RsdModel *model, const char *path, RsdError *err);
/* Close after every encoder and decoder that uses it. Accepts NULL inside. */
RSD_API void rsd_model_close(RsdModel **model);

/* Owned by the model. Any thread. */
RSD_API const RsdModelInfo *rsd_model_info(const RsdModel *model);
/* Name of the i-th built-in model, NULL past the end; the first is the default. */
RSD_API const char *rsd_model_builtin_name(size_t i);

/* EnCodec's language model of codes, which makes .ecdc files a quarter smaller and much slower to code; floating-point numbers
 * decide about bits, so such a file may not decode on another kind of machine. Errors: as rsd_model_open_file. Close after
 * everything that uses it. */
typedef struct CodeLm RsdLanguageModel;
RSD_API RsdStatus rsd_language_model_open(RsdLanguageModel **out, const char *path, RsdError *err);
RSD_API void rsd_language_model_close(RsdLanguageModel **model);

/* ---- Bytes in and out -------------------------------------------------------------------------------------------- */

/* Reads 1..size bytes into data; *n_read = 0 means the end. May block. What it returns other than RSD_OK, with the
 * sentence it writes into *err (never NULL here), is returned by the function that called it. */
typedef RsdStatus (*RsdReadFn)(void *ctx, void *data, size_t size, size_t *n_read, RsdError *err);
/* Writes all of data [size]. Errors as above. */
typedef RsdStatus (*RsdWriteFn)(void *ctx, const void *data, size_t size, RsdError *err);

/* ---- Streams ----------------------------------------------------------------------------------------------------- */

#define RSD_MAX_LAYERS 15
#define RSD_UNKNOWN_LENGTH ((int64_t)-1)

/* Meaning of the channels; values are those of the format. */
typedef enum RsdLayout {
    RSD_LAYOUT_DISCRETE = 0,
    RSD_LAYOUT_MONO = 1,
    RSD_LAYOUT_STEREO = 2,
    RSD_LAYOUT_AMBISONIC = 3 /* ACN order, SN3D */
} RsdLayout;

typedef enum RsdContainer {
    RSD_CONTAINER_RSD = 0,
    RSD_CONTAINER_ECDC = 1 /* files of the EnCodec tool */
} RsdContainer;

/* What the header of a stream says. */
typedef struct RsdStreamInfo {
    int format_version;
    char model_name[RSD_MODEL_NAME_SIZE];
    uint8_t model_hash[RSD_MODEL_HASH_SIZE];
    int rate_hz, channels;
    int layout;        /* RsdLayout; values unknown to this version read as RSD_LAYOUT_DISCRETE */
    int64_t n_samples; /* exact, or RSD_UNKNOWN_LENGTH (written to a pipe: the end mark tells) */
    int hop_samples, frames_per_packet, bits_per_code;
    int n_stages; /* of all layers together */
    int n_layers;
    int layer_stages[RSD_MAX_LAYERS]; /* stages that each layer adds */
    int layer_strides[RSD_MAX_LAYERS]; /* frames that a code of it stands for: 1, or more with a multi-rate quantiser */
    double bitrate_bps;               /* of the codes of all layers; see RsdStreamReport for the real one */
    int header_size;                  /* bytes */
    int container;                    /* RsdContainer; fields that .ecdc lacks are 0 */
    bool has_language_model;          /* .ecdc: coded with one */
} RsdStreamInfo;

/* What reading a stream has found. */
typedef struct RsdStreamReport {
    int64_t n_bytes;       /* read up to here, end mark included; bytes after the end mark are not counted */
    int64_t n_samples;     /* up to here; lost packets counted */
    int64_t n_packets;     /* up to here; lost ones counted */
    int64_t n_lost;        /* packets lost or damaged beyond use */
    int64_t n_layers_lost; /* damaged upper layers: their packets decode at a lower rate */
    bool has_end;          /* the end mark was read */
    double bitrate_bps;    /* real: all bytes, header and checksums included, by duration; 0 for an empty signal */
} RsdStreamReport;

/* Reads the header and nothing after it. name (borrowed, NULL for "stream") begins the messages.
 * Errors: RSD_ERR_CORRUPT (not a stream, or a damaged header), RSD_ERR_UNSUPPORTED (another version or kind), those of
 * read. */
RSD_API RsdStatus rsd_stream_probe(RsdStreamInfo *info, RsdReadFn read, void *read_ctx, const char *name,
                                   RsdError *err);

/* Reads everything and checks all numbers and checksums; needs no model. *info and *report (may be NULL) are filled as
 * far as reading came. Errors: those of rsd_stream_probe; RSD_ERR_CORRUPT for any damage after the header, with a
 * sentence about the first: reading goes on to the end all the same, so that *report is complete. */
RSD_API RsdStatus rsd_stream_scan(RsdStreamInfo *info, RsdStreamReport *report, RsdReadFn read, void *read_ctx,
                                  const char *name, RsdError *err);

typedef struct RsdCutOptions {
    RsdReadFn read;
    void *read_ctx;
    RsdWriteFn write;
    void *write_ctx;
    int n_layers;       /* layers to keep; 0: as many as bitrate_bps allows */
    double bitrate_bps; /* keeps the layers whose codes need no more than this, at least one */
    const char *name;   /* of the stream in messages; borrowed; NULL: "stream" */
    RsdStreamReport *report; /* NULL, or filled with what was read, as far as reading came */
} RsdCutOptions;

/* Copies a stream without its upper layers, decoding nothing; the result is, byte for byte, what the encoder writes for
 * those layers. *info (may be NULL) describes the result, with its length even when its header does not know it. Asking for more layers than there are copies all.
 * Errors: RSD_ERR_ARG (neither layers nor rate given), those of rsd_stream_scan (what was written is then incomplete:
 * throw it away), those of read and write. */
RSD_API RsdStatus rsd_stream_cut(RsdStreamInfo *info, const RsdCutOptions *options, RsdError *err);

/* ---- Encoder ----------------------------------------------------------------------------------------------------- */

typedef struct RsdEncoder RsdEncoder;

/* Codes of one frame, borrowed. Errors as of RsdWriteFn. */
typedef RsdStatus (*RsdCodesFn)(void *ctx, const uint16_t *codes, int n_stages, RsdError *err);

#define RSD_MAX_SOUND_EFFORT 6

typedef struct RsdEncoderOptions {
    const RsdModel *model; /* kept until close; needed */
    RsdThreads *threads;   /* kept until close; NULL: the calling thread alone */
    RsdWriteFn write;      /* called from open, write and finish; may be NULL when on_codes is not: no stream is made */
    void *write_ctx;
    RsdCodesFn on_codes; /* NULL, or called from write and finish with each frame's codes, in order; not for .ecdc */
    void *codes_ctx;
    double bitrate_bps; /* most bits per second of codes: as many stages as fit, at least one; 0: see n_stages */
    int n_stages;       /* 0: bitrate_bps decides; both 0: all stages of the model */
    int effort;         /* of the search for codes, 1 .. RSD_MAX_SOUND_EFFORT: 1 takes the nearest code of each stage, as published tools do;
                         * 2 keeps 4 choices open from stage to stage, 3 8, up to 64, in so many times the time. 0, usual: 2, but 1
                         * for published models, and for those whose codes are projected, which know no other. Decoders do not notice */
    int n_layers;       /* 0: the customary split (3, 3, 6, then 12 stages each) */
    int layer_stages[RSD_MAX_LAYERS]; /* of each layer, when n_layers > 0; their sum must be the number of stages */
    int frames_per_packet;            /* 0: about one second. Fewer frames: less delay, more bytes */
    int64_t n_samples;                /* exact length of the signal, or RSD_UNKNOWN_LENGTH */
    const char *name;                 /* of the signal in messages; kept until close; NULL: "input" */
    int container;                    /* RsdContainer */
    const RsdLanguageModel *language_model; /* .ecdc: kept until close; NULL: packed codes */
} RsdEncoderOptions;

/* Zeros and NULL everywhere, n_samples RSD_UNKNOWN_LENGTH. */
RSD_API void rsd_encoder_default_options(RsdEncoderOptions *options);

/* Writes the header. Errors: RSD_ERR_ARG (an option out of range, named), those of write. */
RSD_API RsdStatus rsd_encoder_open(RsdEncoder **out, const RsdEncoderOptions *options, RsdError *err);
/* samples[c * stride + i] is sample i of channel c, i < n_samples, at the model's rate and channel count. Any
 * n_samples, zero too. Values beyond full scale are coded as they are.
 * Errors: RSD_ERR_NUMERIC (NaN or infinity, position named; nothing of this call
 * is coded. Of .ecdc with scales: a segment a million times full scale), RSD_ERR_ARG (more samples than announced, or after finish),
 * RSD_ERR_UNSUPPORTED (longer than the format allows: 2^24 packets), those of write. */
RSD_API RsdStatus rsd_encoder_write(RsdEncoder *encoder, const float *samples, size_t stride, size_t n_samples,
                                    RsdError *err);
/* Codes what is left and writes the end mark; close is still needed. After any error of write or finish the encoder
 * only repeats that error. Errors: RSD_ERR_ARG (fewer samples than announced), those of write. */
RSD_API RsdStatus rsd_encoder_finish(RsdEncoder *encoder, RsdError *err);
/* Without finish the stream stays without an end. Accepts NULL inside. */
RSD_API void rsd_encoder_close(RsdEncoder **encoder);

/* The header as written, and what was written so far. Owned by the encoder. */
RSD_API const RsdStreamInfo *rsd_encoder_info(const RsdEncoder *encoder);
RSD_API const RsdStreamReport *rsd_encoder_report(const RsdEncoder *encoder);

/* ---- Codes ------------------------------------------------------------------------------------------------------- */

/* Codes without a stream around them, for programs that model, edit or store them: uint16_t [n_stages, n_frames], stage 0
 * first. They may be the first stages of a model's. Getting them: RsdEncoderOptions.on_codes. */

/* What codes stand for, before the decoder's network: latents [latent_dim, n_frames] are written. Errors: RSD_ERR_ARG
 * (n_stages or n_frames out of range), RSD_ERR_CORRUPT (a code out of range; stage and frame are named). */
RSD_API RsdStatus rsd_codes_to_latents(const RsdModel *model, RsdThreads *threads, const uint16_t *codes, int n_stages,
                                       int64_t n_frames, float *latents, RsdError *err);

/* Samples of codes, block by block like rsd_decoder_read: n_frames * hop_samples in all, those that rsd_decoder_read gives for a
 * stream of these codes. codes: borrowed until close. threads may be NULL. Errors: as above; RSD_ERR_UNSUPPORTED (the model
 * cannot run as a stream). */
typedef struct RsdCodesDecoder RsdCodesDecoder;
RSD_API RsdStatus rsd_codes_open(RsdCodesDecoder **out, const RsdModel *model, RsdThreads *threads, const uint16_t *codes,
                                 int n_stages, int64_t n_frames, RsdError *err);
RSD_API RsdStatus rsd_codes_read(RsdCodesDecoder *decoder, float *samples, size_t stride, size_t max_samples, size_t *n_read,
                                 RsdError *err);
RSD_API void rsd_codes_close(RsdCodesDecoder **decoder);

/* ---- Decoder ----------------------------------------------------------------------------------------------------- */

typedef struct RsdDecoder RsdDecoder;

/* One sentence for each place of damage that keep_going passed over; text is borrowed. */
typedef void (*RsdDamageFn)(void *ctx, const char *text);

typedef struct RsdDecoderOptions {
    const RsdModel *model; /* kept until close; NULL: the built-in model that the stream names */
    RsdThreads *threads;   /* kept until close; NULL: the calling thread alone */
    RsdReadFn read;        /* needed; called from open and read, for large blocks */
    void *read_ctx;
    bool keep_going;       /* fill lost packets with silence of the same length instead of stopping with an error */
    RsdDamageFn on_damage; /* with keep_going: called for each place of damage; may be NULL */
    void *damage_ctx;
    int max_stages;   /* use no more than these; 0: all there are. Fewer stages: the sound of a lower rate */
    const char *name; /* of the stream in messages; kept until close; NULL: "stream" */
    const RsdLanguageModel *language_model; /* for .ecdc files that were coded with one; kept until close */
} RsdDecoderOptions;

RSD_API void rsd_decoder_default_options(RsdDecoderOptions *options);

/* Reads the header. Errors: those of rsd_stream_probe; RSD_ERR_MODEL (the stream needs another model, named, than the
 * one given, or one that is not built in); RSD_ERR_ARG. */
RSD_API RsdStatus rsd_decoder_open(RsdDecoder **out, const RsdDecoderOptions *options, RsdError *err);
/* Up to max_samples per channel: samples[c * stride + i], max_samples <= stride. *n_read < max_samples only at the end
 * or with an error; 0 with RSD_OK is the end. The sum of all *n_read is the exact length of the encoded signal.
 * Errors: RSD_ERR_CORRUPT naming packet and time, once everything before the damage has been delivered (*n_read samples
 * of this call are valid); with keep_going only a stream that ends without its end mark gives it: the packets before
 * are delivered, nothing is made up after them. Those of read. After an error the decoder only repeats it, with *n_read
 * 0. */
RSD_API RsdStatus rsd_decoder_read(RsdDecoder *decoder, float *samples, size_t stride, size_t max_samples,
                                   size_t *n_read, RsdError *err);
/* Accepts NULL inside. */
RSD_API void rsd_decoder_close(RsdDecoder **decoder);

/* The header, and what was read so far. Owned by the decoder. */
RSD_API const RsdStreamInfo *rsd_decoder_info(const RsdDecoder *decoder);
RSD_API const RsdStreamReport *rsd_decoder_report(const RsdDecoder *decoder);
/* The model in use, whether given or found by name. */
RSD_API const RsdModelInfo *rsd_decoder_model(const RsdDecoder *decoder);

/* ---- Pictures ---------------------------------------------------------------------------------------------------- */

/* A picture is coded in one call, from memory or from a function that is asked for rectangles, and decoded tile by tile or into
 * memory. Samples are sRGB values as they are, or whatever the colour profile that travels with them says. Both take memory for a few rows
 * of tiles of the picture's width, allocated when they begin, and the encoder keeps what it found of pictures whose latents take
 * 192 MiB or less (40 million pixels of 320 channels).
 *
 *     RsdPictureModel *model = NULL;                       RsdPictureDecoder *dec = NULL;
 *     RsdPictureEncodeOptions options;                     RsdPictureDecoderOptions options;
 *     rsd_picture_model_open_file(&model, path, &err);     rsd_picture_decoder_default_options(&options);
 *     rsd_picture_encode_default_options(&options);        options.model = model;
 *     options.model = model;                               options.read = my_read;
 *     options.width = 640;                                 rsd_picture_decoder_open(&dec, &options, &err);
 *     options.height = 480;                                info = rsd_picture_decoder_info(dec);
 *     options.pixels = pixels;                             rsd_picture_decoder_read(dec, pixels, 0, &err);
 *     options.write = my_write;                            rsd_picture_decoder_close(&dec);
 *     rsd_picture_encode(&options, NULL, NULL, &err);
 */

typedef struct RsdPictureModel RsdPictureModel;

/* As rsd_model_open_builtin and rsd_model_open_file, with the same errors, for picture models. */
RSD_API RsdStatus rsd_picture_model_open_builtin(RsdPictureModel **out, const char *name, RsdError *err);
RSD_API RsdStatus rsd_picture_model_open_file(RsdPictureModel **out, const char *path, RsdError *err);
/* Close after every decoder that uses it. Accepts NULL inside. Any number of encoders and decoders may use a model at once. */
RSD_API void rsd_picture_model_close(RsdPictureModel **model);
/* Owned by the model. */
RSD_API const char *rsd_picture_model_name(const RsdPictureModel *model);
RSD_API const uint8_t *rsd_picture_model_hash(const RsdPictureModel *model); /* [RSD_MODEL_HASH_SIZE] */

/* What the header of a stream says. */
typedef struct RsdPictureInfo {
    int format_version;
    char model_name[RSD_MODEL_NAME_SIZE];
    uint8_t model_hash[RSD_MODEL_HASH_SIZE];
    int64_t width, height;
    int channels; /* 1: grey, 3: red, green, blue */
    int bits;     /* of the samples of the source: 8 or 16 */
    bool has_alpha;
    bool is_srgb;   /* said to be sRGB */
    double gamma;   /* exponent of the encoding, 0 when not known */
    double quality; /* 0 .. 100 */
    int64_t n_tiles;
    int tile_side; /* pixels */
} RsdPictureInfo;

/* What reading a stream has found. */
typedef struct RsdPictureReport {
    int64_t n_bytes;      /* read or written so far */
    int64_t n_tiles;      /* tiles that were there */
    int64_t n_lost;       /* tiles that were not, as far as read */
    int64_t n_alpha_lost; /* tiles without their opacity */
    bool complete;        /* the last packet was there */
} RsdPictureReport;

/* What may go with a picture (docs/format.md). */
typedef enum RsdPictureChunk { RSD_PICTURE_PROFILE, RSD_PICTURE_CICP, RSD_PICTURE_EXIF, RSD_PICTURE_XMP, RSD_PICTURE_N_CHUNKS } RsdPictureChunk;

typedef struct RsdBytes {
    const uint8_t *data; /* borrowed; NULL for none */
    size_t size;
} RsdBytes;

/* Pixels of a rectangle that is inside the picture: rgb[c * plane + row * pitch + col] in 0 .. 1 (grey: three times the same).
 * Rectangles come row of tiles by row of tiles, with margins, and each more than once. Called by the thread that called
 * rsd_picture_encode. */
typedef RsdStatus (*RsdPixelsFn)(void *ctx, int64_t x, int64_t y, int64_t w, int64_t h, float *rgb, int64_t pitch,
                                 int64_t plane, RsdError *err);
/* alpha [h, w], 0 .. 255 or, of 16 bits, 0 .. 65535. Called by several threads at once when there are several. */
typedef RsdStatus (*RsdAlphaFn)(void *ctx, int64_t x, int64_t y, int64_t w, int64_t h, uint16_t *alpha, RsdError *err);

typedef struct RsdPictureEncodeOptions {
    const RsdPictureModel *model; /* needed */
    RsdThreads *threads;          /* NULL: the calling thread alone */
    int64_t width, height;        /* width * height at most 2^30 */
    int channels;                 /* 1 or 3 (the default) */
    int bits;                     /* 8 (the default) or 16 */
    bool has_alpha;
    const void *pixels;  /* [height, width, channels + 1 for alpha] uint8_t, or uint16_t in host order; borrowed. NULL: read is asked */
    size_t pitch;        /* bytes from line to line; 0: lines follow each other */
    RsdPixelsFn read;    /* when pixels is NULL */
    RsdAlphaFn read_alpha; /* with has_alpha */
    void *read_ctx;
    RsdBytes chunks[RSD_PICTURE_N_CHUNKS]; /* at most 2^24 - 5 bytes each, stored as they are */
    bool is_srgb;
    double gamma;
    double quality;   /* 0 .. 100 (default 50) */
    int64_t max_size; /* > 0: the best quality within so many bytes, instead */
    RsdWriteFn write; /* needed */
    void *write_ctx;
} RsdPictureEncodeOptions;

RSD_API void rsd_picture_encode_default_options(RsdPictureEncodeOptions *options);

/* Writes a whole stream. *info and *report (may be NULL) describe it. Errors: RSD_ERR_ARG (an option out of range, named; no quality is
 * small enough for max_size: the least size is named), RSD_ERR_UNSUPPORTED (a tile too large for the format), those of the functions. */
RSD_API RsdStatus rsd_picture_encode(const RsdPictureEncodeOptions *options, RsdPictureInfo *info, RsdPictureReport *report,
                                     RsdError *err);

typedef struct RsdPictureDecoder RsdPictureDecoder;

typedef struct RsdPictureDecoderOptions {
    const RsdPictureModel *model; /* kept until close; NULL: the built-in one that the stream names */
    RsdThreads *threads;          /* kept until close; NULL: the calling thread alone */
    RsdReadFn read;               /* needed */
    void *read_ctx;
    bool keep_going; /* lost tiles are filled with a guess, lost opacity is opaque, instead of stopping with an error */
    RsdDamageFn on_damage; /* with keep_going: may be NULL */
    void *damage_ctx;
    int shrink;       /* 1 (the default), or 2 or 4: a picture of half or of a quarter of the size, sides rounded up */
    const char *name; /* of the stream in messages; kept until close; NULL: "stream" */
} RsdPictureDecoderOptions;

RSD_API void rsd_picture_decoder_default_options(RsdPictureDecoderOptions *options);

/* Reads the header and what stands before the first tile. Errors: RSD_ERR_ARG; RSD_ERR_CORRUPT (not a stream, or a damaged header),
 * RSD_ERR_UNSUPPORTED (another version, or sound), RSD_ERR_MODEL (the stream needs another model, named), those of read. */
RSD_API RsdStatus rsd_picture_decoder_open(RsdPictureDecoder **out, const RsdPictureDecoderOptions *options, RsdError *err);
RSD_API void rsd_picture_decoder_close(RsdPictureDecoder **decoder);

/* Owned by the decoder. Sides are those of the stream, whatever shrink is; report: as far as it has been read. */
RSD_API const RsdPictureInfo *rsd_picture_decoder_info(const RsdPictureDecoder *decoder);
RSD_API const RsdPictureReport *rsd_picture_decoder_report(RsdPictureDecoder *decoder);
RSD_API RsdBytes rsd_picture_decoder_chunk(const RsdPictureDecoder *decoder, RsdPictureChunk chunk);

/* One tile of the (shrunk) picture; valid until the next call. */
typedef struct RsdPictureTile {
    int64_t x, y, w, h;
    const float *rgb;      /* [channels, h, w] in 0 .. 1 */
    const uint16_t *alpha; /* [h, w] of the stream's bits; NULL: opaque */
} RsdPictureTile;

/* The next tile, from left to right, row of tiles by row of tiles; *found false after the last. Errors: RSD_ERR_CORRUPT naming the tile
 * (not with keep_going), those of read. After an error the decoder only repeats it. */
RSD_API RsdStatus rsd_picture_decoder_next(RsdPictureDecoder *decoder, RsdPictureTile *tile, bool *found, RsdError *err);
/* All tiles: pixels [height, width, channels + 1 if has_alpha], uint8_t or uint16_t as bits says, lines pitch bytes apart (0: they
 * follow each other). With an error the tiles before it are in place. */
RSD_API RsdStatus rsd_picture_decoder_read(RsdPictureDecoder *decoder, void *pixels, size_t pitch, RsdError *err);

/* As rsd_stream_scan, of pictures: everything is read and checked but not decoded; needs no model. info->quality is that of a model with
 * all levels; one that codes vectors may have fewer. */
RSD_API RsdStatus rsd_picture_scan(RsdPictureInfo *info, RsdPictureReport *report, RsdReadFn read, void *read_ctx,
                                   const char *name, RsdError *err);

#ifdef __cplusplus
}
#endif
#endif
