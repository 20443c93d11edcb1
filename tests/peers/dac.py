#!/usr/bin/env python3
"""dac.py - DAC 44.1 kHz in PyTorch, timed: what `make bench` compares residua with.

The published width (encoder 64, rates 2,4,8,8, latent 1024, decoder 1536, rates 8,8,4,2) and quantiser (9 codebooks of 1024
codes of 8 numbers), with drawn weights and without weight norm, which inference folds. Prints one JSON object: the
fastest encoding (network and search) and decoding (look-up and network) of one signal, by thread count.

  dac.py [--frames 43] [--threads 1,2] [--repeat 2]
"""
import argparse
import json
import math

import torch
import torch.nn as nn
import torch.nn.functional as F

from timing import fastest



@torch.jit.script
def snake(x, alpha):
    return x + (alpha + 1e-9).reciprocal() * torch.sin(alpha * x).pow(2)


class Snake(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(1, c, 1))

    def forward(self, x):
        return snake(x, self.alpha)


class Unit(nn.Module):
    def __init__(self, c, dilation):
        super().__init__()
        self.body = nn.Sequential(Snake(c), nn.Conv1d(c, c, 7, dilation=dilation, padding=3 * dilation), Snake(c),
                                  nn.Conv1d(c, c, 1))

    def forward(self, x):
        return x + self.body(x)


def units(c):
    return [Unit(c, d) for d in (1, 3, 9)]


def encoder(c, rates, dim):
    layers = [nn.Conv1d(1, c, 7, padding=3)]
    for r in rates:
        layers += units(c) + [Snake(c), nn.Conv1d(c, 2 * c, 2 * r, r, padding=math.ceil(r / 2))]
        c *= 2
    return nn.Sequential(*layers, Snake(c), nn.Conv1d(c, dim, 3, padding=1))


def decoder(c, rates, dim):
    layers = [nn.Conv1d(dim, c, 7, padding=3)]
    for r in rates:
        layers += [Snake(c), nn.ConvTranspose1d(c, c // 2, 2 * r, r, padding=math.ceil(r / 2))] + units(c // 2)
        c //= 2
    return nn.Sequential(*layers, Snake(c), nn.Conv1d(c, 1, 7, padding=3), nn.Tanh())


class Quantizer(nn.Module):
    def __init__(self, n_q, size, code_dim, dim):
        super().__init__()
        self.inner = nn.ModuleList(nn.Conv1d(dim, code_dim, 1) for _ in range(n_q))
        self.outer = nn.ModuleList(nn.Conv1d(code_dim, dim, 1) for _ in range(n_q))
        self.books = nn.ParameterList(nn.Parameter(torch.randn(size, code_dim)) for _ in range(n_q))

    def encode(self, r):
        codes = []
        for inner, outer, book in zip(self.inner, self.outer, self.books):
            p = F.normalize(inner(r)[0].t())
            e = F.normalize(book)
            codes.append((p @ e.t()).argmax(1))
            r = r - outer(book[codes[-1]].t()[None])
        return torch.stack(codes)

    def decode(self, codes):
        return sum(outer(book[c].t()[None]) for outer, book, c in zip(self.outer, self.books, codes))



@torch.no_grad()
def main():
    p = argparse.ArgumentParser()
    p.add_argument("--frames", type=int, default=43)
    p.add_argument("--threads", default="1,2")
    p.add_argument("--repeat", type=int, default=2)
    a = p.parse_args()
    torch.manual_seed(1)
    enc, dec = encoder(64, [2, 4, 8, 8], 1024), decoder(1536, [8, 8, 4, 2], 1024)
    rvq = Quantizer(9, 1024, 8, 1024)
    x = 0.1 * torch.randn(1, 1, 512 * a.frames)
    codes = rvq.encode(enc(x))
    result = {"torch": torch.__version__, "frames": a.frames, "encode": {}, "decode": {},
              "parameters": sum(q.numel() for m in (enc, dec, rvq) for q in m.parameters())}
    for n in [int(t) for t in a.threads.split(",")]:
        torch.set_num_threads(n)
        result["encode"][str(n)] = fastest(lambda: rvq.encode(enc(x)), a.repeat)
        result["decode"][str(n)] = fastest(lambda: dec(rvq.decode(codes)), a.repeat)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
