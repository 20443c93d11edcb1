#!/usr/bin/env python3
"""image_losses.py - image losses in PyTorch, timed: what `make bench` compares residua with.

MS-SSIM, GMSD and SSIMULACRA 2 as their formulas are usually written (Gaussian in two directions, Prewitt convolutions, means of 2 x 2);
the Gaussian once as depthwise convolutions and once as sums of shifted planes, whichever is the faster here. LPIPS through SqueezeNet 1.1 (weights do not matter for time and are random). One picture
pair of 3 x H x W. Prints one JSON object: seconds of the fastest value and of the fastest value with gradient, by loss and
number of threads; on one thread its processor time.

  image_losses.py [--height 2048] [--width 2048] [--threads 1,2] [--repeat 3] [--only ms_ssim,gmsd,ssimulacra2,lpips_squeeze]
"""
import argparse
import json

import torch
import torch.nn as nn
import torch.nn.functional as F

from timing import fastest

SMALL = 320  # side of the pictures on which forms are compared
WEIGHTS = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333]


def window():
    at = torch.arange(11, dtype=torch.float32) - 5
    w = torch.exp(-at * at / (2 * 1.5 ** 2))
    return w / w.sum()


def depthwise(x, w):
    c = x.shape[1]
    x = F.conv2d(x, w.view(1, 1, -1, 1).expand(c, 1, -1, 1), groups=c)
    return F.conv2d(x, w.view(1, 1, 1, -1).expand(c, 1, 1, -1), groups=c)


def shifted(x, w):
    for dim in (2, 3):
        n = x.shape[dim] - len(w) + 1
        total = x.narrow(dim, 0, n) * float(w[0])
        for k in range(1, len(w)):
            total = torch.add(total, x.narrow(dim, k, n), alpha=float(w[k]))
        x = total
    return x


FORMS = {"depthwise": depthwise, "shifted": shifted}
blur = depthwise


def ms_ssim(x, y):
    w, product = window(), None
    for i, power in enumerate(WEIGHTS):
        if i:
            x = F.avg_pool2d(x, 2, padding=[n % 2 for n in x.shape[2:]])
            y = F.avg_pool2d(y, 2, padding=[n % 2 for n in y.shape[2:]])
        mx, my = blur(x, w), blur(y, w)
        vx, vy, cov = blur(x * x, w) - mx * mx, blur(y * y, w) - my * my, blur(x * y, w) - mx * my
        part = (2 * cov + 9e-4) / (vx + vy + 9e-4)
        if i == len(WEIGHTS) - 1:
            part = part * (2 * mx * my + 1e-4) / (mx * mx + my * my + 1e-4)
        part = torch.relu(part.mean((2, 3))) ** power
        product = part if product is None else product * part
    return 1 - product.mean()


def gmsd(x, y):
    luma = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    k = torch.tensor([[-1.0, 0, 1], [-1, 0, 1], [-1, 0, 1]]) / 3
    k = torch.stack([k, k.t()]).unsqueeze(1)
    edges = []
    for v in (x, y):
        v = F.avg_pool2d((v * luma).sum(1, keepdim=True), 2)
        edges.append(torch.sqrt((F.conv2d(v, k, padding=1) ** 2).sum(1) + 1e-12))
    a, b = edges
    c = 170 / 255 ** 2
    return ((2 * a * b + c) / (a * a + b * b + c)).std(unbiased=False)


