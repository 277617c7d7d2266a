"""What the page tells about films: a phantom with its truth, and what is measured on it."""

import math

import spinekit as sk
from spinekit.demo.films import COMPARED, COUNT, DICE, FIRST, ROWS, SEED, SMALL, Compared, Films, Shown
from spinekit.demo.markup import DASH, code, messages, table, text
from spinekit.demo.network_sections import network_sections
from spinekit.demo.networks import Networks

_NAMES = {
    "pi": "Pelvic incidence, PI",
    "pt": "Pelvic tilt, PT",
    "ss": "Sacral slope, SS",
    "ll": "Lumbar lordosis, LL",
    "pi_minus_ll": "PI &minus; LL",
    "l1pa": "L1 pelvic angle",
    "l4_s1": "Lordosis L4 to S1",
}


def film_sections(films: Films, networks: Networks | None = None) -> str:
    """Return both sections, and between them those of networks, where they were shown the film."""
    between = [] if networks is None else [network_sections(networks)]
    return "\n".join([*_phantom(films), *between, *_measured(films)])


def _phantom(films: Films) -> list[str]:
    film = films.film
    row, column = film.spacing
    facts = [
        ("Size", f"{film.shape[0]} x {film.shape[1]}, 12 bits"),
        ("Spacing", f"{row:.3f} x {column:.3f} mm in the midsagittal plane"),
        ("Two films", f"{films.times[0][1]:.2f} s"),
    ]
    shown = [
        (films.plain, "The film", "a lateral film of the phantom"),
        (films.operated, "The same patient, with implants", "the film with implants"),
        (films.outlined, "Its masks and key points", "masks and key points on the film"),
    ]
    return [
        "<section><h2 id='phantom'>A film with known truth</h2>",
        "<p>No annotated lateral film is free to use, so spinekit makes its own: a model of lumbar spine, "
        "pelvis and hips, sized and angled as published for people, and rays through it. Its masks, key "
        "points and angles follow from its geometry, not from measuring. A phantom is not a patient: what "
        "holds here is a start, not a proof for the clinic.</p>",
        "<ul class='facts'>" + "".join(f"<li><b>{k}</b>{v}</li>" for k, v in facts) + "</ul>",
        code(
            [
                f"spine = sk.phantom.Spine.random(seed={SEED})",
                f"film = spine.radiograph(rows={ROWS}, implants=True)",
                "film.without_implants, film.implant_mask",
                "masks, points = spine.masks(film), spine.landmarks(film)",
                "spine.parameters_on(film)  # the truth; spine.parameters are the patient's own",
            ]
        ),
        code(["$ spinekit phantom --count 1000 --out phantoms/   # films, masks, labelme, DICOM, CSV"]),
        _three(shown),
        table(
            ["Truth, degrees", "On this film", "Of the patient"],
            [[title, _number(films.truth[key]), _number(films.own[key])] for key, title in _NAMES.items()],
        ),
        "<p>The two differ because the beam spreads, and because the patient stands a little turned.</p>"
        "</section>",
    ]


def _measured(films: Films) -> list[str]:
    exact, degraded = films.exact, films.degraded
    return [
        "<section><h2 id='measured'>Measured</h2>",
        "<p>From eight masks to angles: each endplate is fitted to parts of a pixel, each femoral head is a "
        "circle. PI = PT + SS holds exactly. Every number has a 95 % interval, and what cannot be told is "
        "left out with its reason.</p>",
        code(
            [
                "par = sk.measure(masks, spacing=film.spacing)",
                'par.pi, par.intervals["pi"], par.warnings',
                'par.plot(film, masks).savefig("angles.svg")  # or .png',
                "",
                "$ spinekit measure masks/ --film films/ --plot pictures/ --out angles.csv",
            ]
        ),
        _drawing(exact, "The exact masks, measured", "measured on the film"),
        _note(films),
        "<h3>As a network would find them</h3>",
        "<p>The same masks with wandering borders, leaks, holes, islands and lost corners, each at a Dice of "
        f"{DICE} to its truth, as segmentation networks reach. The film is the one with implants.</p>",
        code(
            [
                f"found = sk.phantom.degrade(masks, dice={DICE}, seed={SEED})",
                "par = sk.measure(found, spacing=film.spacing)",
            ]
        ),
        _drawing(degraded, "The degraded masks, measured", "measured from degraded masks"),
        _beside(films),
        _agreement(films),
        "<h3>Times of these films</h3>",
        table([], [[text(what), f"{seconds:.2f} s"] for what, seconds in films.times]),
        "</section>",
    ]


def _three(shown: list[tuple[str, str, str]]) -> str:
    cells = "".join(
        f"<div><span class='label'>{label}</span><a href='pictures/{name}'>"
        f"<img src='pictures/{name}' alt='{alt}'></a></div>"
        for name, label, alt in shown
        if name
    )
    return (
        f"<figure><div class='trio all'>{cells}</div><figcaption>Bones overlap as they do in life: pelvis "
        "over sacrum, one femoral head over the other, ribs over the upper bodies.</figcaption></figure>"
    )


