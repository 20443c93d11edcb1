/* code_lm.h - EnCodec's language model of codes: a small transformer that guesses the codes of the next frame from those
 * before, so that an arithmetic coder can spend few bits on what is likely.
 *
 *   frame t-1: codes c_0, c_1...  ->  sum of embeddings  ->  norm + position  ->  layers  ->  one softmax per stage
 *
 * All stages of a frame are predicted at once. Each layer looks back at `past` frames and, before the stream is that long,
 * at one vector of zeros that stands before the first frame (the zero-state rule of audio.md 1.11).
 *
 * Works on plain arrays, one frame at a time. Coding and decoding call it in the same way, hence get the same numbers on the
 * same machine and build; another machine may round differently, which is why such streams do not travel safely.
 *
 * [1] Defossez et al., EnCodec, 2022, 3.3 (audio.md 1.11).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CODE_LM_H
#define RESIDUA_CODE_LM_H

#include "engine/base/threads.h"
#include "engine/weights/checkpoint.h"
#include "models/params.h"

#define CODE_LM_MAX_STAGES 64

typedef struct CodeLmConfig {
    int n_q, n_codes; /* stages, codes of each */
    int dim, hidden, n_layers, n_heads;
    int past_frames; /* 0: 3.5 seconds of the codec's frames, as in the published models */
} CodeLmConfig;

typedef struct CodeLm CodeLm;           /* weights; shared */
typedef struct CodeLmState CodeLmState; /* of one stream */

/* From a published file, a file of code_lm_save, or one of the model hub. Sizes come from the arrays; the number of heads is 8
 * and the reach 3.5 seconds unless the metadata say otherwise ("residua.n_heads", "config.num_heads",
 * "residua.past_frames", "config.past_context"). Errors: those of checkpoint_open, RSD_ERR_CORRUPT, RSD_ERR_UNSUPPORTED
 * (other arrays), RSD_ERR_NUMERIC. */
RsdStatus code_lm_load(CodeLm **out, const char *path, RsdError *err);
RsdStatus code_lm_import(CodeLm **out, Checkpoint *file, RsdError *err);
bool code_lm_is_model(const Checkpoint *file);
void code_lm_destroy(CodeLm **lm);
const CodeLmConfig *code_lm_config(const CodeLm *lm);
int64_t code_lm_count_parameters(const CodeLm *lm);
/* notes: as audio_codec_save. */
RsdStatus code_lm_save(const CodeLm *lm, const char *path, const char *const *notes, RsdError *err);

/* frame_rate_hz: of the codec. Takes all the memory there will be. lm and threads (NULL: one) are kept. */
RsdStatus code_lm_state_create(CodeLmState **out, const CodeLm *lm, RsdThreads *threads, int frame_rate_hz,
                               RsdError *err);
void code_lm_state_destroy(CodeLmState **state);
/* The next frame is the first of a stream. */
void code_lm_restart(CodeLmState *state);
/* Probabilities p [n_q, n_codes] of the next frame's first n_q stages. previous [n_q]: the codes of the frame before, each
 * below n_codes; not looked at for the first frame. */
void code_lm_next(CodeLmState *state, const uint16_t *previous, int n_q, float *p);

#endif
