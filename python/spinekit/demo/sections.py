"""What the page tells about one case."""

import json
import re
from collections.abc import Sequence

from spinekit.demo.figures import figures, histograms
from spinekit.demo.markup import DASH, code, messages, number, size, table, text
from spinekit.demo.runs import CaseResult, Outcome
from spinekit.demo.volume_section import volume_section


def section(result: CaseResult, *, first: bool) -> str:
    """Return the section of a case; the first one also explains."""
    case = result.case
    facts = "".join(f"<li><b>{text(k)}</b>{text(v)}</li>" for k, v in result.facts)
    parts = [
        f"<section><h2 id='{case.key}'>{text(case.title)}</h2><p>{text(case.text)}</p>",
        f"<ul class='facts'>{facts}</ul>" if facts else "",
        code(
            [
                "import spinekit as sk",
                *case.setup,
                *(
                    f'{o.mode.key} = sk.compress("{case.typed}", "{_archive(result, o)}", {o.mode.code})'
                    for o in result.outcomes
                ),
            ]
        ),
        code(
            [
                f"$ spinekit compress {case.typed} {_archive(result, o)} {o.mode.command}"
                for o in result.outcomes
            ]
        )
        if first
        else "",
        _numbers(result),
        _failures(result),
        figures(result),
        histograms(result),
        _proof(result, explained=first),
        _bundle(result),
        volume_section(result, explained=first),
        "</section>",
    ]
    return "\n".join(part for part in parts if part)


def _numbers(result: CaseResult) -> str:
    outcomes = result.outcomes
    summaries = [o.report.summary for o in outcomes]
    done = [bool(s.images) for s in summaries]
    unit = text(result.unit)

    def row(name: str, cells: Sequence[str]) -> list[str]:
        return [name, *(cell if made else DASH for cell, made in zip(cells, done, strict=True))]

    def span(outcome: Outcome) -> str:
        ratios = [r.ratio for r in outcome.report.images]
        return f"{min(ratios):.4f} to {max(ratios):.4f}" if ratios else DASH

    many = len(result.case.names) > 1

    def worst(value: float, form: str, unit: str = "") -> str:
        return f" <small>worst {number(value, form, unit)}</small>" if many else ""

    rows = [
        row("Size", [f"{size(s.source_bytes)} &rarr; {size(s.target_bytes)}" for s in summaries]),
        row("File ratio", [f"<b>{s.ratio:.4f}</b>" for s in summaries]),
        row("File ratio of a file, least and most", [span(o) for o in outcomes]),
        row("Pixel ratio", [number(s.pixel_ratio, ".3f") for s in summaries]),
        row("PSNR", [number(s.psnr, ".2f", " dB") + worst(s.worst_psnr, ".2f", " dB") for s in summaries]),
        row("SSIM", [number(s.ssim, ".5f") + worst(s.worst_ssim, ".5f") for s in summaries]),
        row("Largest difference", [f"{s.max_difference} {unit}" for s in summaries]),
        row("Mean difference", [number(s.mean_difference, ".3f", f" {unit}") for s in summaries]),
        row("Identical samples", [number(100 * s.identical, ".1f", " %") for s in summaries]),
        row("Files made", [f"{s.images} of {s.images + s.failed}" for s in summaries]),
        row("Encodes", [str(sum(r.encodes for r in o.report.images)) for o in outcomes]),
        row("Time", [f"{s.seconds:.2f} s" for s in summaries]),
        row("Speed", [f"{size(s.source_bytes / max(s.seconds, 1e-6))} per s" for s in summaries]),
    ]
    if not many:
        rows = [line for line in rows if not line[0].startswith(("File ratio of", "Files made"))]
    return table(["", *(o.mode.title for o in outcomes)], rows)


def _failures(result: CaseResult) -> str:
    parts = []
    every = result.outcomes[0].errors
    alike = bool(every) and all(outcome.errors == every for outcome in result.outcomes)
    if alike:
        parts.append(messages("note bad", "Failed in every mode; the other files went on", every))
    for outcome in result.outcomes:
        title = outcome.mode.title
        if outcome.limits:
            parts.append(
                messages("note", f"{title} cannot be reached, and nothing was written", outcome.limits)
            )
        if outcome.errors and not alike:
            parts.append(messages("note bad", f"{title}: failed; the other files went on", outcome.errors))
    others = [
        p
        for p in result.problems
        if not any(e.split("': ", 1)[-1] in p for o in result.outcomes for e in o.errors)
    ]
    if others and not result.case.own:
        parts.append(messages("note bad", "Not as it should be", others))
    elif others:
        parts.append(
            messages("note bad", "Not as it should be", [f"{len(others)} problems; the command named them"])
        )
    return "\n".join(parts)


