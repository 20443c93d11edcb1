#!/usr/bin/env python3
"""frechet_reference.py - Frechet and kernel distances in plain numpy, from their definitions, for tests/losses/test_frechet.c.

Prints the table of that test; the sets are made by a linear congruential generator that the test repeats.

SPDX-License-Identifier: MIT
"""
import numpy as np


def noise(n, seed):
    out, state = np.empty(n), seed
    for i in range(n):
        state = (state * 1664525 + 1013904223) % 2**32
        out[i] = (state >> 16) / 32768.0 - 1.0
    return out.astype(np.float32).astype(np.float64)


def rows(n, dim, seed):
    """Correlated: each number leans on the one before it."""
    x = noise(n * dim, seed).reshape(n, dim)
    for k in range(1, dim):
        x[:, k] += 0.5 * x[:, k - 1]
    return x


def frechet(a, b):
    s, t = np.atleast_2d(np.cov(a, rowvar=False)), np.atleast_2d(np.cov(b, rowvar=False))
    roots = np.sqrt(np.maximum(np.linalg.eigvals(s @ t).real, 0)).sum()
    return ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(s) + np.trace(t) - 2 * roots


def kernel(a, b):
    k = lambda x, y: (x @ y.T / x.shape[1] + 1) ** 3
    off = lambda m: (m.sum() - np.trace(m)) / (len(m) * (len(m) - 1))
    return off(k(a, a)) + off(k(b, b)) - 2 * k(a, b).mean()


for n, m, dim, shift, scale in ((60, 80, 12, 0.3, 1.5), (9, 40, 16, 0.0, 0.7), (6, 7, 20, 0.1, 1.0), (50, 50, 1, 0.2, 2.0)):
    a, b = rows(n, dim, 1), shift + scale * rows(m, dim, 2)
    print("    {%d, %d, %d, %g, %g, %.12g, %.12g}," % (n, m, dim, shift, scale, frechet(a, b), kernel(a, b)))
