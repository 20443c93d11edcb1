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
import torch.nn.functional as F

from picture_net import Net, pack, spread
from timing import fastest


def ste_round(x):
    return x + (torch.floor(x + 0.5) - x).detach()


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
    psi = net.foretell(ste_round(z), level)
    y_hat, context = [], None
    for odd in (0, 1):
        part, p = pack(y, odd), pack(psi, odd)
        mean, scale = net.params(p, p.new_zeros(p.shape[0], net.n_context, *p.shape[2:]) if context is None else context)
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
    y = torch.randn(1, net.n_latent, args.height // 16, args.width // 16)
    result = {"torch": torch.__version__}
    for n in (int(t) for t in args.threads.split(",")):
        torch.set_num_threads(n)
        result["step_s_%d" % n] = fastest(lambda: step(net, opt, x, level), args.repeat)["clock_s"]
        with torch.no_grad():
            result["synthesis_s_%d" % n] = fastest(lambda: net.decoder(y), args.repeat)["clock_s"]
    print(json.dumps(result))


if __name__ == "__main__":
    main()
