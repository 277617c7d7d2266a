"""How far raters agree: clinicians among themselves, and measurements with clinicians."""

from spinekit.raters.agreeing import agreement
from spinekit.raters.result import Agreement, ParameterAgreement

__all__ = ["Agreement", "ParameterAgreement", "agreement"]
