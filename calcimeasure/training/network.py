"""The finder: a compact U-Net whose coarsest level sees 40 mm to each side."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

STRIDE = 16
MARGIN = 240
"""Pixels a tile needs around it: the pretrained finder's receptive field (226 px each side) rounded up to STRIDE."""


class Layer(nn.Module):
    """3x3 convolution, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, dilation: int = 1) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Same size, `outputs` channels."""
        return functional.relu(self.norm(self.convolution(x)))


class Stage(nn.Module):
    """Layers with a shortcut round them."""

    def __init__(self, width: int, dilations: Sequence[int]) -> None:
        super().__init__()
        self.layers = nn.Sequential(*[Layer(width, width, d) for d in dilations])

    def forward(self, x: Tensor) -> Tensor:
        """Same size, same channels."""
        return x + self.layers(x)


class Finder(nn.Module):
    """Grey film (N, C, H, W), H and W multiples of 16, to `outputs` logit maps of the same size."""

    def __init__(
        self,
        widths: Sequence[int] = (32, 64, 128, 192),
        inputs: int = 1,
        outputs: int = 1,
        deep: Sequence[int] = (1, 2, 2, 1),
    ) -> None:
        super().__init__()
        pairs = list(pairwise(widths))
        self.stem = Layer(4 * inputs, widths[0])
        self.down = nn.ModuleList(
            [nn.Sequential(nn.Conv2d(a, b, 2, stride=2, bias=False), nn.BatchNorm2d(b)) for a, b in pairs]
        )
        self.encode = nn.ModuleList([Stage(a, (1, 1)) for a in widths[:-1]])
        self.deep = Stage(widths[-1], deep)
        self.up = nn.ModuleList([nn.Conv2d(b, a, 1) for a, b in pairs])
        self.decode = nn.ModuleList([Stage(a, (1, 1)) for a in widths[:-1]])
        self.head = nn.Conv2d(widths[0], 4 * outputs, 1)
        nn.init.constant_(self.head.bias, -4.0)  # type: ignore[arg-type]

    def forward(self, film: Tensor) -> Tensor:
        """Logits at the film's own resolution."""
        x, kept = self.stem(functional.pixel_unshuffle(film, 2)), []
        for stage, down in zip(self.encode, self.down, strict=True):
            kept.append(stage(x))
            x = down(kept[-1])
        x = self.deep(x)
        for k in reversed(range(len(kept))):
            x = self.decode[k](kept[k] + functional.interpolate(self.up[k](x), scale_factor=2.0, mode="nearest"))
        return functional.pixel_shuffle(self.head(x), 2)


class Looks(nn.Module):
    """Several finders, in turn at the film and at its mirror image; logits of their mean probability.

    What only one of the looks shows is mostly noise. Some or all may be the same network.
    """

    def __init__(self, *finders: nn.Module) -> None:
        super().__init__()
        self.finders = nn.ModuleList(finders)

    def forward(self, film: Tensor) -> Tensor:
        """Logits, as of one finder."""
        looks = [one(film.flip(3)).flip(3) if k % 2 else one(film) for k, one in enumerate(self.finders)]
        return torch.logit(torch.stack([torch.sigmoid(look.float()) for look in looks]).mean(0), 1e-6)


def loss_of(logits: Tensor, truth: Tensor, weight: Tensor, pos_weight: float = 4.0) -> Tensor:
    """Weighted cross entropy plus soft Dice over the whole batch (per-sample Dice does not start)."""
    balance = torch.tensor(pos_weight)
    entropy = functional.binary_cross_entropy_with_logits(logits, truth, weight, pos_weight=balance)
    chance = torch.sigmoid(logits) * weight
    overlap = (chance * truth).sum()
    dice = 1 - (2 * overlap + 1) / (chance.sum() + (truth * weight).sum() + 1)
    return 2 * entropy + dice
