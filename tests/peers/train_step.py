#!/usr/bin/env python3
"""train_step.py - the training step of speech16 in PyTorch, timed: what `make bench` compares residua with.

The same network (SEANet, 16 kHz, C0 16, ratios 8,5,4,2, weight norm, true skip, D 64), quantiser (12 codebooks of 1024,
straight-through, commitment, moving averages), loss (L1 of the waveform) and optimiser (Adam), on the same batch.
Prints one JSON object: seconds of the fastest step and of the fastest encode + decode, by thread count.

  train_step.py [--batch 16] [--seconds 0.8] [--threads 1,2] [--repeat 5]
"""
import argparse
import json

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils import weight_norm

from timing import fastest


class CausalConv(nn.Module):
    def __init__(self, c_in, c_out, k, stride=1):
        super().__init__()
        self.conv = weight_norm(nn.Conv1d(c_in, c_out, k, stride))
        self.pad = k - stride

    def forward(self, x):
        return self.conv(F.pad(x, (self.pad, 0)))


class CausalTransposed(nn.Module):
    def __init__(self, c_in, c_out, k, stride):
        super().__init__()
        self.conv = weight_norm(nn.ConvTranspose1d(c_in, c_out, k, stride))
        self.trim = k - stride

    def forward(self, x):
        return self.conv(x)[..., :-self.trim]


class Unit(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.body = nn.Sequential(nn.ELU(), CausalConv(c, c // 2, 3), nn.ELU(), CausalConv(c // 2, c, 1))

    def forward(self, x):
        return x + self.body(x)


def encoder(c0, ratios, dim):
    layers, c = [CausalConv(1, c0, 7)], c0
    for r in reversed(ratios):
        layers += [Unit(c), nn.ELU(), CausalConv(c, 2 * c, 2 * r, r)]
        c *= 2
    return nn.Sequential(*layers, nn.ELU(), CausalConv(c, dim, 7))


def decoder(c0, ratios, dim):
    c = c0 << len(ratios)
    layers = [CausalConv(dim, c, 7)]
    for r in ratios:
        layers += [nn.ELU(), CausalTransposed(c, c // 2, 2 * r, r), Unit(c // 2)]
        c //= 2
    return nn.Sequential(*layers, nn.ELU(), CausalConv(c, 1, 7))


class Quantizer(nn.Module):
    def __init__(self, n_q, size, dim, decay=0.99):
        super().__init__()
        self.decay = decay
        self.register_buffer("embed", torch.randn(n_q, size, dim))
        self.register_buffer("count", torch.ones(n_q, size))
        self.register_buffer("sum", self.embed.clone())

    @torch.no_grad()
    def learn(self, i, code, r):
        n = torch.bincount(code, minlength=self.count.shape[1]).to(r.dtype)
        total = torch.zeros_like(self.sum[i]).index_add_(0, code, r)
        self.count[i].mul_(self.decay).add_(n, alpha=1 - self.decay)
        self.sum[i].mul_(self.decay).add_(total, alpha=1 - self.decay)
        self.embed[i] = self.sum[i] / (self.count[i] + 1e-5).unsqueeze(1)

    def forward(self, z):
        b, d, f = z.shape
        r = z.transpose(1, 2).reshape(-1, d)
        total, commitment = torch.zeros_like(r), 0.0
        for i in range(self.embed.shape[0]):
            e = self.embed[i]
            code = (2 * r.detach() @ e.t() - e.pow(2).sum(1)).argmax(1)
            q = e[code]
            commitment = commitment + F.mse_loss(r, q)
            if self.training:
                self.learn(i, code, r.detach())
            total = total + q
            r = r - q
        q = total.reshape(b, f, d).transpose(1, 2)
        return z + (q - z).detach(), commitment / self.embed.shape[0]



def main():
    p = argparse.ArgumentParser()
    p.add_argument("--batch", type=int, default=16)
    p.add_argument("--seconds", type=float, default=0.8)
    p.add_argument("--threads", default="1,2")
    p.add_argument("--repeat", type=int, default=5)
    a = p.parse_args()
    torch.manual_seed(1)
    ratios = [8, 5, 4, 2]
    enc, dec, rvq = encoder(16, ratios, 64), decoder(16, ratios, 64), Quantizer(12, 1024, 64)
    params = list(enc.parameters()) + list(dec.parameters())
    opt = torch.optim.Adam(params, lr=3e-4, betas=(0.5, 0.9))
    x = 0.1 * torch.randn(a.batch, 1, int(16000 * a.seconds))
    second = 0.1 * torch.randn(1, 1, 16000)

    def step():
        zq, commitment = rvq(enc(x))
        loss = (dec(zq) - x).abs().mean() + commitment
        opt.zero_grad()
        loss.backward()
        opt.step()

    def network():
        loss = (dec(enc(x)) - x).abs().mean()
        opt.zero_grad()
        loss.backward()

    @torch.no_grad()
    def code():
        dec(rvq(enc(second))[0])

    result = {"torch": torch.__version__, "batch": a.batch, "seconds": a.seconds,
              "parameters": sum(q.numel() for q in params)}
    for n in [int(t) for t in a.threads.split(",")]:
        torch.set_num_threads(n)
        rvq.train()
        result["step_s_%d" % n] = fastest(step, a.repeat)["clock_s"]
        result["network_s_%d" % n] = fastest(network, a.repeat)["clock_s"]
        rvq.eval()
        result["code_one_second_s_%d" % n] = fastest(code, a.repeat)["clock_s"]
    print(json.dumps(result))


if __name__ == "__main__":
    main()
