"""Everything in the patient that a film shows, the measured bones among it."""

import numpy as np

from spinekit.phantom.patient import Patient
from spinekit.phantom.pelvis import pelvic_tissues
from spinekit.phantom.tissues import SPONGIOSA, Tissue
from spinekit.phantom.trunk import trunk_tissues
from spinekit.phantom.vertebrae import vertebral_tissues

#: Names of the measured bones' tissues, in the order of `spinekit.measurement.BONES`.
MEASURED = ("L1", "L2", "L3", "L4", "L5", "sacrum", "femoral head left", "femoral head right")


def tissues(patient: Patient, seed: int) -> list[Tissue]:
    """Return the patient's tissues, from the skin inwards; `seed` decides what the person does not."""
    thickness = np.array([0.7] * 5 + [0.9] + [0.8] * 2)
    measured = [
        Tissue(name, surface, SPONGIOSA, cortex=float(cortex))
        for name, surface, cortex in zip(MEASURED, patient.measured(), thickness, strict=True)
    ]
    rng = np.random.default_rng([seed, 2])
    return [
        *trunk_tissues(patient, rng),
        *vertebral_tissues(patient),
        *pelvic_tissues(patient),
        *measured,
    ]
