"""picture_net.py - the picture codec's network in PyTorch (configuration F: models/image_codec.h), for what stands beside `make bench`.

The prior works in two passes over the colours of a checkerboard, each packed.
"""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F


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
    def __init__(self, latent=192, hyper=96, widths=(64, 112, 160), encoder_blocks=(2, 3, 3), decoder_blocks=(3, 3, 3), context=128,
                 entropy=384):
        super().__init__()
        M, H, C, E = latent, hyper, context, entropy
        self.n_latent, self.n_context = M, C
        a, b, c = widths
        e, d = encoder_blocks, decoder_blocks
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(4), nn.Conv2d(48, a, 3, padding=1), *blocks(a, e[0]), nn.PixelUnshuffle(2), pw(4 * a, b), *blocks(b, e[1]),
            nn.PixelUnshuffle(2), pw(4 * b, c), *blocks(c, e[2]), pw(c, M))
        self.decoder = nn.Sequential(
            pw(M, c), *blocks(c, d[2]), pw(c, 4 * b), nn.PixelShuffle(2), *blocks(b, d[1]), pw(b, 4 * a), nn.PixelShuffle(2),
            *blocks(a, d[0]), nn.Conv2d(a, 48, 3, padding=1), nn.PixelShuffle(4))
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

    def foretell(self, z, level):
        h = F.pixel_shuffle(F.relu(self.up1(z)), 2)
        h = h + self.out(F.relu(self.inside(self.taps(h))))
        h = F.pixel_shuffle(F.relu(self.up2(h)), 2)
        return F.relu(self.psi(self.smooth(h)) + self.level_bias[level][:, :, None, None])


def pack(x, odd):
    even_rows, odd_rows = x[:, :, 0::2], x[:, :, 1::2]
    return torch.stack((even_rows[..., odd::2], odd_rows[..., 1 - odd::2]), 3).flatten(2, 3)


def spread(x, odd, n):
    batch, c, h, half = x.shape
    y = x.new_zeros(batch, c, h, n)
    y[:, :, 0::2, odd::2] = x[:, :, 0::2]
    y[:, :, 1::2, 1 - odd::2] = x[:, :, 1::2]
    return y
