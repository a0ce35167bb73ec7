"""Write networks as ONNX files and as safetensors, and read the latter back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

Array = NDArray[np.float32]
LARGE, HUGE = 1000, 100_000
"""Tensors of fewer numbers than LARGE keep single precision; from HUGE on eight bits a number are enough."""


class Probability(nn.Module):
    """A network that answers with probabilities instead of logits."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Probabilities."""
        return torch.sigmoid(self.network(x))


def export_onnx(network: nn.Module, path: Path, name: str, inputs: int = 1) -> None:
    """One self-contained file, opset 17, input `name` (N, C, H, W) with free N, H and W; weights in 16 or 8 bits."""
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
    onnx.save(_smaller(onnx.load(str(path))), str(path))


class Answers(nn.Module):
    """A prompted network that answers with probabilities instead of logits."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Probability of every pixel, and of anything there."""
        logits, whole = self.network(crops)
        return torch.sigmoid(logits), torch.sigmoid(whole)


def export_prompted(network: nn.Module, path: Path, channels: int, side: int) -> None:
    """One self-contained file, opset 17: `crop` (N, channels, side, side) to `probability` and `chance` (N, 1)."""
    plain = Answers(network.to(memory_format=torch.contiguous_format).float()).eval()  # type: ignore[call-overload]
    free = {name: {0: "n"} for name in ("crop", "probability", "chance")}
    example = (torch.zeros(2, channels, side, side),)
    names = {"input_names": ["crop"], "output_names": ["probability", "chance"]}
    torch.onnx.export(plain, example, str(path), **names, dynamic_axes=free, opset_version=17, dynamo=False)
    onnx.save(_smaller(onnx.load(str(path))), str(path))


def _smaller(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with its large tensors stored in fewer bits and turned back to single precision when it is loaded."""
    graph, nodes = model.graph, []
    for tensor in list(graph.initializer):
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.size >= LARGE:
            stored, unpacking = (_bytes if values.size >= HUGE else _halves)(values, tensor.name)
            graph.initializer.remove(tensor)
            graph.initializer.extend(stored)
            nodes.extend(unpacking)
    nodes.extend(graph.node)
    del graph.node[:]
    graph.node.extend(nodes)
    return model


def _halves(values: Array, name: str) -> tuple[list[onnx.TensorProto], list[onnx.NodeProto]]:
    """Half precision under another name, and what brings it back."""
    half = f"{name}.half"
    cast = helper.make_node("Cast", [half], [name], to=TensorProto.FLOAT)
    return [numpy_helper.from_array(values.astype(np.float16), half)], [cast]


def _bytes(values: Array, name: str) -> tuple[list[onnx.TensorProto], list[onnx.NodeProto]]:
    """Whole numbers of -127 to 127 and a step for each output channel, and what brings them back."""
    whole, step, plain = f"{name}.whole", f"{name}.step", f"{name}.plain"
    steps = np.abs(values).max(axis=tuple(range(1, values.ndim)), keepdims=True).astype(np.float32) / 127
    counts = np.round(values / np.maximum(steps, 1e-20)).astype(np.int8)
    stored = [numpy_helper.from_array(counts, whole), numpy_helper.from_array(steps, step)]
    cast = helper.make_node("Cast", [whole], [plain], to=TensorProto.FLOAT)
    return stored, [cast, helper.make_node("Mul", [plain, step], [name])]


def save_weights(network: nn.Module, path: Path) -> None:
    """State of the network as half-precision safetensors: no code inside, half the size."""
    state = {k: v.detach().cpu().contiguous() for k, v in network.state_dict().items()}
    save_file({k: v.half() if v.is_floating_point() else v for k, v in state.items()}, str(path))


def load_weights(network: nn.Module, path: Path) -> None:
    """Fill the network from a safetensors file (and bring it back to single precision)."""
    state = load_file(str(path))
    network.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in state.items()})
