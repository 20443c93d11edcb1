#!/usr/bin/env python3
"""encodec.py - EnCodec's 24 kHz network in PyTorch at full width, timed: what `make bench` compares residua with.

The same layers as the published model (C0 32, ratios 8,5,4,2, LSTM of two layers, conv shortcuts, D 128, 32 codebooks of 1024),
random weights with weight norm folded away, causal padding by reflection, on the same second of noise.
Prints one JSON object: the fastest encode and the fastest decode, by thread count.

  encodec.py [--seconds 1] [--stages 8] [--threads 1,2] [--repeat 5]
"""
import argparse
import json

import torch
import torch.nn as nn
import torch.nn.functional as F

from timing import fastest



class Conv(nn.Module):
    def __init__(self, c_in, c_out, k, stride=1):
        super().__init__()
        self.conv, self.pad = nn.Conv1d(c_in, c_out, k, stride), k - stride

    def forward(self, x):
        return self.conv(F.pad(x, (self.pad, 0), mode="reflect") if self.pad else x)


class Transposed(nn.Module):
    def __init__(self, c_in, c_out, k, stride):
        super().__init__()
        self.conv, self.trim = nn.ConvTranspose1d(c_in, c_out, k, stride), k - stride

    def forward(self, x):
        return self.conv(x)[..., :-self.trim]


class Unit(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.body = nn.Sequential(nn.ELU(), Conv(c, c // 2, 3), nn.ELU(), Conv(c // 2, c, 1))
        self.shortcut = Conv(c, c, 1)

    def forward(self, x):
        return self.shortcut(x) + self.body(x)


class Lstm(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.lstm = nn.LSTM(c, c, 2)

    def forward(self, x):
        x = x.permute(2, 0, 1)
        return (self.lstm(x)[0] + x).permute(1, 2, 0)


def encoder(c0, ratios, dim):
    layers, c = [Conv(1, c0, 7)], c0
    for r in reversed(ratios):
        layers += [Unit(c), nn.ELU(), Conv(c, 2 * c, 2 * r, r)]
        c *= 2
    return nn.Sequential(*layers, Lstm(c), nn.ELU(), Conv(c, dim, 7))


def decoder(c0, ratios, dim):
    c = c0 << len(ratios)
    layers = [Conv(dim, c, 7), Lstm(c)]
    for r in ratios:
        layers += [nn.ELU(), Transposed(c, c // 2, 2 * r, r), Unit(c // 2)]
        c //= 2
    return nn.Sequential(*layers, nn.ELU(), Conv(c, 1, 7))


def quantise(z, books):
    """z [D, T] -> codes [n_q, T]"""
    residual, codes = z.t(), []
    for book in books:
        distance = (book * book).sum(1) - 2 * residual @ book.t()
        code = distance.argmin(1)
        residual = residual - book[code]
        codes.append(code)
    return torch.stack(codes)



def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--stages", type=int, default=8)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--repeat", type=int, default=5)
    args = parser.parse_args()
    torch.manual_seed(1)
    ratios, dim = [8, 5, 4, 2], 128
    enc, dec = encoder(32, ratios, dim).eval(), decoder(32, ratios, dim).eval()
    books = [torch.randn(1024, dim) * 0.6 ** k for k in range(args.stages)]
    x = torch.randn(1, 1, int(24000 * args.seconds)) * 0.1
    result = {"torch": torch.__version__, "encode": {}, "decode": {}}
    with torch.no_grad():
        for n in [int(t) for t in args.threads.split(",")]:
            torch.set_num_threads(n)
            codes = quantise(enc(x)[0], books)

            def decode():
                return dec(sum(book[code] for book, code in zip(books, codes)).t()[None])

            result["encode"][str(n)] = fastest(lambda: quantise(enc(x)[0], books), args.repeat)
            result["decode"][str(n)] = fastest(decode, args.repeat)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
