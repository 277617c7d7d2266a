"""Everything in the patient that a film shows, the measured bones among it."""

import numpy as np

from spinekit.phantom.patient import Patient
from spinekit.phantom.tissues import SPONGIOSA, Tissue


def tissues(patient: Patient, seed: int) -> list[Tissue]:
    """Return the patient's tissues, from the skin inwards; `seed` decides what the person does not."""
    del seed
    names = ["L1", "L2", "L3", "L4", "L5", "sacrum", "femoral head left", "femoral head right"]
    thickness = np.array([0.7] * 5 + [0.9] + [0.8] * 2)
    return [
        Tissue(name, surface, SPONGIOSA, cortex=float(cortex))
        for name, surface, cortex in zip(names, patient.measured(), thickness, strict=True)
    ]
