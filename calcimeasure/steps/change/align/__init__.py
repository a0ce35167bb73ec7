"""Two films of one limb laid on each other, or the reason why they cannot be."""

from calcimeasure.steps.change.align.films import align

__all__ = ["align"]
