"""How well colours tell damage whose place is known: ``python benchmarks/quality/damage.py DATA [--json F]``.

DATA holds ``paintings`` (photographs), ``damage_overlays`` (RGBA cut-outs of dirt, lint, scratches, smut,
sprinkles and stains, 400 x 400, white) and ``paintings_cracks`` (close-ups with crack skeletons, turned by 90
degrees). Writes ../results/damage_quality.json.

- laid over: each cut-out on each painting, blended by its alpha; truth is alpha above one half. Boxes as a
  user would mark them: two on damage, the largest squares that it holds (at most 12 pixels), as they are or
  two pixels larger on each side, over the soft edge; and nine of 40 x 40 where there is none. Of all
  pixels: precision and recall of the classification alone, and of the mask after cleaning as pieces have it
  (kernel 3, unscaled). Boundary error: mean distance in pixels between the borders of damage that was found
  and of the truth that it meets, both ways
- cracks: close-ups in grey; boxes on five places of cracks and nine others. Recall: skeleton pixels within 3
  pixels of what was found; precision: found pixels within 5 pixels of a skeleton
"""

import argparse
import json
import statistics
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

import spinekit as sk
from spinekit import _core

DEFAULT = Path(__file__).parents[1] / "results" / "damage_quality.json"
SIDE = 400
Mask = NDArray[np.bool_]
Boxes = list[tuple[int, int, int, int]]


def squares(mask: Mask, count: int, most: int) -> Boxes:
    """Return the largest squares in a mask, one after the other."""
    left = mask.copy()
    found: Boxes = []
    for _ in range(count):
        depth = cv2.distanceTransform(np.pad(left, 1).astype(np.uint8), cv2.DIST_C, 3)[1:-1, 1:-1]
        y, x = np.unravel_index(depth.argmax(), depth.shape)
        reach = min(int(depth[y, x]) - 1, most // 2)
        if reach < 0:
            break
        found.append((int(x) - reach, int(y) - reach, 2 * reach + 1, 2 * reach + 1))
        left[max(0, y - most) : y + most, max(0, x - most) : x + most] = False
    return found


def grown(box: tuple[int, int, int, int], by: int) -> tuple[int, int, int, int]:
    x, y, width, height = box
    left, top = max(0, x - by), max(0, y - by)
    return left, top, min(SIDE, x + width + by) - left, min(SIDE, y + height + by) - top


def free_boxes(mask: Mask, side: int, count: int) -> Boxes:
    """Return boxes without damage, spread over the picture."""
    near = cv2.dilate(mask.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    rows, columns = mask.shape
    steps = range(10, min(rows, columns) - side, (min(rows, columns) - side - 10) // 8)
    free = [(x, y, side, side) for y in steps for x in steps if not near[y : y + side, x : x + side].any()]
    return free[:: max(1, len(free) // count)][:count]


def rates(found: Mask, truth: Mask) -> dict[str, float]:
    both = int((found & truth).sum())
    return {"precision": both / max(1, int(found.sum())), "recall": both / max(1, int(truth.sum()))}


def border(mask: Mask) -> Mask:
    return mask & (cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=0) == 0)


def boundary_error(found: Mask, truth: Mask) -> float | None:
    """Return the mean distance between borders of regions that meet."""
    if not (found & truth).any():
        return None

    def meeting(mask: Mask, other: Mask) -> Mask:
        _, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
        return np.isin(labels, np.unique(labels[other & mask])) & mask

    ours, theirs = border(meeting(found, truth)), border(meeting(truth, found))

    def distances(of: Mask, to: Mask) -> NDArray[np.float32]:
        return cv2.distanceTransform((~to).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[of]

    return float(np.concatenate([distances(ours, theirs), distances(theirs, ours)]).mean())


def laid_over(painting: Path, overlay: Path, over_edge: int) -> dict[str, Any] | None:
    picture = np.asarray(Image.open(painting).convert("RGB"))
    top, left = (picture.shape[0] - SIDE) // 2, (picture.shape[1] - SIDE) // 2
    under = picture[top : top + SIDE, left : left + SIDE].astype(np.float32)
    cut_out = np.asarray(Image.open(overlay).convert("RGBA"))[:SIDE, :SIDE].astype(np.float32)
    alpha = cut_out[..., 3:] / 255
    scan = np.rint(under * (1 - alpha) + cut_out[..., :3] * alpha).astype(np.uint8)
    truth = alpha[..., 0] > 0.5
    damage, free = squares(truth, 2, 12), free_boxes(truth, 40, 9)
    if not damage or len(free) < 3:
        return None
    damage = [grown(box, over_edge) for box in damage]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # cut-outs are white throughout
        model = sk.ColorModel.fit(scan, background=damage, foreground=free)
    mask = model.classify(scan)
    cleaned = _core.cleaned_mask(mask, _core.CleaningOptions())
    return {
        "painting": painting.stem,
        "overlay": overlay.stem,
        "classified": rates(mask, truth),
        "cleaned": rates(cleaned, truth),
        "boundary_error": boundary_error(cleaned, truth),
    }


def cracks(folder: Path) -> Iterable[dict[str, Any]]:
    for photograph in sorted(folder.glob("*.jpg")):
        skeleton_file = next(folder.glob(f"{photograph.stem}_*.tif"))
        grey = np.asarray(Image.open(photograph).convert("L"))
        stored = np.asarray(Image.open(skeleton_file).convert("L")) > 0
        stored = stored if stored.mean() < 0.5 else ~stored
        turned = max((np.rot90(stored, k) for k in (1, 3)), key=lambda s: -float(grey[s].mean()))
        near = cv2.dilate(turned.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        damage = squares(near & (grey < np.percentile(grey[near], 40)), 5, 12)
        model = sk.ColorModel.fit(grey, background=damage, foreground=free_boxes(near, 40, 9))
        mask = model.classify(grey)

        def within(of: Mask, to: Mask, pixels: int) -> float:
            away = cv2.distanceTransform((~to).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
            return float((away[of] <= pixels).mean())

        yield {
            "photograph": photograph.stem,
            "recall": within(turned, mask, 3),
            "precision": within(mask, turned, 5),
            "share classified as cracks": float(mask.mean()),
        }


def summary(data: Path, over_edge: int) -> dict[str, Any]:
    runs = [
        laid_over(painting, overlay, over_edge)
        for painting in sorted((data / "paintings").glob("*.jpg"))
        for overlay in sorted((data / "damage_overlays").glob("*.png"))
    ]
    done = [run for run in runs if run is not None]
    kinds: dict[str, Any] = {}
    for kind in sorted({run["overlay"].split("_")[0] for run in done}):
        of_kind = [run for run in done if run["overlay"].startswith(kind)]
        errors = [run["boundary_error"] for run in of_kind if run["boundary_error"] is not None]
        kinds[kind] = {
            "pictures": len(of_kind),
            **{
                f"{step} {rate}": statistics.mean(run[step][rate] for run in of_kind)
                for step in ("classified", "cleaned")
                for rate in ("precision", "recall")
            },
            "boundary error": statistics.mean(errors) if errors else None,
            "nothing left after cleaning": len(of_kind) - len(errors),
        }
    return {"left out": len(runs) - len(done), "kinds": kinds}


def main() -> None:
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=shape)
    parser.add_argument("data", type=Path)
    parser.add_argument("--json", type=Path, default=DEFAULT)
    options = parser.parse_args()
    found = {
        "boxes inside": summary(options.data, 0),
        "boxes over the edge": summary(options.data, 2),
        "cracks": list(cracks(options.data / "paintings_cracks")),
    }
    options.json.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
