"""Write README's tables of figures from results/*.json: ``python benchmarks/readme.py [--check]``."""

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
END = "<!-- /figures -->"


def begin(name: str) -> str:
    return f"<!-- figures: made by benchmarks/readme.py from benchmarks/results/{name}.json -->"


def compression(found: dict[str, Any]) -> list[str]:
    lines = [
        f"`python benchmarks/compression.py`: {found['files']} slices of the series `{found['series']}`, "
        "file to file, in turn within one run,",
        f"medians of {found['rounds']} rounds; {found['machine']}; OpenJPEG {found['versions']['OpenJPEG']}, "
        f"pydicom {found['versions']['pydicom']}, GDCM {found['versions']['GDCM']}.",
        "",
        "| | ms a file | MB/s | file ratio |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {v['ms_a_file']:.1f} | {v['megabytes_a_second']:.1f} | {v['file_ratio']:.3f} |"
        for name, v in found["speed"].items()
    ]
    lines += ["", "| | |", "|---|---|"]
    lines += [f"| {name} | {value:.2f} |" for name, value in found["ratios"].items()]
    bypass = found["bypass"]
    for kind in ("lossless", "10:1"):
        on, off = bypass[f"{kind}, bypass on"], bypass[f"{kind}, bypass off"]
        faster, more = off["ms_a_frame"] / on["ms_a_frame"], on["bytes_a_frame"] / off["bytes_a_frame"] - 1
        lines.append(f"| coding bypass, {kind}: times as fast ({100 * more:+.2f} % bytes) | {faster:.2f} |")
    ssim = found["ssim"]
    lines += [
        f"| SSIM of {ssim['rows']} x {ssim['columns']}, ms (scikit-image: {ssim['scikit_image_ms']:.1f} ms, "
        f"difference {ssim['difference']:.0e}) | {ssim['spinekit_ms']:.2f} |",
        f"| `import spinekit`, seconds | {found['import_seconds']:.2f} |",
    ]
    peaks = ", ".join(f"{value:.0f} MB for {count}" for count, value in found["peak_megabytes"].items())
    return [*lines, "", f"Peak memory of a lossless batch, 2 workers, by number of files: {peaks}."]


def volumes(found: dict[str, Any]) -> list[str]:
    versions = found["versions"]
    return [
        f"`python benchmarks/volumes.py`: {found['slices']} slices of 512 x 512 "
        f"({found['distinct_slices']} of `{found['series']}`, repeated), {found['workers']} workers,",
        f"in turn within one run, medians of {found['rounds']} rounds; {found['machine']}, load average "
        f"{found['load_average']['before']:.1f} before;",
        f"pydicom {versions['pydicom']}, SimpleITK {versions['SimpleITK']}, OpenJPEG {versions['OpenJPEG']}, "
        f"CharLS {versions['CharLS']}, OpenJPH {versions['OpenJPH']}.",
        "",
        *_local(found["local"]),
        "",
        *_multiframe(found["multiframe"]),
        "",
        *_network(found["network"]),
        "",
        _churn(found["churn"]),
    ]


