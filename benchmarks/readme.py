"""Write README's tables of figures from results/*.json: ``python benchmarks/readme.py [--check]``."""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BEGIN = "<!-- figures: made by benchmarks/readme.py from benchmarks/results/compression.json -->"
END = "<!-- /figures -->"


def table(found: dict) -> str:
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
    lines += ["", f"Peak memory of a lossless batch, 2 workers, by number of files: {peaks}."]
    return "\n".join(lines)


def main() -> int:
    readme = ROOT / "README.md"
    text = readme.read_text()
    found = json.loads((ROOT / "benchmarks" / "results" / "compression.json").read_text())
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    made = f"{before}{BEGIN}\n{table(found)}\n{END}{after}"
    if "--check" in sys.argv:
        return int(made != text)
    readme.write_text(made)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
