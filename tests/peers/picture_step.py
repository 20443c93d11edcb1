#!/usr/bin/env python3
"""picture_step.py - the picture codec's network in PyTorch, timed: what `make bench` compares residua with.

The same network (configuration F: models/image_codec.h), loss (bits under noise and weighted squared error), quantisation and
optimiser (Adam) on the same batch; the prior in two passes over the colours of a checkerboard, each packed. Prints one JSON
object: seconds of the fastest step and of the fastest synthesis, by thread count.

  picture_step.py [--batch 8] [--crop 128] [--threads 1,2] [--repeat 3] [--width 768 --height 512]
"""
import argparse
import json
import math

import torch
import torch.nn as nn
import torch.nn.functional as F

from timing import fastest

M, H, WIDTHS, C, E = 192, 96, (64, 112, 160), 128, 384


def pw(c_in, c_out):
    return nn.Conv2d(c_in, c_out, 1)


def dw(c, k):
    return nn.Conv2d(c, c, k, padding=k // 2, groups=c)


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.body = nn.Sequential(dw(c, 5), pw(c, 2 * c), nn.Hardswish(), pw(2 * c, c))

    def forward(self, x):
        return x + self.body(x)


def blocks(c, n):
    return [Block(c) for _ in range(n)]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        a, b, c = WIDTHS
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(4), nn.Conv2d(48, a, 3, padding=1), *blocks(a, 2), nn.PixelUnshuffle(2), pw(4 * a, b), *blocks(b, 3),
            nn.PixelUnshuffle(2), pw(4 * b, c), *blocks(c, 3), pw(c, M))
        self.decoder = nn.Sequential(
            pw(M, c), *blocks(c, 3), pw(c, 4 * b), nn.PixelShuffle(2), *blocks(b, 3), pw(b, 4 * a), nn.PixelShuffle(2),
            *blocks(a, 3), nn.Conv2d(a, 48, 3, padding=1), nn.PixelShuffle(4))
        self.hyper = nn.Sequential(
            pw(M, H), dw(H, 5), nn.Hardswish(), nn.PixelUnshuffle(2), pw(4 * H, H), dw(H, 5), nn.Hardswish(),
            nn.PixelUnshuffle(2), pw(4 * H, H))
        self.up1, self.taps, self.inside, self.out = pw(H, 4 * H), dw(H, 3), pw(H, 2 * H), pw(2 * H, H)
        self.up2, self.smooth, self.psi = pw(H, 4 * M), dw(M, 3), pw(M, M)
        self.context_in, self.context = pw(M, C), dw(C, 5)
        self.join, self.mix, self.head = pw(M + C, E), pw(E, E), pw(E, 2 * M)
        self.log_gain = nn.Parameter(torch.zeros(8, M))
        self.log_inverse = nn.Parameter(torch.zeros(8, M))
        self.level_bias = nn.Parameter(torch.zeros(8, M))
        self.z_scale = nn.Parameter(torch.ones(1, H, 1, 1))

    def params(self, psi, context):
        h = F.relu(self.join(torch.cat((psi, context), 1)))
        h = h + F.relu(self.mix(h))
        mean, index = self.head(h).chunk(2, 1)
        return mean, torch.exp(math.log(0.11) + index.clamp(0, 63) * math.log(20 / 0.11) / 63)


def ste_round(x):
    return x + (torch.floor(x + 0.5) - x).detach()


def pack(x, odd):
    even_rows, odd_rows = x[:, :, 0::2], x[:, :, 1::2]
    return torch.stack((even_rows[..., odd::2], odd_rows[..., 1 - odd::2]), 3).flatten(2, 3)


def spread(x, odd, n):
    batch, c, h, half = x.shape
    y = x.new_zeros(batch, c, h, n)
    y[:, :, 0::2, odd::2] = x[:, :, 0::2]
    y[:, :, 1::2, 1 - odd::2] = x[:, :, 1::2]
    return y


def bits(x, mean, scale):
    d = (x - mean).abs()
    p = 0.5 * (torch.erfc((d - 0.5) / scale / math.sqrt(2)) - torch.erfc((d + 0.5) / scale / math.sqrt(2)))
    return -torch.log2(p.clamp(min=1e-9))


def step(net, opt, x, level):
    opt.zero_grad()
    gain = torch.exp(net.log_gain[level])[:, :, None, None]
    y = net.encoder(x - 0.5) * gain
    z = net.hyper(y)
    total = bits(z + torch.rand_like(z) - 0.5, torch.zeros_like(z), F.softplus(net.z_scale).expand_as(z)).sum()
    h = F.relu(net.up1(ste_round(z)))
    h = F.pixel_shuffle(h, 2)
    h = h + net.out(F.relu(net.inside(net.taps(h))))
    h = F.pixel_shuffle(F.relu(net.up2(h)), 2)
    psi = F.relu(net.psi(net.smooth(h)) + net.level_bias[level][:, :, None, None])
    y_hat, context = [], None
    for odd in (0, 1):
        part, p = pack(y, odd), pack(psi, odd)
        mean, scale = net.params(p, p.new_zeros(p.shape[0], C, *p.shape[2:]) if context is None else context)
        total = total + bits(part + torch.rand_like(part) - 0.5, mean, scale).sum()
        y_hat.append(ste_round(part - mean) + mean)
        if not odd:
            context = pack(net.context(spread(net.context_in(y_hat[0]), 0, y.shape[3])), 1)
    y_hat = spread(y_hat[0], 0, y.shape[3]) + spread(y_hat[1], 1, y.shape[3])
    back = net.decoder(y_hat * torch.exp(-net.log_inverse[level])[:, :, None, None]) + 0.5
    loss = total / (x.shape[0] * x.shape[2] * x.shape[3]) + 0.025 * 255 ** 2 * F.mse_loss(back, x)
    loss.backward()
    opt.step()



def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--crop", type=int, default=128)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--height", type=int, default=512)
    args = parser.parse_args()
    torch.manual_seed(1)
    net = Net()
    opt = torch.optim.Adam(net.parameters(), 1e-4)
    x = torch.rand(args.batch, 3, args.crop, args.crop)
    level = torch.randint(0, 8, (args.batch,))
    y = torch.randn(1, M, args.height // 16, args.width // 16)
    result = {"torch": torch.__version__}
    for n in (int(t) for t in args.threads.split(",")):
        torch.set_num_threads(n)
        result["step_s_%d" % n] = fastest(lambda: step(net, opt, x, level), args.repeat)["clock_s"]
        with torch.no_grad():
            result["synthesis_s_%d" % n] = fastest(lambda: net.decoder(y), args.repeat)["clock_s"]
    print(json.dumps(result))


if __name__ == "__main__":
    main()
