"""Who the phantoms are: sizes and angles as published, correlated as in people.

References
----------
Vialle et al., J Bone Joint Surg Am 2005;87:260-267 (300 asymptomatic adults): PI 54.7 (SD 10.6), PT 13.2
(6.1), SS 41.2 (8.4) degrees.
Hasegawa et al., Eur Spine J 2016;25:3675-3683, doi 10.1007/s00586-016-4702-2: LL = 32.9 + 0.60 PI - 0.23 age.
Panjabi et al., Spine 1992;17:299-306: depths and widths of the lumbar endplates, posterior heights.
Disc wedges and heights rise from L1/L2 to L4/L5, the height falls again at L5/S1; about 12 degrees and 11 mm
in the middle at L4/L5, 16 degrees and 11 to 12 mm at L5/S1 in healthy adults.

Deviations: Panjabi's specimens are small; bodies are scaled to 112 % for men and 103 % for women (SD 5 %).
How the lordosis is shared out over bodies and discs follows the order that all sources agree on, the numbers
are ours.
"""

from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

from spinekit._core import ArgumentError

Values = NDArray[np.float64]

#: Of the superior and of the inferior endplate, L1 to L5, mm: Panjabi 1992.
DEPTHS = np.array([[34.1, 34.6, 35.2, 35.5, 34.7], [35.3, 34.9, 34.8, 33.9, 33.2]])
WIDTHS = np.array([[41.2, 42.6, 44.1, 46.6, 47.3], [43.3, 45.5, 48.0, 49.5, 49.4]])
POSTERIOR_HEIGHTS = np.array([23.8, 24.3, 23.8, 24.1, 22.9])
#: Lordotic wedge of the bodies L1 to L5 and of the discs below them, degrees; height of the discs, mm.
BODY_WEDGES = np.array([-2.0, -0.5, 1.5, 3.0, 8.5])
DISC_WEDGES = np.array([5.0, 7.0, 9.0, 12.0, 15.5])
DISC_HEIGHTS = np.array([8.0, 9.3, 10.4, 11.3, 11.2])


@dataclass(eq=False)
class Person:
    """What one phantom is built from; arrays run from L1 to L5, discs from L1/L2 to L5/S1.

    Angles are degrees, lengths mm. `pi` is the sum of `pt` and `ss`.
    """

    sex: str = "F"
    age: float = 50.0
    pt: float = 13.2
    ss: float = 41.2
    ll: float = 56.0
    depths: Values = field(default_factory=lambda: 1.07 * DEPTHS)
    widths: Values = field(default_factory=lambda: 1.07 * WIDTHS)
    posterior_heights: Values = field(default_factory=lambda: 1.07 * POSTERIOR_HEIGHTS)
    body_wedges: Values = field(default_factory=BODY_WEDGES.copy)
    disc_heights: Values = field(default_factory=DISC_HEIGHTS.copy)
    #: The lordosis that the bodies do not have is theirs, in these shares.
    disc_shares: Values = field(default_factory=lambda: DISC_WEDGES / DISC_WEDGES.sum())
    slips: Values = field(default_factory=lambda: np.zeros(5))
    sacral_depth: float = 35.0
    sacral_width: float = 52.0
    hip_distance: float = 108.0
    hips_apart: float = 172.0
    head_radius: float = 23.5
    #: Beaks at the (superior, inferior) x (anterior, posterior) rims of each body, mm.
    osteophytes: Values = field(default_factory=lambda: np.zeros((5, 2, 2)))
    #: How deep the endplates' rims sink at their sides, mm, (superior, inferior).
    saddles: Values = field(default_factory=lambda: np.tile([0.3, 0.8], (5, 1)))
    waists: Values = field(default_factory=lambda: np.full(5, 0.08))
    #: Of the whole patient, about the vertical axis; the scoliosis' Cobb angle and the level of its apex.
    rotation: float = 0.0
    obliquity: float = 0.0
    cobb: float = 0.0
    apex: float = 2.5

    @property
    def pi(self) -> float:
        """Pelvic incidence, degrees."""
        return self.pt + self.ss

    def same_as(self, other: "Person") -> bool:
        """Return whether another person has the same measures in everything."""
        return all(np.array_equal(getattr(self, one.name), getattr(other, one.name)) for one in fields(self))

    @property
    def disc_wedges(self) -> Values:
        """Lordotic wedges of the discs, degrees: with the bodies' they make up `ll`."""
        wedges: Values = (self.ll - self.body_wedges.sum()) * self.disc_shares
        return wedges

    def __post_init__(self) -> None:
        for one in fields(self):
            if one.name != "sex" and not np.all(np.isfinite(getattr(self, one.name))):
                raise ArgumentError(
                    f"a person's {one.name}: {getattr(self, one.name)}, expected finite numbers"
                )
        lengths = (self.depths, self.widths, self.posterior_heights, self.disc_heights)
        if any(not np.all(np.asarray(values) > 0) for values in lengths):
            raise ArgumentError("a person's depths, widths and heights must be positive, in mm")
        if min(self.head_radius, self.hip_distance, self.sacral_depth, self.sacral_width) <= 0:
            raise ArgumentError("a person's pelvis must have positive lengths, in mm")


