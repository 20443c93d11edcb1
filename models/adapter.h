/* adapter.h - low-rank additions to the convolutions of a decoder (LoRA), in a small file of their own.
 *
 *   w' = w + U D,  U [rows, r] starts at 0, D [r, rest] random; w seen as [shape[0], the rest], after weight norm
 *
 * A trained model stays as it is and U and D alone learn: what a voice, a language or a kind of noise needs beyond the base, in a
 * hundredth of its size. Only the decoder has them. Codes then mean what they meant: streams made by the base decode with the
 * adapter, and the other way round, so an adapter's file goes with the base's hash. An addition to the encoder would move the latents
 * away from the codebooks, and is refused.
 *
 *   NAME.up, NAME.down   for each layer NAME of "decoder."
 *   metadata             residua.kind = audio-codec-adapter, residua.version, residua.base (hash), residua.base_name, residua.rank
 *
 * [1] Hu et al., LoRA: Low-Rank Adaptation of Large Language Models, 2022.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_ADAPTER_H
#define RESIDUA_ADAPTER_H

#include "models/audio_codec.h"

#define ADAPTER_MAX_RANK 256

/* Gives each convolution of the decoder an addition of this rank, or of the highest possible; all that codec had before stays as it
 * is from now on: no gradient, not trainable. For a codec in training. Errors: RSD_ERR_UNSUPPORTED (DAC), RSD_ERR_ARG, RSD_ERR_MEMORY. */
RsdStatus adapter_add(AudioCodec *codec, int rank, uint64_t seed, RsdError *err);

/* The additions alone; codec->hash is that of the base. notes as of audio_codec_save. Errors: those of safetensors_writer_finish. */
RsdStatus adapter_save(const AudioCodec *codec, const char *path, Dtype stored_as, const char *const *notes, RsdError *err);

/* Adds what the file holds to the weights of a codec for inference, which is then ready to run; its hash stays.
 * Errors: RSD_ERR_MODEL (made for another base: names both), RSD_ERR_UNSUPPORTED (no adapter, of a newer kind, for an encoder, or the
 * codec is a DAC), RSD_ERR_CORRUPT (an array of another shape or for no layer), those of safetensors_open. */
RsdStatus adapter_apply(AudioCodec *codec, const char *path, RsdError *err);

/* The same for good: the codec becomes a model of its own, whose hash its file will tell (zeros before), and the one it was becomes
 * its base: streams of that one still decode, and the adapter cannot be added again. Errors: those of adapter_apply;
 * RSD_ERR_UNSUPPORTED after MODEL_BASES_MAX times. */
RsdStatus adapter_merge(AudioCodec *codec, const char *path, RsdError *err);

#endif
