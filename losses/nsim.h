/* nsim.h - how alike two patches of spectrograms are: structural similarity without its contrast term.
 *
 * [1] Hines, Harte, Speech intelligibility prediction using a neurogram similarity index measure, 2012.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_NSIM_H
#define RESIDUA_NSIM_H

#define NSIM_MAX_BANDS 32
#define NSIM_MAX_FRAMES 32

/* ref, dist: frame t begins at t * NSIM_MAX_BANDS; n_bands and n_frames at most as above. band_means [n_bands]: mean over
 * the frames of the similarity map. Returns the mean of band_means. Equal patches give 1. [audio.md 8.8, step 7] */
double nsim_patch(const double *ref, const double *dist, int n_bands, int n_frames, double *band_means);

#endif
