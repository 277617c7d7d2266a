"""Grades with their published thresholds."""

import math


def schwab_pi_minus_ll(degrees: float) -> str:
    """Return the SRS-Schwab modifier of PI-LL: "0" below 10, "+" to 20, "++" above; "" of NaN.

    References
    ----------
    Schwab et al., Scoliosis Research Society-Schwab adult spinal deformity classification, 2012,
    doi 10.1097/BRS.0b013e31823e15e2
    """
    return _modifier(degrees, 10, 20)


def schwab_pt(degrees: float) -> str:
    """Return the SRS-Schwab modifier of PT: "0" below 20, "+" to 30, "++" above; "" of NaN."""
    return _modifier(degrees, 20, 30)


def meyerding(percent: float) -> int | None:
    """Return Meyerding's grade of a slip, whichever its direction.

    0 below 5 % (no slip: within what measuring makes of an aligned level), 1 to 25 %, 2 to 50 %,
    3 to 75 %, 4 to 100 %, 5 beyond (spondyloptosis); None of NaN.

    References
    ----------
    Meyerding, Spondylolisthesis, 1932
    """
    if math.isnan(percent):
        return None
    return sum(abs(percent) > limit for limit in (25, 50, 75, 100)) + 1 if abs(percent) >= 5 else 0


def genant(ratio: float) -> int | None:
    """Return Genant's grade of a wedge: 1 mild, 2 moderate, 3 severe; None of NaN.

    Parameters
    ----------
    ratio : anterior by posterior height; the loss 1 - ratio is graded: 20-25 %, 25-40 %, above

    References
    ----------
    Genant et al., Vertebral fracture assessment using a semiquantitative technique, 1993,
    doi 10.1002/jbmr.5650080915
    """
    if math.isnan(ratio):
        return None
    return (ratio <= 0.8) + (ratio <= 0.75) + (ratio < 0.6)


def _modifier(degrees: float, low: float, high: float) -> str:
    if math.isnan(degrees):
        return ""
    return "0" if degrees < low else "+" if degrees <= high else "++"
