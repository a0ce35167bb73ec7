"""Scenes for the trainer: item `k` depends on (seed, k) and the mined hotspots alone."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from calcimeasure.training.films import Film
from calcimeasure.training.scenes import Hotspot, cut_patch, make_scene


class Scenes(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """Image, truth and weight, each (1, side, side)."""

    def __init__(self, films: list[Film], side: int, mm: float, seed: int, hotspots: Path, length: int) -> None:
        cv2.setNumThreads(1)
        self.films, self.side, self.mm, self.seed, self.length = films, side, mm, seed, length
        self.source, self.stamp = hotspots, 0.0
        self.hotspots: list[Hotspot] = []

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, Tensor]:
        if index >= self.length:
            raise IndexError(index)
        rng = np.random.default_rng([self.seed, index])
        mm = own_pixel(self.mm, rng)
        patch = cut_patch(self.films, self._mined(), round(self.side * self.mm / mm), mm, rng)
        scene = make_scene(patch, mm, rng)
        arrays = (scene.image, scene.truth.astype(np.float32), scene.weight * balance(scene.labels))
        image, truth, weight = (torch.from_numpy(sized(a, (self.side,) * 2))[None] for a in arrays)
        return image, truth, weight

    def _mined(self) -> list[Hotspot]:
        """Hotspots, read again when the file has changed."""
        if self.source.exists() and self.source.stat().st_mtime != self.stamp:
            self.stamp = self.source.stat().st_mtime
            self.hotspots = [Hotspot(**row) for row in json.loads(self.source.read_text())]
        return self.hotspots


def own_pixel(mm: float, rng: np.random.Generator) -> float:
    """Pixel size of a scene before it is shown at `mm`: two in five like that, else from 0.13 to 0.42 mm."""
    return mm if rng.random() < 0.4 else float(np.exp(rng.uniform(np.log(0.13), np.log(0.42))))


def sized(image: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """The image at another size: area mean when it shrinks, linear or cubic when it grows, never out of its range."""
    if image.shape == shape:
        return image
    how = cv2.INTER_AREA if shape[0] < image.shape[0] else cv2.INTER_CUBIC
    return np.asarray(np.clip(cv2.resize(image, shape[::-1], interpolation=how), 0, image.max()), np.float32)


def balance(labels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Weight per pixel that lets small and thin deposits count nearly as much as large ones."""
    area = np.bincount(labels.ravel())
    share = np.clip(np.sqrt(300 / np.maximum(area, 1)), 0.7, 4).astype(np.float32)
    share[0] = 1
    return np.asarray(share[labels], np.float32)
