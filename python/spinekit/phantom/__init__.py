"""Phantoms: a lumbar spine whose truth is known, on films and in CT, and masks as a network finds them."""

from spinekit.phantom.ct import PhantomCT
from spinekit.phantom.degrade import degrade
from spinekit.phantom.film import Exposure, PhantomFilm
from spinekit.phantom.population import Person
from spinekit.phantom.scanned import ScannedSpine, from_ct
from spinekit.phantom.spine import Spine
from spinekit.phantom.truth import Parameters
from spinekit.phantom.view import View
from spinekit.phantom.writing import WrittenPhantoms, write

__all__ = [
    "Exposure",
    "Parameters",
    "Person",
    "PhantomCT",
    "PhantomFilm",
    "ScannedSpine",
    "Spine",
    "View",
    "WrittenPhantoms",
    "degrade",
    "from_ct",
    "write",
]
