/* ecdc.h - EnCodec's files (.ecdc), written and read as streams; behind RsdEncoder and RsdDecoder.
 *
 *   "ECDC"  u8 version 0  u32 big-endian length  JSON {"m": model, "al": samples, "nc": codebooks, "lm": bool}
 *   then per segment: float32 big-endian scale if the model normalises; codes frame by frame, packed lowest bit first or
 *   arithmetic-coded with the language model; filled up to a byte
 *
 * A causal model has one segment, the whole signal, which is coded in chunks with carried state and gives the bits of the
 * whole; others have segments that overlap and are joined by a triangular cross-fade. [1] audio.md 1.5, 1.11-1.13.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_ECDC_H
#define RESIDUA_ECDC_H

#include "codec/residua.h"
#include "models/code_lm.h"

#define ECDC_MAGIC "ECDC"
#define ECDC_MAGIC_SIZE 4
#define ECDC_PREFIX_SIZE 9
#define ECDC_MAX_JSON 4096
#define ECDC_MAX_SAMPLES ((int64_t)1 << 40)
#define ECDC_MAX_SCALE 1e6f /* of a segment */

typedef struct EcdcHeader {
    char model_name[RSD_MODEL_NAME_SIZE];
    int64_t n_samples;
    int n_stages;
    bool has_lm;
    int size; /* bytes, all told */
} EcdcHeader;

/* Reads exactly the header. Errors: RSD_ERR_CORRUPT naming the field, RSD_ERR_UNSUPPORTED (version), those of read. */
RsdStatus ecdc_header_read(EcdcHeader *header, RsdReadFn read, void *ctx, const char *name, RsdError *err);
/* As the original writes it. Returns the size. */
#define ECDC_HEADER_MAX_SIZE (ECDC_PREFIX_SIZE + 160)
size_t ecdc_header_write(const EcdcHeader *header, uint8_t dst[ECDC_HEADER_MAX_SIZE]);
/* What the header tells without a model; rate and sizes are those of the published model of that name, 0 for others. */
void ecdc_describe(RsdStreamInfo *info, const EcdcHeader *header);

/* Frames of a piece of n samples (audio.md 1.13), and the codec's whole frames per second. */
int ecdc_frame_rate(const RsdModelInfo *model);
int64_t ecdc_frames_for(const RsdModelInfo *model, int64_t n_samples);

/* Whether a language model fits a codec and a number of stages. Errors: RSD_ERR_MODEL. */
RsdStatus ecdc_check_lm(const CodeLm *lm, const RsdModel *model, int n_stages, RsdError *err);

/* ---- The halves of RsdEncoder and RsdDecoder; contracts as there. ---- */

typedef struct EcdcEncoder EcdcEncoder;
RsdStatus ecdc_encoder_open(EcdcEncoder **out, const RsdEncoderOptions *options, int n_stages, RsdError *err);
RsdStatus ecdc_encoder_write(EcdcEncoder *encoder, const float *samples, size_t stride, size_t n_samples,
                             RsdError *err);
RsdStatus ecdc_encoder_finish(EcdcEncoder *encoder, RsdError *err);
void ecdc_encoder_close(EcdcEncoder **encoder);
const RsdStreamInfo *ecdc_encoder_info(const EcdcEncoder *encoder);
const RsdStreamReport *ecdc_encoder_report(const EcdcEncoder *encoder);

typedef struct EcdcDecoder EcdcDecoder;
RsdStatus ecdc_decoder_open(EcdcDecoder **out, const RsdDecoderOptions *options, RsdError *err);
RsdStatus ecdc_decoder_read(EcdcDecoder *decoder, float *samples, size_t stride, size_t max_samples, size_t *n_read,
                            RsdError *err);
void ecdc_decoder_close(EcdcDecoder **decoder);
const RsdStreamInfo *ecdc_decoder_info(const EcdcDecoder *decoder);
const RsdStreamReport *ecdc_decoder_report(const EcdcDecoder *decoder);

#endif