def _local(found: dict[str, Any]) -> list[str]:
    lines = [
        "| a ZIP of this machine | first slice, ms | all, s | SimpleITK, s | pydicom, s "
        "| fresh process: first slice, ms | all, s | memory beside the volume, MB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for kind, libraries in found["kinds"].items():
        ours, fresh = libraries["spinekit"], libraries["spinekit"]["fresh"]

        def peer(name: str, libraries: dict[str, Any] = libraries, ours: dict[str, Any] = ours) -> str:
            theirs = libraries.get(name)
            if theirs is None:
                return ""
            seconds = theirs["last"]["median"]
            wide = ", as int32" if theirs["dtype"] == "int32" else ""
            return f"{seconds:.2f} ({seconds / ours['last']['median']:.2f} times ours{wide})"

        lines.append(
            f"| {kind} | {1000 * ours['first']['median']:.0f} | {ours['last']['median']:.2f} "
            f"| {peer('SimpleITK')} | {peer('pydicom')} | {1000 * fresh['first']['median']:.0f} "
            f"| {fresh['last']['median']:.2f} | {fresh['beside_volume_mb']:.0f} |"
        )
    return lines


def _multiframe(found: dict[str, Any]) -> list[str]:
    first = next(iter(found.values()))
    lines = [
        f"| a file of {first['bytes'] / 1e9:.1f} GB, fresh process, nothing of it in memory | frames "
        "| until the shape is known, ms | first `read_slice`, ms | later ones, ms: median (most) "
        "| peak memory, MB (above import) | pydicom, ms a frame (peak MB) "
        "| SimpleITK, s for one frame (peak MB) |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for kind, entry in found.items():
        ours, pydicom, sitk = entry["spinekit"], entry["pydicom"], entry["SimpleITK"]
        theirs = pydicom.get("failed") or (
            f"{1000 * pydicom['each']['median']:.0f} ({pydicom['peak_mb']:.0f})"
        )
        itk = sitk.get("failed") or (
            f"{sitk['opened']['median'] + sitk['each']['median']:.1f} ({sitk['peak_mb']:.0f})"
        )
        lines.append(
            f"| {kind} | {entry['frames']} | {1000 * ours['opened']['median']:.0f} "
            f"| {1000 * ours['first_read']['median']:.0f} "
            f"| {1000 * ours['each']['median']:.1f} ({1000 * ours['each']['max']:.0f}) "
            f"| {ours['peak_mb']:.0f} ({ours['above_import_mb']:.0f}) | {theirs} | {itk} |"
        )
    return lines


def _network(found: dict[str, Any]) -> list[str]:
    events = ("first frame", "first coarse slice", "all slices coarse", "first slice", "all slices")
    lines = [
        f"| {found['slices']} slices over {found['bits_a_second'] / 1e6:.0f} Mbit/s: s (MB sent) "
        + "".join(f"| {event} " for event in events)
        + "|",
        "|---" * (1 + len(events)) + "|",
    ]
    for case, entry in found["cases"].items():
        cells = [
            f"{entry[e]['seconds']['median']:.2f} ({entry[e]['bytes']['median'] / 1e6:.2f})"
            if e in entry
            else ""
            for e in events
        ]
        lines.append(f"| {case}, {entry['bytes'] / 1e6:.1f} MB | {' | '.join(cells)} |")
    lines += [
        "",
        f"The J2K bundle's manifest and its first slice are "
        f"{found['manifest_and_one_slice_bytes'] / 1e6:.2f} MB; every slice of the HTJ2K bundle is there",
        f"coarsely after {100 * found['coarse_share_of_j2k_series']:.1f} % of the bytes of the J2K series.",
    ]
    return lines


def _churn(found: dict[str, Any]) -> str:
    return (
        f"{found['times']} volumes opened and dropped while they loaded: {found['seconds']:.0f} s; threads "
        f"before and after {found['threads_before']} and {found['threads_after']}, resident memory "
        f"{found['rss_before_mb']:.0f} and {found['rss_after_mb']:.0f} MB."
    )


_ANGLES = {"ss": "SS", "ll": "LL", "pt": "PT", "pi": "PI"}


def measurement(found: dict[str, Any]) -> list[str]:
    degraded, tilt, unusual = found["degraded"], found["tilt"], found["unusual"]
    cases = {f"exact masks, {title}": table for title, table in found["exact"].items()}
    rows = degraded["rows"]
    cases[f"masks at Dice 0.93, {rows} rows, full"] = degraded["robust"]
    cases['the same, `method="report"`, films that face left'] = degraded["report, facing left"]
    lines = [
        "`python benchmarks/quality/measurement.py`: phantoms whose truth is known, every other one facing "
        "right; *plain* has",
        "no osteophytes, rotation and scoliosis, *full* all of it. Errors in degrees.",
        "",
        "| | films | " + " | ".join(f"{title}: MAE (ICC)" for title in _ANGLES.values())
        + " | discs, mm | completed, % | truth within the interval, % |",
        "|---" * (len(_ANGLES) + 5) + "|",
    ]  # fmt: skip
    for title, table in cases.items():
        of = [table[name] for name in _ANGLES]
        errors = " | ".join(f"{entry['mae']:.2f} ({entry['icc_2_1']:.3f})" for entry in of)
        completed = 100 * min(entry["completion"] for entry in of)
        covered = [100 * entry["coverage"] for entry in of if "coverage" in entry]
        spans = f"{min(covered):.0f} to {max(covered):.0f}" if covered else ""
        discs = table["disc_heights_mm"]["mae"]
        lines.append(f"| {title} | {table['films']} | {errors} | {discs:.2f} | {completed:.0f} | {spans} |")
    lines += [
        "",
        "The report's sacrum step takes the lowest point of the mask, which in these masks is the sacrum's "
        "tip; hence its errors.",
        "",
        f"| the same spine, {unusual['masks']} masks at Dice 0.93: mean error (SD) | SS | LL | wedge of L1 |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {title} | " + " | ".join(f"{v['bias']:+.1f} ({v['sd']:.1f})" for v in case.values()) + " |"
        for title, case in unusual["cases"].items()
    ]
    times = found["milliseconds"]
    mirrored = max(tilt["largest_change_by_mirroring"], 1e-5)
    return [
        *lines,
        "",
        f"Tilted by up to 15 degrees, what should not change changes by {tilt['mean']:.3f} degrees on "
        f"average, {tilt['p99']:.2f} at",
        f"the 99th percentile; mirrored, by at most {mirrored:.0e}. Eight masks of "
        f"2000 x 2000: {times['2 workers']['median']:.0f} ms with 2 workers, intervals included.",
    ]


def phantom(found: dict[str, Any]) -> list[str]:
    def rate(name: str) -> str:
        return f"{found[name]['median']:.0f}"

    return [
        f"`python benchmarks/phantom.py`, {found['machine']}: 512 x 512 films a second, all tissues, noise "
        f"and processing:",
        f"{rate('films, same spine')} of one spine, {rate('films, new spines')} of new ones; ray sums alone "
        f"{rate('ray sums, all tissues')}, eight masks {rate('eight masks')}.",
    ]


def filters(found: dict[str, Any]) -> list[str]:
    lines = [
        f"`python benchmarks/filters.py`, {found['machine']}, medians of {found['rounds']} rounds in turn; "
        f"OpenCV's wheel {found['versions']['OpenCV']} and NumPy",
        "give the same ensemble to the bit, and the same maps to within "
        f"{found['largest difference of maps']:.0e}.",
        "",
        "| ms | spinekit | OpenCV and NumPy |",
        "|---|---|---|",
    ]
    for part, title in (("ensemble", "six versions of "), ("letterbox", "")):
        for case, works in found[part].items():
            ours, theirs = (
                "; ".join(
                    f"{times['median']:.1f} ({name.rsplit(', ', 1)[1]})"
                    for name, times in works.items()
                    if name.startswith("spinekit") == own
                )
                for own in (True, False)
            )
            lines.append(f"| {title}{case} | {ours} | {theirs} |")
    return lines


def segmentation(found: dict[str, Any]) -> list[str]:
    versions = found["versions"]
    lines = [
        f"`python benchmarks/segmentation.py`: TransUNet R50-ViT-B/16, {found['channels']} channels, "
        f"{found['size']} x {found['size']}, random weights, {found['threads']} threads; each in a",
        f"process of its own, in turn, medians of {found['rounds']} rounds (OpenVINO: the faster of two ways "
        f"to write its norms); {found['machine']}, load average",
        f"{found['load_average_before']:.1f} before; torch {versions['torch']}, OpenVINO "
        f"{versions['OpenVINO']}. Error: largest difference of logits from torch's, relative to the largest.",
        "",
        "| | ms, one film | ms, eight | load, s | peak, MB | error | Dice |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, batches in found["speed"].items():
        one, eight = batches["1"], batches["8"]
        lines.append(
            f"| {name} | {one['ms']:.0f} | {eight['ms']:.0f} | {one['load_seconds']:.1f} | "
            f"{one['peak_megabytes']:.0f}, {eight['peak_megabytes']:.0f} | "
            f"{max(one['error'], eight['error']):.0e} | {min(one['dice'], eight['dice']):.5f} |"
        )
    return lines


def damage(found: dict[str, Any]) -> list[str]:
    runs, versions = found["classification"], found["versions"]
    ours = runs["spinekit, mahalanobis, 1 thread"]["median"]
    lines = [
        f"`python benchmarks/damage.py`: {found['scan']}, in turn within one process, medians; "
        f"{found['machine']}; NumPy {versions['NumPy']},",
        f"OpenCV {versions['OpenCV']}, scikit-learn {versions['scikit-learn']}. NumPy decides "
        f"{runs['pixels that NumPy decides otherwise']} pixels otherwise.",
        "",
        "| | s | times the first |",
        "|---|---|---|",
    ]
    lines += [
        f"| {name} | {run['median']:.2f} | {run['median'] / ours:.1f} |"
        for name, run in runs.items()
        if isinstance(run, dict) and not name.endswith("table")
    ]
    table = runs["spinekit, mahalanobis, 1 thread, table"]["median"]
    return [*lines, "", f"The table of all colours is made at first use, in {table:.2f} s on one thread."]


def damage_files(found: dict[str, Any]) -> list[str]:
    lines = [
        f"`python benchmarks/damage_files.py`: `spinekit damage` from its start to its end, SVG and JSON "
        f"written; {found['machine']}, medians of {found['rounds']}",
        f"rounds; scans of {found['scan']}, the gigapixel {found['large']}; peak resident memory of the "
        f"process. The same pieces however they are read: {'yes' if found['same pieces'] else 'NO'}.",
        "",
        "| boundary | none: s | MB | pieces | brightness: s | MB | pieces |",
        "|---|---|---|---|---|---|---|",
    ]
    runs = found["runs"]
    for name in dict.fromkeys(run.rpartition(", ")[0] for run in runs):
        cells = []
        for boundary in ("none", "brightness"):
            run = runs.get(f"{name}, {boundary}")
            cells += (
                [f"{run['seconds']:.1f}", f"{run['peak_megabytes']:.0f}", str(run["pieces"])]
                if run
                else [""] * 3
            )
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def damage_quality(found: dict[str, Any]) -> list[str]:
    lines = [
        "`python benchmarks/quality/damage.py DATA`: white cut-outs of film damage on 9 paintings, 4 of "
        "each kind; two boxes within the damage, or over",
        "its soft edge as well, nine beside it. Precision and recall of pixels, as classified and after "
        "cleaning; mean distance of borders.",
        "",
        "| | within: classified | cleaned | border, px | over the edge: classified | cleaned | border, px |",
        "|---|---|---|---|---|---|---|",
    ]
    within, over = found["boxes inside"]["kinds"], found["boxes over the edge"]["kinds"]

    def cells(run: dict[str, Any]) -> str:
        rates = [
            f"{run[f'{step} precision']:.2f}, {run[f'{step} recall']:.2f}"
            for step in ("classified", "cleaned")
        ]
        return " | ".join([*rates, f"{run['boundary error']:.1f}"])

    lines += [f"| {kind} | {cells(within[kind])} | {cells(over[kind])} |" for kind in within]
    cracks = "; ".join(
        f"{one['photograph']}: precision {one['precision']:.2f}, recall {one['recall']:.2f}"
        for one in found["cracks"]
    )
    return [*lines, "", f"Cracks in grey close-ups, against drawn skeletons within 5 and 3 pixels: {cracks}."]


TABLES = {
    "compression": compression,
    "volumes": volumes,
    "measurement": measurement,
    "phantom": phantom,
    "filters": filters,
    "segmentation": segmentation,
    "damage": damage,
    "damage_files": damage_files,
    "damage_quality": damage_quality,
}


def with_tables(text: str) -> str:
    """Return README's text with its tables made anew."""
    for name, table in TABLES.items():
        found = json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text())
        before, rest = text.split(begin(name))
        after = rest.split(END, 1)[1]
        text = before + "\n".join([begin(name), *table(found), END]) + after
    return text


def main() -> int:
    readme = ROOT / "README.md"
    text = readme.read_text()
    made = with_tables(text)
    if "--check" in sys.argv:
        return int(made != text)
    readme.write_text(made)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
