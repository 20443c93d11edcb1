#!/usr/bin/env python3
"""stoi_reference.py - STOI and ESTOI in plain numpy, written from their definition for the test of losses/stoi.c.

Prints tests/losses/stoi_expected.h. The signals are made by integer arithmetic that the C test repeats, so no audio file is
needed:  python3 tests/losses/stoi_reference.py > tests/losses/stoi_expected.h

SPDX-License-Identifier: MIT
"""
import math
import sys

import numpy as np

RATE = 10000


def noise(n, seed):
    """n numbers in [-1, 1): a linear congruential generator, upper 16 bits."""
    out = np.empty(n)
    state = seed
    for i in range(n):
        state = (state * 1664525 + 1013904223) % 2**32
        out[i] = (state >> 16) / 32768.0 - 1.0
    return out


def speech_like(n, rate, seed):
    """Noise with a triangular envelope of 4 Hz and pauses, low-passed by a two-tap mean; float32 as in C."""
    raw = noise(n + 1, seed)
    t = np.arange(n)
    period = rate // 4
    phase = (t % period) / period
    envelope = np.where(t // period % 5 == 4, 0.0005, 1 - np.abs(2 * phase - 1))
    return (0.3 * envelope * (raw[1:] + raw[:-1])).astype(np.float32)


def disturbed(x, seed, level):
    return (x + np.float32(level) * noise(len(x), seed).astype(np.float32)).astype(np.float32)


def resample(x, source, target):
    g = math.gcd(source, target)
    p, q = target // g, source // g
    if p == q:
        return x.astype(float)
    fc = 1 / (2 * max(p, q))
    half = math.ceil((60 - 8) / (28.714 * fc / 10))
    t = np.arange(-half, half + 1)
    h = 2 * p * fc * np.sinc(2 * fc * t) * np.kaiser(2 * half + 1, 0.1102 * (60 - 8.7))
    h = p * h / h.sum()
    # zero-stuffed input, full convolution (by FFT), every q-th sample from the filter's centre
    stuffed = np.zeros(len(x) * p)
    stuffed[::p] = x
    size = 1 << (len(stuffed) + len(h)).bit_length()
    full = np.fft.irfft(np.fft.rfft(stuffed, size) * np.fft.rfft(h, size), size)
    count = -(-len(x) * p // q)
    at = half + q * np.arange(count)
    full = np.concatenate([full, np.zeros(max(0, at[-1] + 1 - len(full)))])
    return full[at]


WINDOW = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1, 257) / 257)


def frames(x):
    return np.array([WINDOW * x[i:i + 256] for i in range(0, len(x) - 256, 128)])


def drop_silence(x, y):
    fx, fy = frames(x), frames(y)
    level = 20 * np.log10(np.linalg.norm(fx, axis=1) + np.finfo(float).eps)
    keep = level.max() - 40 - level < 0
    out = []
    for f in (fx[keep], fy[keep]):
        z = np.zeros((len(f) - 1) * 128 + 256)
        for k, frame in enumerate(f):
            z[128 * k:128 * k + 256] += frame
        out.append(z)
    return out


def band_matrix():
    f = np.arange(257) * RATE / 512
    matrix = np.zeros((15, 257))
    for k in range(15):
        low = np.argmin((f - 150 * 2 ** ((2 * k - 1) / 6)) ** 2)
        high = np.argmin((f - 150 * 2 ** ((2 * k + 1) / 6)) ** 2)
        matrix[k, low:high] = 1
    return matrix


def envelopes(x):
    spectrum = np.fft.rfft(frames(x), 512)
    return np.sqrt(band_matrix() @ (np.abs(spectrum) ** 2).T)


def unit(x, axis):
    x = x - x.mean(axis=axis, keepdims=True)
    return x / np.linalg.norm(x, axis=axis, keepdims=True)


def intelligibility(x, y, rate):
    x, y = drop_silence(resample(x, rate, RATE), resample(y, rate, RATE))
    x, y = envelopes(x), envelopes(y)
    stoi, estoi, count = 0.0, 0.0, 0
    for m in range(30, x.shape[1] + 1):
        a, b = x[:, m - 30:m], y[:, m - 30:m]
        scaled = b * np.linalg.norm(a, axis=1, keepdims=True) / np.linalg.norm(b, axis=1, keepdims=True)
        clipped = np.minimum(scaled, a * (1 + 10 ** (15 / 20)))
        stoi += np.mean(np.sum(unit(a, 1) * unit(clipped, 1), axis=1))
        estoi += np.sum(unit(unit(a, 1), 0) * unit(unit(b, 1), 0)) / 30
        count += 1
    return stoi / count, estoi / count


def main():
    print("/* stoi_expected.h - made by tests/losses/stoi_reference.py with numpy " + np.__version__ + "; do not edit.")
    print(" *\n * SPDX-License-Identifier: MIT\n */")
    print("static const struct StoiCase {\n    int rate_hz, n;\n    unsigned seed;\n    double level, stoi, estoi;\n} stoi_cases[] = {")
    for rate, n, seed, level in ((10000, 20000, 1, 0.01), (10000, 20011, 2, 0.1), (10000, 15000, 3, 0.6),
                                 (16000, 32000, 4, 0.02), (16000, 40003, 5, 0.2), (8000, 16001, 6, 0.1),
                                 (44100, 88200, 7, 0.1), (48000, 70001, 8, 0.05)):
        x = speech_like(n, rate, seed)
        y = disturbed(x, seed + 100, level)
        stoi, estoi = intelligibility(x, y, rate)
        print(f"    {{{rate}, {n}, {seed}, {level}, {stoi:.12f}, {estoi:.12f}}},")
    print("};")


if __name__ == "__main__":
    sys.exit(main())
