#!/usr/bin/env python3
"""audio_metrics.py - ESTOI and the multi-scale mel distance in PyTorch, timed: what `make bench` compares residua with.

ESTOI as its definition reads with tensors: resampling by one strided convolution for each phase, frames by unfold, all segments at
once. The mel distance with torch.stft and a matrix for the mel filters, at seven windows. float32. Prints one JSON object: seconds of
the fastest value, for the mel distance also with gradient, by number of threads; on one thread its processor time.

  audio_metrics.py [--seconds 60] [--rate 24000] [--threads 1] [--repeat 3]
"""
import argparse
import json
import math

import torch
import torch.nn.functional as F

from timing import fastest


def resampler(p, q):
    cutoff = 1 / (2 * max(p, q))
    half = math.ceil((60 - 8) / (28.714 * cutoff / 10))
    t = torch.arange(-half, half + 1, dtype=torch.float64)
    h = torch.sinc(2 * cutoff * t) * torch.kaiser_window(2 * half + 1, False, 0.1102 * (60 - 8.7), dtype=torch.float64)
    h = h * p / h.sum()
    reach = half // p + 1
    at = torch.arange(p).view(-1, 1) * q % p - p * torch.arange(-reach, reach + 1) + half
    return torch.where((at >= 0) & (at <= 2 * half), h[at.clamp(0, 2 * half)], torch.zeros(())).float(), reach


def resample(x, p, q, bank, reach):
    out = []
    padded = F.pad(x, (reach, reach + q))
    for m in range(p):
        base = m * q // p
        out.append(F.conv1d(padded[base:].view(1, 1, -1), bank[m].view(1, 1, -1), stride=q).view(-1))
    n = min(len(o) for o in out)
    return torch.stack([o[:n] for o in out], 1).reshape(-1)


def estoi(x, y, tables):
    p, q, bank, reach, window, bands = tables
    x, y = resample(x, p, q, bank, reach), resample(y, p, q, bank, reach)
    fx, fy = x.unfold(0, 256, 128) * window, y.unfold(0, 256, 128) * window
    level = 20 * torch.log10(fx.norm(dim=1) + 1e-12)
    keep = level > level.max() - 40
    n = int(keep.sum())

    def joined(f):
        return F.fold(f[keep].t().unsqueeze(0), (1, (n - 1) * 128 + 256), (1, 256), stride=(1, 128)).view(-1)

    def envelopes(v):
        power = torch.fft.rfft(v.unfold(0, 256, 128) * window, 512).abs() ** 2
        return (power @ bands).sqrt().unfold(0, 30, 1)

    a, b = envelopes(joined(fx)), envelopes(joined(fy))
    for dim in (2, 1):
        a, b = (v - v.mean(dim, keepdim=True) for v in (a, b))
        a, b = (v / (v.norm(dim=dim, keepdim=True) + 1e-9) for v in (a, b))
    return (a * b).sum((1, 2)).mean() / 30


def estoi_tables(rate):
    g = math.gcd(rate, 10000)
    p, q = 10000 // g, rate // g
    bank, reach = resampler(p, q)
    window = torch.hann_window(258, False)[1:-1]
    bands = torch.zeros(257, 15)
    f = torch.arange(257) * 10000 / 512
    for k in range(15):
        low, high = (int((f - 150 * 2 ** ((2 * k + s) / 6)).abs().argmin()) for s in (-1, 1))
        bands[low:high, k] = 1
    return p, q, bank, reach, window, bands


def mel_filters(rate, n_fft, n_mels):
    """Triangles on a mel scale; their exact edges do not matter for time."""
    to_mel, to_hz = lambda f: 2595 * math.log10(1 + f / 700), lambda m: 700 * (10 ** (m / 2595) - 1)
    edges = [to_hz(to_mel(rate / 2) * i / (n_mels + 1)) for i in range(n_mels + 2)]
    f = torch.arange(n_fft // 2 + 1) * rate / n_fft
    rows = [torch.minimum((f - a) / (b - a), (c - f) / (c - b)).clamp(min=0) for a, b, c in zip(edges, edges[1:], edges[2:])]
    return torch.stack(rows)


def mel_distance(x, y, banks):
    total = 0
    for n, (window, bank) in banks.items():
        a, b = (torch.log10((bank @ torch.stft(v, n, n // 4, window=window, return_complex=True).abs()).clamp(min=1e-5)) for v in (x, y))
        total = total + (a - b).abs().mean()
    return total



def main():
    p = argparse.ArgumentParser()
    p.add_argument("--seconds", type=int, default=60)
    p.add_argument("--rate", type=int, default=24000)
    p.add_argument("--threads", default="1")
    p.add_argument("--repeat", type=int, default=3)
    a = p.parse_args()
    torch.manual_seed(1)
    n = a.seconds * a.rate
    x = torch.randn(n) * (1 + torch.sin(torch.arange(n) * (20 / a.rate))) * 0.1
    y = (x + 0.02 * torch.randn(n)).requires_grad_(True)
    tables = estoi_tables(a.rate)
    banks = {n: (torch.hann_window(n), mel_filters(a.rate, n, 5 * n // 32)) for n in (32, 64, 128, 256, 512, 1024, 2048)}
    result = {"torch": torch.__version__}
    for threads in [int(t) for t in a.threads.split(",")]:
        torch.set_num_threads(threads)
        clock = "cpu_s" if threads == 1 else "clock_s"

        def both():
            y.grad = None
            mel_distance(x, y, banks).backward()

        with torch.no_grad():
            result["estoi_value_s_%d" % threads] = fastest(lambda: estoi(x, y, tables), a.repeat)[clock]
            result["mel_dac_value_s_%d" % threads] = fastest(lambda: mel_distance(x, y, banks), a.repeat)[clock]
        result["mel_dac_gradient_s_%d" % threads] = fastest(both, a.repeat)[clock]
    print(json.dumps(result))


if __name__ == "__main__":
    main()
