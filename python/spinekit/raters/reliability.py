"""Statistics of two or more raters: intraclass correlation, Bland-Altman, Pearson; 95 % intervals."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

#: Of the normal distribution: 95 % of the differences lie within so many standard deviations.
_NORMAL = 1.959963984540054


class Estimate(NamedTuple):
    """A value and its 95 % interval; NaN where it is not defined."""

    value: float
    low: float
    high: float


UNDEFINED = Estimate(math.nan, math.nan, math.nan)


def pearson(first: Values, second: Values) -> Estimate:
    """Return the correlation, its interval by Fisher's z; undefined if a rater's values are all equal.

    Parameters
    ----------
    first, second : shape (n,)
    """
    from scipy.special import ndtri  # noqa: PLC0415 - slow to import

    n = len(first)
    if n < 2 or _constant(first) or _constant(second):
        return UNDEFINED
    a, b = first - first.mean(), second - second.mean()
    r = float(np.clip(a @ b / math.sqrt((a @ a) * (b @ b)), -1, 1))
    if n < 4:
        return Estimate(r, math.nan, math.nan)
    if abs(r) > 1 - 1e-15:
        return Estimate(r, r, r)
    reach = float(ndtri(0.975)) / math.sqrt(n - 3)
    return Estimate(r, math.tanh(math.atanh(r) - reach), math.tanh(math.atanh(r) + reach))


@dataclass(frozen=True)
class Differences:
    """What `differences` returns: of first minus second."""

    bias: Estimate
    sd: float
    mae: float
    mae_sd: float
    rmse: float
    lower_limit: Estimate
    upper_limit: Estimate


def differences(first: Values, second: Values) -> Differences:
    """Return errors and Bland-Altman's bias and limits of agreement.

    Parameters
    ----------
    first, second : shape (n,), n >= 2

    Notes
    -----
    Limits are bias +- 1.96 SD; their variance is SD^2 (1 / n + 1.96^2 / (2 (n - 1))), as in Bland and
    Altman 1999, section 2.2; their paper of 1986 rounds 1.96 to 2 and that variance to 3 SD^2 / n.
    """
    from scipy.special import stdtrit  # noqa: PLC0415 - slow to import

    n = len(first)
    d = first - second
    bias, sd = float(d.mean()), float(d.std(ddof=1))
    t = float(stdtrit(n - 1, 0.975))
    of_bias = t * sd / math.sqrt(n)
    of_limit = t * sd * math.sqrt(1 / n + _NORMAL**2 / (2 * (n - 1)))
    lower, upper = bias - _NORMAL * sd, bias + _NORMAL * sd
    return Differences(
        bias=Estimate(bias, bias - of_bias, bias + of_bias),
        sd=sd,
        mae=float(np.abs(d).mean()),
        mae_sd=float(np.abs(d).std(ddof=1)),
        rmse=math.sqrt(float(d @ d) / n),
        lower_limit=Estimate(lower, lower - of_limit, lower + of_limit),
        upper_limit=Estimate(upper, upper - of_limit, upper + of_limit),
    )


@dataclass(frozen=True)
class Intraclass:
    """What `intraclass` returns: the six coefficients of Shrout and Fleiss."""

    icc_1_1: Estimate
    icc_2_1: Estimate
    icc_3_1: Estimate
    icc_1_k: Estimate
    icc_2_k: Estimate
    icc_3_k: Estimate


def intraclass(ratings: Values) -> Intraclass:
    """Return ICC(1,1) to ICC(3,k) with their intervals; all undefined if no value differs.

    Parameters
    ----------
    ratings : shape (n, k), n >= 2 films by k >= 2 raters, no NaN

    Notes
    -----
    1: each film has its own raters. 2: raters are a sample of those that could be, absolute agreement.
    3: these raters and no others, consistency. k: of the mean of all raters.

    References
    ----------
    Shrout and Fleiss, Intraclass correlations, 1979, doi:10.1037/0033-2909.86.2.420.
    McGraw and Wong, Forming inferences about some intraclass correlation coefficients, 1996,
    doi:10.1037/1082-989X.1.1.30: Table 7, for the intervals of ICC(2,.).
    """
    n, k = ratings.shape
    if _constant(ratings):
        return Intraclass(*[UNDEFINED] * 6)
    of_all = ratings - ratings.mean()
    rows, columns = of_all.mean(axis=1), of_all.mean(axis=0)
    residual = of_all - rows[:, None] - columns[None, :]
    between = k * float(rows @ rows) / (n - 1)
    raters = n * float(columns @ columns) / (k - 1)
    error = float((residual**2).sum()) / ((n - 1) * (k - 1))
    within = float(((of_all - rows[:, None]) ** 2).sum()) / (n * (k - 1))
    # What rounding leaves of a sum of squares that is zero is none.
    tiny = 1e-28 * float((ratings**2).max())
    between, raters, error, within = (0.0 if m <= tiny else m for m in (between, raters, error, within))

    one, one_k = _one_way(between, within, n - 1, n * (k - 1), k)
    three, three_k = _one_way(between, error, n - 1, (n - 1) * (k - 1), k)
    two, two_k = _two_way_random(between, raters, error, n, k)
    return Intraclass(one, two, three, one_k, two_k, three_k)


def _constant(values: Values) -> bool:
    return bool((values == values.flat[0]).all())


def _ratio(numerator: float, denominator: float) -> float:
    if denominator == 0:
        return math.nan if numerator == 0 else math.copysign(math.inf, numerator)
    return numerator / denominator


def _quantile(df1: float, df2: float) -> float:
    """Return the 97.5 % point of F."""
    from scipy.special import fdtri  # noqa: PLC0415 - slow to import

    return float(fdtri(df1, df2, 0.975))


def _one_way(between: float, error: float, df1: int, df2: int, k: int) -> tuple[Estimate, Estimate]:
    """Return the coefficient of one rater and of the mean of k, of cases 1 and 3."""
    if between == 0 and error == 0:  # as case 3 of raters that differ by constants, films all equal
        return UNDEFINED, UNDEFINED
    low, high = between / _quantile(df1, df2), between * _quantile(df2, df1)

    def single(mean_square: float) -> float:
        return _ratio(mean_square - error, mean_square + (k - 1) * error)

    def mean(mean_square: float) -> float:
        return _ratio(mean_square - error, mean_square)

    return (
        Estimate(single(between), single(low), single(high)),
        Estimate(mean(between), mean(low), mean(high)),
    )


def _two_way_random(between: float, raters: float, error: float, n: int, k: int) -> tuple[Estimate, Estimate]:
    """Return ICC(2,1) and ICC(2,k)."""
    value = _ratio(between - error, between + (k - 1) * error + k * (raters - error) / n)
    mean = _ratio(between - error, between + (raters - error) / n)
    if error == 0 and raters == 0:
        return Estimate(value, value, value), Estimate(mean, mean, mean)
    # Satterthwaite's degrees of freedom, with both sides of the fraction times error^2: error may be 0.
    a = k * value * raters
    b = (n * (1 + (k - 1) * value) - k * value) * error
    scale = (n - 1) * a**2 + b**2
    if not (scale > 0 and math.isfinite(scale)):
        return Estimate(value, math.nan, math.nan), Estimate(mean, math.nan, math.nan)
    freedom = (k - 1) * (n - 1) * (a + b) ** 2 / scale
    if not freedom > 0:
        return Estimate(value, math.nan, math.nan), Estimate(mean, math.nan, math.nan)
    f_low, f_high = _quantile(n - 1, freedom), _quantile(freedom, n - 1)
    others = k * raters + (k * n - k - n) * error
    low = _ratio(n * (between - f_low * error), f_low * others + n * between)
    high = _ratio(n * (f_high * between - error), others + n * f_high * between)

    def stepped_up(single: float) -> float:
        below = 1 + (k - 1) * single
        return k * single / below if below > 0 else -math.inf

    return Estimate(value, low, high), Estimate(mean, stepped_up(low), stepped_up(high))
