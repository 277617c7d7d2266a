"""Films of DICOM whose values are known, and what to look for in what is read of them."""

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    ComputedRadiographyImageStorage,
)

from conftest import make_dataset, save

RAMP = np.arange(4096, dtype=np.uint16).reshape(64, 64)
BYTES = np.arange(48, dtype=np.uint8).reshape(6, 8)


def film_dataset(pixels=RAMP, bits=12, **attributes):
    ds = make_dataset(pixels, bits_stored=bits, SOPClassUID=ComputedRadiographyImageStorage, Modality="CR")
    del ds.PixelSpacing, ds.RescaleIntercept, ds.RescaleSlope
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def write(path, pixels=RAMP, bits=12, **attributes):
    return save(film_dataset(pixels, bits, **attributes), path)


def lut(first, data, bits, explanation="", vr="US"):
    item = Dataset()
    item.add_new("LUTDescriptor", "SS" if first < 0 else "US", [len(data) % 65536, first, bits])
    words = np.asarray(data, np.uint16)
    item.add_new("LUTData", vr, words.tobytes() if vr == "OW" else words.tolist())
    if explanation:
        item.LUTExplanation = explanation
    return Sequence([item])


def remarks(film):
    return "; ".join(film.notes["remarks"])
