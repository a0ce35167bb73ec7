"""Write networks as ONNX files and as safetensors, and read the latter back."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from calcimeasure.training.network import Finder


class WithProbability(nn.Module):
    """A network followed by the logistic function."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Probabilities."""
        return torch.sigmoid(self.network(x))


def export_onnx(network: Finder, path: Path, name: str) -> None:
    """One self-contained file, opset 17, input `name` (N, C, H, W) with free N, H and W."""
    inputs = network.stem.convolution.in_channels // 4
    plain = WithProbability(network.to(memory_format=torch.contiguous_format).float()).eval()  # type: ignore[call-overload]
    free = {name: {0: "n", 2: "h", 3: "w"}, "probability": {0: "n", 2: "h", 3: "w"}}
    example = torch.zeros(1, inputs, 256, 256)
    torch.onnx.export(
        plain,
        (example,),
        str(path),
        input_names=[name],
        output_names=["probability"],
        dynamic_axes=free,
        opset_version=17,
        dynamo=False,
    )


def save_weights(network: nn.Module, path: Path) -> None:
    """State of the network as half-precision safetensors: no code inside, half the size."""
    state = {k: v.detach().cpu().contiguous() for k, v in network.state_dict().items()}
    save_file({k: v.half() if v.is_floating_point() else v for k, v in state.items()}, str(path))


def load_weights(network: nn.Module, path: Path) -> None:
    """Fill the network from a safetensors file (and bring it back to single precision)."""
    state = load_file(str(path))
    network.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in state.items()})
