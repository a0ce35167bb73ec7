"""Run a network: the one file that knows ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

import onnxruntime

Session: TypeAlias = Any
"""A loaded network: ``run(None, {name: array})`` gives its outputs."""


def session(path: Path, threads: int) -> Session:
    """A network, ready to run on so many processor threads."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
