"""Small DICOM films whose every stored value is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

STORAGE = "1.2.840.10008.5.1.4.1.1."
CR, DX, DX_RAW, XA, CAPTURE = (UID(STORAGE + tail) for tail in ("1", "1.1", "1.1.1", "12.1", "7"))
# Four rows, five columns: stored values 0 to 19, in 12 of 16 bits.
STORED = np.arange(20, dtype=np.uint16).reshape(4, 5)


def film(path: Path, stored: np.ndarray = STORED, syntax: UID = ExplicitVRLittleEndian, **facts: Any) -> Path:
    """A CR film of these stored values; facts are DICOM keywords."""
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = facts.pop("SOPClassUID", CR), "1.2.3"
    ds.Modality = "CR"
    ds.Rows, ds.Columns = stored.shape[-2:] if stored.ndim < 4 else stored.shape[1:3]
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 12, 11
    ds.SamplesPerPixel, ds.PixelRepresentation = 1, int(stored.dtype.kind == "i")
    ds.PhotometricInterpretation = "MONOCHROME2"
    if stored.ndim == 3:
        ds.NumberOfFrames = len(stored)
    ds.PixelData = facts.pop("PixelData", stored.tobytes())
    for keyword, value in facts.items():
        setattr(ds, keyword, value)
    ds["PixelData"].VR = "OW"
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, "1.2.3"
    ds.file_meta.TransferSyntaxUID = syntax
    ds["PixelData"].is_undefined_length = syntax.is_compressed and not syntax.is_deflated
    ds.save_as(path, enforce_file_format=True)
    return path