def _archive(result: CaseResult, outcome: Outcome) -> str:
    """Return what the folder of an outcome is called in the commands."""
    series = result.case.typed.rstrip("/")
    return f"{series}-{outcome.mode.key}/" if result.case.setup else f"{outcome.mode.key}/"


def _best(result: CaseResult) -> Outcome:
    """Return the outcome that the bundle was made of: ratio 10 where it can be reached."""
    return next((o for o in result.outcomes if o.mode.key == "ratio" and o.report.images), result.outcomes[0])


def _proof(result: CaseResult, *, explained: bool) -> str:
    audits = [(o, o.audit) for o in result.outcomes if o.audit is not None]
    if not audits:
        return ""
    rows = []
    for outcome, audit in audits:
        listed = len(audit) - audit.count("unlisted")
        rows.append(
            [
                outcome.mode.title,
                f"{sum(r.verified for r in outcome.report.images)} of {len(outcome.report.images)}",
                f"{audit.count('ok')} of {listed}",
                f"{audit.seconds:.2f} s",
            ]
        )
    more = "".join(f"<p>{text(line)}</p>" for line in (result.tampering, result.reader) if line)
    archive = _archive(result, _best(result))
    told = ""
    if explained:
        told = (
            "<p>Before a file gets its name it is read back from the disk, decoded and compared with its "
            "source, sample by sample. Later, without the sources, verify() checks the SHA-256 of every "
            "file and of its decoded pixels against the report that lies in the archive.</p>"
        )
    return (
        f"<h3>The proof</h3>{told}"
        + code([f'sk.verify("{archive}")', "", f"$ spinekit verify {archive}"])
        + table(["", "Proved while writing", "verify() finds as written", "Time of verify()"], rows)
        + more
    )


def _bundle(result: CaseResult) -> str:
    if result.strip is None:
        return f"<h3>The bundle</h3><p>{text(result.strip_note)}</p>" if result.strip_note else ""
    made = result.strip.bundle
    archive = _archive(result, _best(result))
    manifest = dict(made.manifest)
    order = [entry["index"] for entry in manifest["entries"]]
    if result.case.own:
        manifest["series_instance_uid"] = "(not shown on this page)"
    manifest["entries"] = [*manifest["entries"][:3]]
    excerpt = _compact(json.dumps(manifest, indent=1))
    shown = ", ".join(map(str, order[:15])) + (" …" if len(order) > 15 else "")
    stages = "".join(
        f"<div class='stage'><span class='label'>{s.slices} of {len(order)} slices, after {size(s.size)} of "
        f"{size(made.size)} ({100 * s.size / made.size:.0f} %)</span><div class='scroll'>"
        f"<img src='pictures/{s.picture}' alt='the first {s.slices} of the bundle'></div></div>"
        for s in result.strip.stages
    )
    figure = ""
    if stages:
        figure = (
            f"<figure>{stages}<figcaption>What a viewer can show while the ZIP arrives: the middle first, "
            "then outwards. Pale frames have not arrived yet.</figcaption></figure>"
        )
    return (
        "<h3>The bundle: one ZIP, the middle slice first</h3>"
        + code([f'sk.bundle("{archive}", "series.zip")', "", f"$ spinekit bundle {archive} series.zip"])
        + f"<p>{len(order)} slices, {size(made.size)}, made in {made.seconds:.2f} s. "
        + f"Order of the slices: {shown}</p>"
        + figure
        + "<p>Its first entry, spinekit.json (of the entries only the first three):</p>"
        + f"<pre>{text(excerpt)}</pre>"
    )


def _compact(excerpt: str) -> str:
    """Put lists of numbers and short objects of a JSON text on one line each."""
    return re.sub(
        r"[\[{][^\[\]{}]*[\]}]",
        lambda found: re.sub(r"\s*\n\s*", " ", found.group()) if len(found.group()) < 160 else found.group(),
        excerpt,
    )
