#!/usr/bin/env python3
"""image_reference.py - image metrics in plain numpy, written from their definitions for tests/losses/test_image_reference.c.

Prints tests/losses/image_expected.h. The pictures are made of integers by arithmetic that the C test repeats:
  /usr/bin/python3 tests/losses/image_reference.py > tests/losses/image_expected.h

SSIMULACRA 2: the blur is the sum of three cosines that the recursive Gaussian of the reference
program amounts to [Charalampidis, Recursive implementation of the Gaussian filter using truncated cosine functions, 2016].

SPDX-License-Identifier: MIT
"""
import os
import re

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))


def picture(h, w, seed):
    """Bytes [3, h, w]: waves of triangles, a checkerboard, noise of a linear congruential generator."""
    out = np.zeros((3, h, w), np.int64)
    state = seed
    for c in range(3):
        for r in range(h):
            for k in range(w):
                state = (state * 1664525 + 1013904223) % 2**32
                wave = abs((3 * r + 2 * k + 40 * c) % 160 - 80)
                board = 40 if (r // 12 + k // 12) % 2 else 0
                out[c, r, k] = 60 + wave + board + (state >> 28)
    return out


def disturbed(x, seed, level):
    flat = x.reshape(-1).copy()
    state = seed
    for i in range(len(flat)):
        state = (state * 1664525 + 1013904223) % 2**32
        flat[i] = min(255, max(0, flat[i] + (state >> 16) * level // 65536 - level // 2))
    return flat.reshape(x.shape)


# --- PSNR-HVS-M -----------------------------------------------------------------------------------------------------------

def sensitivity_tables():
    """The three published tables, read from the C source: they are data."""
    text = open(os.path.join(HERE, "../../losses/psnr_hvs.c")).read()
    text = text[text.index("sensitivity[3][36]"):]
    text = text[text.index("=") + 1:text.index("};")]
    numbers = [float(t) for t in re.findall(r"\d+\.\d+", text)]
    assert len(numbers) == 108
    tables = np.zeros((3, 8, 8))
    at = iter(numbers)
    for c in range(3):
        for u in range(8):
            for v in range(u, 8):
                tables[c, u, v] = tables[c, v, u] = next(at)
    return tables


def integer_dct(block):
    """The lifting steps of the Xiph transform on the lines of `block`, down, then across."""
    lift = lambda v, factor, bits: (v * factor + (1 << (bits - 1))) >> bits
    half = lambda v: np.trunc(v / 2).astype(np.int64)

    def down(x):
        t0, t4, t2, t6, t7, t3, t5, t1 = (x[i].copy() for i in range(8))
        t1 = t0 - t1
        t0 = t0 - half(t1)
        t4 = t4 + t5
        t5 = t5 - half(t4)
        t3 = t2 - t3
        t2 = t2 - half(t3)
        t6 = t6 + t7
        t7 = half(t6) - t7
        outer, inner = half(t1), half(t4)
        t0 = t0 + half(t6)
        t6 = t0 - t6
        t2 = inner - t2
        t4 = t2 - t4
        t0 = t0 - lift(t4, 13573, 15)
        t4 = t4 + lift(t0, 11585, 14)
        t0 = t0 - lift(t4, 13573, 15)
        t6 = t6 - lift(t2, 21895, 15)
        t2 = t2 + lift(t6, 15137, 14)
        t6 = t6 - lift(t2, 21895, 15)
        t3 = t3 + lift(t5, 19195, 15)
        t5 = t5 + lift(t3, 11585, 14)
        t3 = t3 - lift(t5, 7489, 13)
        t7 = half(t5) - t7
        t5 = t5 - t7
        t3 = outer - t3
        t1 = t1 - t3
        t7 = t7 + lift(t1, 3227, 15)
        t1 = t1 - lift(t7, 6393, 15)
        t7 = t7 + lift(t1, 3227, 15)
        t5 = t5 + lift(t3, 2485, 13)
        t3 = t3 - lift(t5, 18205, 15)
        t5 = t5 + lift(t3, 2485, 13)
        return np.array([t0, t1, t2, t3, t4, t5, t6, t7])

    return down(down(block.astype(np.int64)).T).T


def check_dct():
    """Orthonormal up to rounding."""
    k, i = np.mgrid[0:8, 0:8]
    m = np.cos(np.pi * k * (2 * i + 1) / 16) / 2
    m[0] /= np.sqrt(2)
    block = (np.arange(64) ** 2 * 37 % 256).reshape(8, 8)
    assert abs(integer_dct(block) - m @ block @ m.T).max() < 3


def hvs_plane(a, b, csf):
    mask = (0.3885746225901003 * csf) ** 2
    total, count = 0.0, 0

    def hidden(block, t):
        parts = [block[:4, :4], block[:4, 4:], block[4:, :4], block[4:, 4:]]
        whole = block.var(ddof=1) * 64
        ratio = sum(p.var(ddof=1) * 16 for p in parts) / whole if whole > 0 else 0
        energy = (t * t * mask).sum() - t[0, 0] ** 2 * mask[0, 0]
        return np.sqrt(energy * ratio) / 32

    for r in range(0, a.shape[0] - 7, 7):
        for c in range(0, a.shape[1] - 7, 7):
            x, y = a[r:r + 8, c:c + 8], b[r:r + 8, c:c + 8]
            tx, ty = integer_dct(x).astype(float), integer_dct(y).astype(float)
            error = np.abs(tx - ty)
            less = np.maximum(error - max(hidden(x, tx), hidden(y, ty)) / mask, 0)
            less[0, 0] = error[0, 0]
            total += ((less * csf) ** 2).sum()
            count += 64
    return total / count / 255**2


def ycbcr(x):
    """Integers: millionths, rounded half up."""
    m = np.array([[299000, 587000, 114000], [-168736, -331264, 500000], [500000, -418688, -81312]])
    y = np.tensordot(m, x, 1)
    h, w = x.shape[1:]
    y = np.pad(y, ((0, 0), (0, h % 2), (0, w % 2)), "edge")
    four = y[:, ::2, ::2] + y[:, 1::2, ::2] + y[:, ::2, 1::2] + y[:, 1::2, 1::2]
    chroma = np.clip((four[1:] + 128 * 4 * 10**6 + 2 * 10**6) // (4 * 10**6), 0, 255)
    return [(y[0, :h, :w] + 500000) // 10**6, chroma[0], chroma[1]]


def psnr_hvs_m(a, b):
    tables = sensitivity_tables()
    parts = [hvs_plane(p, q, t) for p, q, t in zip(ycbcr(a), ycbcr(b), tables)]
    return -10 * np.log10(np.dot([.8, .1, .1], parts))


# --- SSIMULACRA 2 ---------------------------------------------------------------------------------------------------------

def blur_taps(sigma=1.5):
    n = round(3.2795 * sigma + 0.2546)
    omega = np.array([1, 3, 5]) * np.pi / (2 * n)
    p = np.array([1, -1, 1]) / np.tan(omega / 2)
    r = np.array([1, -1, 1]) * p * p / np.sin(omega)
    rho = np.exp(-0.5 * sigma**2 * omega**2) / n
    cross = lambda i, k: p[i] * r[k] - r[i] * p[k]
    zeta = np.array([cross(1, 2) / cross(0, 1), cross(2, 0) / cross(0, 1), 1.0])
    beta = np.linalg.solve(np.array([p, r, zeta]), [1, n * n - sigma**2, zeta @ rho])
    at = np.arange(-(n - 1), n)
    return (beta[:, None] * np.cos(omega[:, None] * at)).sum(0)


def blur(x, taps):
    along = lambda v: np.convolve(v, taps)[len(taps) // 2:len(taps) // 2 + len(v)]
    return np.apply_along_axis(along, 0, np.apply_along_axis(along, 1, x))


def xyb(rgb):
    bias = 0.0037930732552754493
    m = np.array([[.30, .622, .078], [.23, .692, .078],
                  [0.24342268924547819, 0.20476744424496821, 0.55180986650955360]])
    a, b, c = np.cbrt(np.maximum(np.tensordot(m, rgb, 1) + bias, 0)) - np.cbrt(bias)
    x, y = (a - b) / 2, (a + b) / 2
    return np.array([14 * x + .42, y + .01, c - y + .55])


def ssimulacra2_weights():
    text = open(os.path.join(HERE, "../../losses/ssimulacra2.c")).read()
    text = text[text.index("weights[3 * N_SCALES]"):]
    text = re.sub(r"/\*.*?\*/", "", text[text.index("= {") + 2:text.index("};")])
    numbers = [float(t) for t in re.findall(r"\d+(?:\.\d+)?", text)]
    assert len(numbers) == 108
    return np.array(numbers).reshape(3, 6, 6)


def ssimulacra2(a, b):
    taps, weights, total = blur_taps(), ssimulacra2_weights(), 0.0
    linear = []
    for p in (a, b):
        v = p / 255.0
        linear.append(np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4))
    for scale in range(6):
        if scale:
            for i, v in enumerate(linear):
                v = np.pad(v, ((0, 0), (0, v.shape[1] % 2), (0, v.shape[2] % 2)), "edge")
                linear[i] = (v[:, ::2, ::2] + v[:, 1::2, ::2] + v[:, ::2, 1::2] + v[:, 1::2, 1::2]) / 4
        for c, (x, y) in enumerate(zip(xyb(linear[0]), xyb(linear[1]))):
            mx, my = blur(x, taps), blur(y, taps)
            sxx, syy, sxy = blur(x * x, taps), blur(y * y, taps), blur(x * y, taps)
            s = (1 - (mx - my) ** 2) * (2 * (sxy - mx * my) + .0009) / (sxx - mx * mx + syy - my * my + .0009)
            e = (1 + abs(y - my)) / (1 + abs(x - mx)) - 1
            maps = [np.maximum(1 - s, 0), np.maximum(e, 0), np.maximum(-e, 0)]
            norms = [m.mean() for m in maps] + [(m**4).mean() ** .25 for m in maps]
            total += np.dot(weights[c, scale], norms)
    u = 0.9562382616834844 * total
    v = 2.326765642916932 * u - 0.020884521182843837 * u**2 + 6.248496625763138e-5 * u**3
    return 100 - 10 * v**0.6276336467831387 if v > 0 else 100.0


# --- the largest singular value ------------------------------------------------------------------------------------------------

def spectral_norm(a, b):
    d = (b - a) / 255.0
    return np.mean([np.linalg.svd(c, compute_uv=False)[0] for c in d]) / np.sqrt(a.shape[1] * a.shape[2])


def main():
    check_dct()
    print("/* image_expected.h - made by tests/losses/image_reference.py with numpy " + np.__version__ + "; do not edit.")
    print(" *\n * SPDX-License-Identifier: MIT\n */")
    print("static const struct ImageCase {\n    int h, w;\n    unsigned seed, level;\n    double psnr_hvs_m, ssimulacra2, spectral_norm;")
    print("} image_cases[] = {")
    for h, w, seed, level in ((120, 136, 1, 12), (131, 117, 2, 40), (200, 160, 3, 120), (128, 128, 4, 3)):
        a = picture(h, w, seed)
        b = disturbed(a, seed + 100, level)
        print("    {%d, %d, %d, %d, %.10g, %.10g, %.10g}," % (h, w, seed, level, psnr_hvs_m(a, b), ssimulacra2(a, b),
                                                           spectral_norm(a, b)))
    print("};")


if __name__ == "__main__":
    main()
