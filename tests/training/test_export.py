"""ONNX files: few bits a number, the same answer."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (extra: train)")
pytest.importorskip("onnx", reason="onnx is not installed (extra: train)")

from calcimeasure.training.export import HUGE, export_onnx
from calcimeasure.training.network import Finder, Looks
from calcimeasure.training.pretrained import PretrainedFinder


@pytest.mark.filterwarnings("ignore")  # the exporter warns of its own age
def test_the_file_answers_as_the_network_does(tmp_path):
    import onnxruntime

    torch.manual_seed(0)
    looks = Looks(PretrainedFinder(), Finder()).eval()
    for one in looks.finders:
        torch.nn.init.zeros_(one.head.bias)  # away from "nothing anywhere"
    assert any(p.numel() >= HUGE for p in looks.parameters())
    export_onnx(looks, tmp_path / "d.onnx", "film")
    film = torch.rand(1, 1, 96, 160)
    (seen,) = onnxruntime.InferenceSession(str(tmp_path / "d.onnx")).run(None, {"film": film.numpy()})
    assert seen.std() > 0.01
    assert np.allclose(seen, torch.sigmoid(looks(film)).detach().numpy(), atol=0.001)
    whole = sum(p.numel() for p in looks.parameters())
    assert (tmp_path / "d.onnx").stat().st_size < 1.7 * whole
