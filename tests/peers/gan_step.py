#!/usr/bin/env python3
"""gan_step.py - a step of speech16 with an adversary in PyTorch, timed: what `make bench` compares residua with.

The codec of train_step.py and three critics of spectrograms (MS-STFT, windows 1024, 512 and 256, 8 filters, weight norm). As in
residua real and generated signals are judged once for both sides: hinge loss and feature matching give their gradients at the
generated signal, one each, which are balanced with that of L1 and carried back into the codec; then the critics learn from the same
judgement. Both sides use Adam. Prints one JSON object: seconds of the fastest step by thread count.

  gan_step.py [--batch 8] [--seconds 0.8] [--threads 1,2] [--repeat 3]
"""
import argparse
import json

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils import weight_norm

from timing import fastest
from train_step import Quantizer, decoder, encoder

WINDOWS, FILTERS, SLOPE = (1024, 512, 256), 8, 0.2


def conv(c_in, c_out, kernel, stride=(1, 1), dilation=1):
    pad = ((kernel[0] - 1) // 2, (kernel[1] - 1) * dilation // 2)
    return weight_norm(nn.Conv2d(c_in, c_out, kernel, stride, pad, (1, dilation)))


class Critic(nn.Module):
    def __init__(self, window):
        super().__init__()
        self.size = window
        self.register_buffer("window", torch.hann_window(window))
        self.layers = nn.ModuleList(
            [nn.Conv2d(2, FILTERS, (9, 3), padding=(4, 1))] + [conv(FILTERS, FILTERS, (9, 3), (2, 1), d) for d in (1, 2, 4)] +
            [conv(FILTERS, FILTERS, (3, 3))])
        self.last = conv(FILTERS, 1, (3, 3))

    def forward(self, x):
        s = torch.stft(x[:, 0], self.size, self.size // 4, window=self.window, center=False, normalized=False, return_complex=True)
        h, maps = torch.view_as_real(s / self.window.pow(2).sum().sqrt()).permute(0, 3, 1, 2), []
        for layer in self.layers:
            h = F.leaky_relu(layer(h), SLOPE)
            maps.append(h)
        return self.last(h), maps


def balanced(grads, weights, averages):
    """EnCodec's balancer: each gradient's share of a norm of 1, by moving averages of the norms of items."""
    total = torch.zeros_like(grads[0])
    for i, (grad, weight) in enumerate(zip(grads, weights)):
        norm = grad.flatten(1).norm(dim=1).mean()
        averages[i] = norm if averages[i] is None else 0.999 * averages[i] + 0.001 * norm
        total += grad * (weight / sum(weights)) / (averages[i] + 1e-12)
    return total


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--batch", type=int, default=8)
    p.add_argument("--seconds", type=float, default=0.8)
    p.add_argument("--threads", default="1,2")
    p.add_argument("--repeat", type=int, default=3)
    a = p.parse_args()
    torch.manual_seed(1)
    ratios = [8, 5, 4, 2]
    enc, dec, rvq = encoder(16, ratios, 64), decoder(16, ratios, 64), Quantizer(12, 1024, 64)
    critics = nn.ModuleList([Critic(w) for w in WINDOWS])
    opt = torch.optim.Adam(list(enc.parameters()) + list(dec.parameters()), lr=3e-4, betas=(0.5, 0.9))
    critic_opt = torch.optim.Adam(critics.parameters(), lr=3e-4, betas=(0.5, 0.9))
    x = 0.1 * torch.randn(a.batch, 1, int(16000 * a.seconds))
    averages = [None] * 3

    def step():
        zq, commitment = rvq(enc(x))
        y = dec(zq)
        signal = y.detach().requires_grad_()
        real, fake = [c(x) for c in critics], [c(signal) for c in critics]
        n = len(WINDOWS)
        press = sum(-v.mean() for v, _ in fake) / n
        feature = sum(F.l1_loss(g, r.detach()) / r.detach().abs().mean() for (_, rs), (_, gs) in zip(real, fake)
                      for r, g in zip(rs, gs)) / (n * len(real[0][1]))
        grads = [torch.autograd.grad(loss, signal, retain_graph=True)[0] for loss in ((signal - x).abs().mean(), press, feature)]
        opt.zero_grad()
        torch.autograd.backward([y, commitment], [balanced(grads, (1, 3, 3), averages), torch.ones_like(commitment)])
        torch.nn.utils.clip_grad_norm_([q for g in opt.param_groups for q in g["params"]], 5)
        opt.step()
        learn = sum(F.relu(1 - r).mean() + F.relu(1 + f).mean() for (r, _), (f, _) in zip(real, fake)) / n
        critic_opt.zero_grad()
        torch.autograd.backward(learn, inputs=list(critics.parameters()))
        critic_opt.step()

    result = {"torch": torch.__version__, "critic_parameters": sum(q.numel() for q in critics.parameters())}
    for n in [int(t) for t in a.threads.split(",")]:
        torch.set_num_threads(n)
        result["step_s_%d" % n] = fastest(step, a.repeat)["clock_s"]
    print(json.dumps(result))


if __name__ == "__main__":
    main()
