"""Pictures, legends and histograms of a case, as HTML and SVG."""

from collections.abc import Sequence

from spinekit.demo import pictures
from spinekit.demo.markup import text
from spinekit.demo.runs import CaseResult, View

_LOOK = {
    "lossless": "The picture of differences is white: every sample came back.",
    "ratio": (
        "Look at edges first: of bone, of gas, of vessels. In the picture of differences an outline that you "
        "recognise is anatomy that was touched; grain without form is noise."
    ),
    "quality": "Here the closeness is fixed and the size follows. Mind the scale of the colours.",
}


def _picture(name: str, label: str, alt: str, below: str = "") -> str:
    return (
        f"<div><span class='label'>{label}</span><a href='pictures/{name}'>"
        f"<img src='pictures/{name}' alt='{text(alt)}'></a>{below}</div>"
    )


def _legend(view: View, unit: str) -> str:
    if not view.limit:
        return "<div class='legend'>no difference anywhere</div>"
    ends = f"<span><em>&minus;{view.limit}</em><em>0</em><em>+{view.limit} {text(unit)}</em></span>"
    return (
        f"<div class='legend'><i style='background:{pictures.legend_css()}'></i>{ends}"
        f"amplified {view.amplification:.3g} times</div>"
    )


def figures(result: CaseResult) -> str:
    """Return before, after and difference of every mode."""
    if not result.before:
        return f"<p class='note'>{text(result.picture_note)}</p>" if result.picture_note else ""
    title = result.case.title
    kind = " class='small'" if not result.detail else ""
    parts = [f"<h3>The pictures <small>({text(result.window)})</small></h3>"]
    for outcome in result.outcomes:
        view, mode = outcome.view, outcome.mode
        if not view.after:
            continue
        first = " all" if outcome is result.outcomes[0] else ""
        caption = f"<b>{mode.title}.</b> {_LOOK[mode.key]}"
        if outcome.report.images and mode.key == "ratio" and all(r.lossless for r in outcome.report.images):
            caption = f"<b>{mode.title}.</b> Met without any loss: the image stays ORIGINAL."
        rows = [
            f"<div class='trio{first}'>"
            + _picture(result.before, "Before", f"{title}, before")
            + _picture(view.after, f"After: {mode.title.lower()}", f"{title}, {mode.title.lower()}")
            + _picture(view.difference, "Difference", f"{title}, difference", _legend(view, result.unit))
            + "</div>"
        ]
        if view.detail:
            rows.append(
                "<div class='trio all pixels' style='margin-top:12px'>"
                + _picture(result.detail, "Before, the middle third", f"{title}, detail, before")
                + _picture(
                    view.detail, f"After: {mode.title.lower()}", f"{title}, detail, {mode.title.lower()}"
                )
                + _picture(
                    view.detail_difference,
                    "Difference",
                    f"{title}, detail, difference",
                    _legend(view, result.unit),
                )
                + "</div>"
            )
        parts.append(f"<figure{kind}>{''.join(rows)}<figcaption>{caption}</figcaption></figure>")
    return "\n".join(parts)


def histograms(result: CaseResult) -> str:
    """Return how often which difference occurs, for every mode."""
    made = [(o, o.report.summary.histogram) for o in result.outcomes if o.report.images]
    if not any(histogram for _, histogram in made):
        return ""
    drawn = "".join(
        f"<div><span class='label'>{o.mode.title}</span>{_bars(histogram)}</div>" for o, histogram in made
    )
    return (
        f"<h3>How often, how far</h3><figure><div class='bars'>{drawn}</div>"
        f"<figcaption>Difference of each sample in {text(result.unit)}, after minus before, over all samples "
        "of all files. A narrow hill around 0 without long tails is what loss should look like. It leans "
        "where the scanner cut values off (air at the lowest value). Where the axis ends at 32, pale bars "
        "hold everything beyond."
        "</figcaption></figure>"
    )


def _bars(histogram: Sequence[int]) -> str:
    """Draw a histogram as SVG; only the part around 0 that is not empty."""
    middle = len(histogram) // 2
    total = sum(histogram) or 1
    used = max((abs(k - middle) for k, count in enumerate(histogram) if count), default=0)
    reach = next(r for r in (4, 8, 16, middle) if used <= r)
    shares = [histogram[k] / total for k in range(middle - reach, middle + reach + 1)]
    most = max(shares)
    width, height, left, base = 320, 150, 6, 128
    step = (width - 2 * left) / len(shares)
    parts = []
    for k, share in enumerate(shares):
        tall = share / most * (base - 22)
        beyond = reach == middle and k in (0, len(shares) - 1)
        if share:
            parts.append(
                f"<rect x='{left + (k + 0.06) * step:.2f}' y='{base - max(tall, 0.6):.2f}' "
                f"width='{0.88 * step:.2f}' "
                f"height='{max(tall, 0.6):.2f}' fill='{'#a9bfca' if beyond else '#1f5f7a'}'>"
                f"<title>{k - reach:+d}: {100 * share:.3g} %</title></rect>"
            )
    for value in (-reach, -reach // 2, 0, reach // 2, reach):
        x = left + (value + reach + 0.5) * step
        label = f"{value:+d}".replace("-", "&minus;") if value else "0"
        anchor = "start" if value == -reach else "end" if value == reach else "middle"
        x += {"start": -step / 2, "end": step / 2, "middle": 0}[anchor]
        parts.append(f"<text x='{x:.1f}' y='145' text-anchor='{anchor}'>{label}</text>")
    x = left + (reach + 0.5) * step
    parts.append(f"<text x='{x:.1f}' y='14' text-anchor='middle'>{100 * shares[reach]:.1f} % at 0</text>")
    line = f"<line x1='{left}' x2='{width - left}' y1='{base}' y2='{base}' stroke='#b9c6cd'/>"
    return (
        f"<svg viewBox='0 0 {width} {height}' role='img' aria-label='histogram of differences'>"
        f"{line}{''.join(parts)}</svg>"
    )