def ssimulacra2(x, y):
    """The maps and norms of SSIMULACRA 2; weights do not matter for time and are 1."""
    taps = torch.tensor([.0094143678, .0360111147, .1093353728, .2129285920, .2646211055, .2129285920, .1093353728, .0360111147,
                         .0094143678])
    mix = torch.tensor([[.30, .622, .078], [.23, .692, .078], [.24342269, .20476744, .55180987]]).view(3, 3, 1, 1)

    def blurred(v):
        return blur(F.pad(v, (4, 4, 4, 4)), taps)

    def xyb(v):
        v = F.conv2d(v, mix) + 0.00379307
        a, b, c = (v.clamp(min=1e-9) ** (1 / 3)).unbind(1)
        return torch.stack([7 * (a - b) + .42, (a + b) / 2 - .146, c - (a + b) / 2 + .55], 1)

    x, y = (torch.where(v <= 0.04045, v / 12.92, ((v.clamp(min=0.04) + 0.055) / 1.055) ** 2.4) for v in (x, y))
    total = 0
    for scale in range(6):
        if scale:
            x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
        p, q = xyb(x), xyb(y)
        mp, mq, pp, qq, pq = blurred(p), blurred(q), blurred(p * p), blurred(q * q), blurred(p * q)
        s = (1 - (mp - mq) ** 2) * (2 * (pq - mp * mq) + 9e-4) / (pp - mp * mp + qq - mq * mq + 9e-4)
        e = (1 + (q - mq).abs()) / (1 + (p - mp).abs()) - 1
        for m in (torch.relu(1 - s), torch.relu(e), torch.relu(-e)):
            total = total + m.mean((2, 3)).sum() + ((m ** 4).mean((2, 3)) + 1e-20).pow(0.25).sum()
    return total


class Fire(nn.Module):
    def __init__(self, c, s, e):
        super().__init__()
        self.squeeze, self.a, self.b = nn.Conv2d(c, s, 1), nn.Conv2d(s, e, 1), nn.Conv2d(s, e, 3, padding=1)

    def forward(self, x):
        x = torch.relu(self.squeeze(x))
        return torch.cat([torch.relu(self.a(x)), torch.relu(self.b(x))], 1)


class Lpips(nn.Module):
    def __init__(self):
        super().__init__()
        pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.parts = nn.ModuleList([
            nn.Sequential(nn.Conv2d(3, 64, 3, stride=2), nn.ReLU()),
            nn.Sequential(pool, Fire(64, 16, 64), Fire(128, 16, 64)),
            nn.Sequential(pool, Fire(128, 32, 128), Fire(256, 32, 128)),
            nn.Sequential(pool, Fire(256, 48, 192)), Fire(384, 48, 192), Fire(384, 64, 256), Fire(512, 64, 256)])
        self.linear = [torch.rand(1, c, 1, 1) for c in (64, 128, 256, 384, 384, 512, 512)]
        for p in self.parameters():
            p.requires_grad_(False)

    def forward(self, x, y):
        x, y, total = 2 * x - 1, 2 * y - 1, 0
        for part, w in zip(self.parts, self.linear):
            x, y = part(x), part(y)
            u, v = (t / (t.pow(2).sum(1, keepdim=True).sqrt() + 1e-10) for t in (x, y))
            total = total + ((u - v) ** 2 * w).sum(1).mean()
        return total


def set_blur(form):
    global blur
    blur = FORMS[form]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--height", type=int, default=2048)
    p.add_argument("--width", type=int, default=2048)
    p.add_argument("--threads", default="1,2")
    p.add_argument("--repeat", type=int, default=3)
    p.add_argument("--only", default="ms_ssim,gmsd,ssimulacra2,lpips_squeeze")
    a = p.parse_args()
    torch.manual_seed(1)
    x = torch.rand(1, 3, a.height, a.width)
    y = (x + 0.05 * torch.randn_like(x)).requires_grad_(True)
    losses = {"ms_ssim": ms_ssim, "gmsd": gmsd, "lpips_squeeze": Lpips(), "ssimulacra2": ssimulacra2}
    result = {"torch": torch.__version__, "height": a.height, "width": a.width}
    for n in [int(t) for t in a.threads.split(",")]:
        torch.set_num_threads(n)
        for name in a.only.split(","):
            def run(side, gradient):
                y.grad = None
                with torch.set_grad_enabled(gradient):
                    value = losses[name](x[:, :, :side, :side], y[:, :, :side, :side])
                if gradient:
                    value.backward()

            clock = "cpu_s" if n == 1 else "clock_s"
            small = {}
            for form in FORMS if name in ("ms_ssim", "ssimulacra2") else ["depthwise"]:
                set_blur(form)
                small[form] = fastest(lambda: run(SMALL, True), 2)[clock]
            set_blur(min(small, key=small.get))
            for gradient in (False, True):
                result["%s_%s_s_%d" % (name, "gradient" if gradient else "value", n)] = \
                    fastest(lambda: run(max(a.height, a.width), gradient), a.repeat)[clock]
    print(json.dumps(result))


if __name__ == "__main__":
    main()
