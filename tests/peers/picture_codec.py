#!/usr/bin/env python3
"""picture_codec.py - coding a whole picture in PyTorch, timed: what `make bench` compares residua with.

All of the network that an encoder and a decoder run, in float, on random weights: analysis, hyper encoder and prior; prior and
synthesis. Latents are rounded; there is no entropy coder. Prints one JSON object: the fastest encode and the fastest decode, by
thread count.

  picture_codec.py LATENT,HYPER,W0,W1,W2,E0,E1,E2,D0,D1,D2,CONTEXT,ENTROPY [--threads 1,2] [--repeat 3] [--width 768 --height 512]
"""
import argparse
import json

import torch

from picture_net import Net, pack, spread
from timing import fastest


def run_prior(net, y, z):
    """The latents as a decoder has them, from rounded ones (in its place: those that an entropy decoder would give)."""
    psi = net.foretell(z, [0])
    parts, context = [], None
    for odd in (0, 1):
        k, p = pack(y, odd), pack(psi, odd)
        mean, scale = net.params(p, p.new_zeros(p.shape[0], net.n_context, *p.shape[2:]) if context is None else context)
        parts.append(torch.round(k - mean) + mean)
        if not odd:
            context = pack(net.context(spread(net.context_in(parts[0]), 0, y.shape[3])), 1)
    return spread(parts[0], 0, y.shape[3]) + spread(parts[1], 1, y.shape[3])


def encode(net, x):
    y = net.encoder(x - 0.5) * torch.exp(net.log_gain[0])[:, None, None]
    return run_prior(net, y, torch.round(net.hyper(y)))


def decode(net, y, z):
    return net.decoder(run_prior(net, y, z) * torch.exp(-net.log_inverse[0])[:, None, None]) + 0.5


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("sizes")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--height", type=int, default=512)
    args = parser.parse_args()
    n = [int(v) for v in args.sizes.split(",")]
    torch.manual_seed(1)
    net = Net(n[0], n[1], n[2:5], n[5:8], n[8:11], n[11], n[12]).eval()
    x = torch.rand(1, 3, args.height, args.width)
    y = torch.round(2 * torch.randn(1, n[0], args.height // 16, args.width // 16))
    z = torch.round(2 * torch.randn(1, n[1], args.height // 64, args.width // 64))
    result = {"torch": torch.__version__, "encode": {}, "decode": {}}
    with torch.no_grad():
        for count in args.threads.split(","):
            torch.set_num_threads(int(count))
            result["encode"][count] = fastest(lambda: encode(net, x), args.repeat)
            result["decode"][count] = fastest(lambda: decode(net, y, z), args.repeat)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
