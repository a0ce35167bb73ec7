"""Write networks as ONNX files and as safetensors, and read the latter back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from calcimeasure.training.network import Finder, Pair

LARGE = 1000
"""Tensors of fewer numbers keep single precision."""


class Probability(nn.Module):
    """A network that answers with probabilities instead of logits."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Probabilities."""
        return torch.sigmoid(self.network(x))


def export_onnx(network: Finder | Pair, path: Path, name: str) -> None:
    """One self-contained file, opset 17, input `name` (N, C, H, W) with free N, H and W; weights in half precision."""
    inner = network.plain if isinstance(network, Pair) else network
    inputs = inner.stem.convolution.in_channels // 4
    plain = Probability(network.to(memory_format=torch.contiguous_format).float()).eval()  # type: ignore[call-overload]
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
    onnx.save(_halved(onnx.load(str(path))), str(path))


def _halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with its large tensors stored as half precision and turned back to single when it is loaded."""
    graph, casts = model.graph, []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.size >= LARGE:
            name, tensor.name = tensor.name, f"{tensor.name}.half"
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), tensor.name))
            casts.append(helper.make_node("Cast", [tensor.name], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    return model


def save_weights(network: nn.Module, path: Path) -> None:
    """State of the network as half-precision safetensors: no code inside, half the size."""
    state = {k: v.detach().cpu().contiguous() for k, v in network.state_dict().items()}
    save_file({k: v.half() if v.is_floating_point() else v for k, v in state.items()}, str(path))


def load_weights(network: nn.Module, path: Path) -> None:
    """Fill the network from a safetensors file (and bring it back to single precision)."""
    state = load_file(str(path))
    network.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in state.items()})
