"""Phantoms: a lumbar spine whose truth is known, on films and in CT."""

from spinekit.phantom.ct import PhantomCT
from spinekit.phantom.film import PhantomFilm
from spinekit.phantom.scanned import ScannedSpine, from_ct
from spinekit.phantom.population import Person
from spinekit.phantom.spine import Spine
from spinekit.phantom.truth import Parameters
from spinekit.phantom.view import View

__all__ = ["Parameters", "Person", "PhantomCT", "PhantomFilm", "ScannedSpine", "Spine", "View", "from_ct"]
