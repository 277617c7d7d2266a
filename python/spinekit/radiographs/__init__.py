"""Radiographs out of files: DICOM and pictures, with bone bright and a spacing that is known or none."""

from spinekit.radiographs.reading import read_radiograph

__all__ = ["read_radiograph"]