def draw(
    rng: np.random.Generator, *, osteophytes: bool = True, rotation: bool = True, pathology: bool = True
) -> Person:
    """Draw a person from the population.

    Parameters
    ----------
    rng : the source of chance
    osteophytes : whether beaks may grow
    rotation : whether the patient may stand rotated or oblique, and the spine be scoliotic
    pathology : whether discs may be narrow, vertebrae slipped, pelves retroverted
    """
    sex = "F" if rng.random() < 0.5 else "M"
    age = float(rng.uniform(20, 85))
    size = rng.normal(1.12 if sex == "M" else 1.03, 0.05)
    pi = float(np.clip(rng.normal(54.7, 10.6), 32, 82))
    pt = 13.2 + 0.37 * (pi - 54.7) + rng.normal(0, 4.7)
    ll = 32.9 + 0.60 * pi - 0.23 * age + rng.normal(0, 8.0)
    worn = pathology and rng.random() < 0.15 + 0.5 * (age > 60)
    if worn and rng.random() < 0.5:
        pt += rng.uniform(0, 15)
        ll -= rng.uniform(0, 25)
    pt = float(np.clip(pt, -5, min(45, pi - 12)))
    ll = float(np.clip(ll, 10, 88))
    excess = ll - BODY_WEDGES.sum() - DISC_WEDGES.sum()
    body_wedges = BODY_WEDGES + rng.normal(0, 1.2, 5) + 0.15 * excess / 5
    ll = max(ll, float(body_wedges.sum()) + 3)
    shares = np.maximum(DISC_WEDGES + rng.normal(0, 1.5, 5), 1.0)
    disc_heights = size / 1.07 * DISC_HEIGHTS * rng.normal(1, 0.12, 5).clip(0.7, 1.35)
    if worn:
        narrow = rng.random(5) < np.array([0.1, 0.15, 0.2, 0.4, 0.45])
        disc_heights = np.where(narrow, disc_heights * rng.uniform(0.45, 0.8, 5), disc_heights)
    slips = np.zeros(5)
    if pathology:
        slips = rng.normal(0, 0.6, 5)
        if rng.random() < 0.08:
            slips[rng.choice([3, 4])] = rng.uniform(4, 11)
    person = Person(
        sex=sex,
        age=age,
        pt=pt,
        ss=pi - pt,
        ll=ll,
        depths=size * DEPTHS * rng.normal(1, 0.025, (2, 5)),
        widths=size * WIDTHS * rng.normal(1, 0.025, (2, 5)),
        posterior_heights=size * POSTERIOR_HEIGHTS * rng.normal(1.04, 0.03, 5),
        body_wedges=body_wedges,
        disc_heights=disc_heights,
        disc_shares=shares / shares.sum(),
        slips=slips,
        sacral_depth=float(size * rng.normal(32.5, 1.8)),
        sacral_width=float(size * rng.normal(48, 2.5)),
        hip_distance=float(size * rng.normal(101, 6)),
        hips_apart=float(rng.normal(172, 8)),
        head_radius=float(np.clip(rng.normal(24.8 if sex == "M" else 22.2, 1.2), 19, 29)),
        saddles=np.stack([rng.uniform(0, 0.6, 5), rng.uniform(0.2, 1.4, 5)], 1),
        waists=rng.uniform(0.05, 0.12, 5),
    )
    _keep_discs_open(person)
    if osteophytes and rng.random() < np.clip((age - 35) / 40, 0.1, 0.95):
        beaks = rng.gamma(1.5, 1.2, (5, 2, 2)) * (rng.random((5, 2, 2)) < 0.35)
        beaks[..., 1] *= 0.4
        person.osteophytes = np.minimum(beaks, 6.0)
    if rotation:
        person.rotation = float(rng.normal(0, 2.5))
        person.obliquity = float(rng.normal(0, 1.5))
        person.cobb = float(abs(rng.normal(0, 4))) if rng.random() < 0.85 else float(rng.uniform(8, 15))
        person.apex = float(rng.uniform(1.5, 3.5))
    return person


def _keep_discs_open(person: Person) -> None:
    """Have no disc close at its narrow end: wedges move to discs that have room."""
    least = 1.5
    room = np.degrees(2 * np.arctan((person.disc_heights - least) / person.depths[1]))
    wedges = person.disc_wedges
    for _ in range(20):
        surplus = np.maximum(wedges - room, 0).sum()
        wedges = np.minimum(wedges, room)
        free = np.maximum(room - wedges, 0)
        if surplus < 1e-9 or free.sum() < 1e-9:
            break
        wedges += min(surplus, free.sum()) * free / free.sum()
    person.ll = float(wedges.sum() + person.body_wedges.sum())
    person.disc_shares = wedges / wedges.sum()