def _drawing(shown: Shown, label: str, alt: str) -> str:
    if not shown.picture:
        return ""
    return (
        f"<figure class='drawing'><span class='label'>{label}</span><a href='pictures/{shown.picture}'>"
        f"<img src='pictures/{shown.picture}' alt='{alt}'></a></figure>"
    )


def _note(films: Films) -> str:
    lines = messages("note bad", "Not as it should be", films.problems) if films.problems else ""
    return lines + (f"<p class='note'>No drawings: {text(films.note)}</p>" if films.note else "")


def _number(value: float, digits: int = 1) -> str:
    if math.isnan(value):
        return DASH
    # A small negative value must not read as minus zero.
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "&minus;")


def _beside(films: Films) -> str:
    """Return truth, measured, interval; of both kinds of masks."""

    def cells(par: sk.Measurement, name: str) -> list[str]:
        value = par.values[name]
        if math.isnan(value):
            return [f"<span class='none'>left out</span><small>{text(par.reasons[name])}</small>", DASH]
        low, high = par.intervals.get(name, (math.nan, math.nan))
        return [_number(value), DASH if math.isnan(low) else f"{_number(low)} to {_number(high)}"]

    pars = films.exact.measurement, films.degraded.measurement
    rows = [
        [title, _number(films.truth[name]), *(cell for par in pars for cell in cells(par, name))]
        for name, title in _NAMES.items()
    ]
    head = ["Degrees", "Truth", "Exact masks", "95 % interval", f"Dice {DICE}", "95 % interval"]
    return table(head, rows)


def _agreement(films: Films) -> str:
    parts = [
        f"<h3>{COUNT} phantoms, how close?</h3>",
        f"<p>Masks of {SMALL} rows at a Dice of {DICE}, measured against their truth. Beside it the "
        "algorithms of the report that this work started from, as written. Their second one takes the lowest "
        "point of the sacrum's mask for an end of its endplate; these masks reach down to the coccyx.</p>",
        code(
            [
                "found, truth = {}, {}",
                f"for seed in range({FIRST}, {FIRST + COUNT}):",
                "    spine = sk.phantom.Spine.random(seed=seed)",
                f"    view = spine.view({SMALL})",
                f"    masks = sk.phantom.degrade(spine.masks(view), dice={DICE}, seed=seed)",
                '    found[seed] = sk.measure(masks, view.spacing)  # the other way: method="report"',
                "    truth[seed] = spine.parameters_on(view).to_dict()",
                'agreement = sk.agreement(found, truth, parameters=["pi", "pt", "ss", "ll"])',
                'agreement["pi"].mae, agreement["pi"].icc_2_1, agreement.plot(["pi"])',
            ]
        ),
        code(
            [
                f"$ spinekit phantom --count {COUNT} --seed {FIRST} --rows {SMALL} --out phantoms/",
                "$ spinekit measure phantoms/masks/ --film phantoms/dicom/ --out ours.csv  # of exact masks",
                "$ spinekit agreement ours.csv phantoms/phantoms.csv --parameters pi pt ss ll",
            ]
        ),
        _agreement_table(films.compared),
    ]
    best = films.compared[0]
    if best.known:
        share = 100 * best.covered / best.known
        parts.append(
            f"<p>{best.covered} of {best.known} intervals hold the truth ({share:.0f} %); of many, 95 % "
            "should.</p>"
        )
    if best.picture:
        parts.append(
            f"<figure class='drawing'><a href='pictures/{best.picture}'><img src='pictures/{best.picture}' "
            "alt='Bland-Altman plot of PI'></a><figcaption>PI from spinekit: differences against the mean of "
            "both (Bland and Altman), and measured against truth.</figcaption></figure>"
        )
    return "".join(parts)


def _agreement_table(compared: list[Compared]) -> str:
    """Return a row for each parameter, the methods side by side; limits only of the first."""
    head, rows = [""], {name: [name.upper()] for name in COMPARED}
    for one in compared:
        first = one is compared[0]
        head += [f"<small>{text(one.title)}</small>MAE &plusmn; SD"]
        head += ["Bias", "Limits of agreement"] if first else []
        head += ["ICC(2,1)", "Completed"]
        for name, row in rows.items():
            row.extend(_agreement_cells(one, name, limits=first))
    return table(head, list(rows.values()))


def _agreement_cells(one: Compared, name: str, *, limits: bool) -> list[str]:
    if one.agreement is None:
        return [*[DASH] * (4 if limits else 2), "0 %"]
    record = one.agreement[name]
    low, high = record.lower_limit.value, record.upper_limit.value
    return [
        DASH if math.isnan(record.mae) else f"{record.mae:.2f} &plusmn; {record.mae_sd:.2f}",
        *([_number(record.bias.value, 2), f"{_number(low)} to {_number(high)}"] if limits else []),
        _number(record.icc_2_1.value, 3),
        f"{100 * record.completion['measured']:.0f} %",
    ]
