"""Damage in scans of artwork by OpenCV and NumPy alone: what the engine must equal, piece by piece.

The specification has seven points; where it is silent, this file decides, and each docstring says so. Images
are RGB, (rows, columns, 3), uint8; masks (rows, columns), uint8, 0 or 255; boxes (x, y, width, height) in
pixels; sizes are pixels of the scan at hand, made by `scaled` from values that are meant for the reference.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

# The specification's divisor; 7216 x 5412, which it names beside it, would be 39,052,992.
REFERENCE_PIXELS = 39_061_392
CHUNK = 2_000_000
EPSILON = 0.9


# ---- points 1 and 2: the model and the decision


def features(pixels):
    """(L, a, b, S) of pixels, shape (n, 3), as float64: OpenCV's 8-bit Lab and HSV saturation."""
    row = np.ascontiguousarray(pixels).reshape(1, -1, 3)
    lab = cv2.cvtColor(row, cv2.COLOR_RGB2LAB)[0]
    saturation = cv2.cvtColor(row, cv2.COLOR_RGB2HSV)[0, :, 1:2]
    return np.concatenate([lab, saturation], axis=1).astype(np.float64)


def component(image, box):
    """Return mean, inverse covariance and weight of one box.

    Decided: the covariance divides by n - 1; a box of one pixel has the covariance 0, so 1e-4 I is left.
    """
    x, y, width, height = box
    values = features(image[y : y + height, x : x + width].reshape(-1, 3))
    covariance = np.cov(values, rowvar=False) if len(values) > 1 else np.zeros((4, 4))
    return values.mean(axis=0), np.linalg.inv(covariance + 1e-4 * np.eye(4)), len(values)


def fit(image, background, foreground):
    """Return a model, {"background": [component, ...], "foreground": [...]}; background is damage."""
    return {
        "background": [component(image, box) for box in background],
        "foreground": [component(image, box) for box in foreground],
    }


def least_distance(values, components):
    distances = []
    for mean, inverse, _ in components:
        off = values - mean
        distances.append(np.einsum("ni,ij,nj->n", off, inverse, off))
    return np.min(distances, axis=0)


def classify(image, model):
    """Return 255 where the nearest background component is nearer than the nearest foreground component.

    Decided: equal distances are no damage ("greater than").
    """
    pixels = image.reshape(-1, 3)
    mask = np.zeros(len(pixels), np.uint8)
    for start in range(0, len(pixels), CHUNK):
        values = features(pixels[start : start + CHUNK])
        damaged = least_distance(values, model["foreground"]) > least_distance(values, model["background"])
        mask[start : start + CHUNK] = np.where(damaged, 255, 0)
    return mask.reshape(image.shape[:2])


# ---- point 4: sizes


@dataclass
class Sizes:
    """Sizes at the reference of 7216 x 5412; of a scan at hand after `scaled`.

    Decided: min_area 50, no max_area (0), cells of 500 (also the bands of `row` and `column`), margin 0.
    """

    min_area: int = 50
    max_area: int = 0
    kernel: int = 3
    join: int = 9
    cell: int = 500
    margin: int = 0


def scaled(sizes, width, height):
    """Return the sizes for a scan of width x height.

    Decided: cells are at least 1 px; a max_area of 0 stays "none", and one above 0 is at least 1.
    """
    scale = width * height / REFERENCE_PIXELS
    length = math.sqrt(scale)

    def odd(size):
        return size + 1 if size % 2 == 0 else size

    return Sizes(
        min_area=int(sizes.min_area * scale),
        max_area=max(1, int(sizes.max_area * scale)) if sizes.max_area else 0,
        kernel=odd(max(3, int(sizes.kernel * length))),
        join=odd(max(5, int(sizes.join * length))),
        cell=max(1, int(sizes.cell * length)),
        margin=int(sizes.margin * length),
    )


# ---- point 3: cleaning


def ellipse(size):
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))


def closed(mask):
    return cv2.morphologyEx(mask, cv2.MORPH_CLOSE, ellipse(3))


def smoothed(mask):
    blurred = cv2.GaussianBlur(mask, (7, 7), 0)
    return np.where(blurred > 127, 255, 0).astype(np.uint8)


def clean(mask, kernel, join=0):
    """Close, blur and threshold, open; then, if join is not 0, close with an ellipse of that size.

    Decided: what the specification calls morph_size joins neighbouring pieces, is off unless asked for, and
    comes last. Borders are OpenCV's defaults: morphology sees nothing beyond the image, the blur its mirror
    image.
    """
    mask = smoothed(closed(mask))
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, ellipse(kernel))
    return cv2.morphologyEx(mask, cv2.MORPH_CLOSE, ellipse(join)) if join else mask


# ---- point 5: the artwork's boundary


def otsu(values):
    """Return Otsu's threshold of a plane of bytes.

    Decided: OpenCV's own rounding decides between levels that are equally good, not IPP's, which cv2's wheels
    use unless told not to.
    """
    used = cv2.ipp.useIPP()
    cv2.ipp.setUseIPP(False)
    try:
        return int(cv2.threshold(values, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[0])
    finally:
        cv2.ipp.setUseIPP(used)


def boundary(image, mode):
    """Return the artwork's box, or None where none is found or mode is "none".

    Decided: rectangles of an even size stay even, with OpenCV's anchor; the largest contour is the one of
    largest cv2.contourArea, and that area is what must reach 30 % of the image. For edges, grey is OpenCV's;
    angles are taken without sign; top and bottom are the extremes of the horizontal lines' ends, left and
    right those of the vertical lines' ends.
    """
    if mode == "none":
        return None
    height, width = image.shape[:2]
    least = min(width, height)
    if mode == "brightness":
        b = np.ascontiguousarray(cv2.cvtColor(image, cv2.COLOR_RGB2LAB)[:, :, 2])
        paper = np.where(b > otsu(b), 255, 0).astype(np.uint8)
        close, opening = max(20, int(least * 0.005)), max(5, int(least * 0.001))
        paper = cv2.morphologyEx(
            paper, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_RECT, (close, close))
        )
        paper = cv2.morphologyEx(
            paper, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_RECT, (opening, opening))
        )
        contours, _ = cv2.findContours(paper, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        if not contours:
            return None
        largest = max(contours, key=cv2.contourArea)
        return cv2.boundingRect(largest) if cv2.contourArea(largest) >= 0.3 * width * height else None
    assert mode == "edges"
    edges = cv2.Canny(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), 50, 150)
    lines = cv2.HoughLinesP(edges, 1, np.pi / 180, 100, minLineLength=0.3 * least, maxLineGap=50)
    across, down = [], []
    for x1, y1, x2, y2 in [] if lines is None else np.reshape(lines, (-1, 4)).tolist():
        angle = abs(math.degrees(math.atan2(y2 - y1, x2 - x1)))
        if angle < 10 or angle > 170:
            across.append((y1, y2))
        elif 80 <= angle <= 100:
            down.append((x1, x2))
    if len(across) < 2 or len(down) < 2:
        return None
    left, right = np.min(down).item(), np.max(down).item()
    top, bottom = np.min(across).item(), np.max(across).item()
    return left, top, right - left + 1, bottom - top + 1


def within(mask, box, margin=0, remove=False):
    """Return the mask with 0 outside the box, and without regions that touch its sides.

    Decided: the box loses the margin on each side and what lies beyond the image first. Regions that touch
    all four sides surround the artwork and go; with `remove`, those that touch any side go.
    """
    x, y, width, height = box
    left, top = max(x + margin, 0), max(y + margin, 0)
    right = min(x + width - margin, mask.shape[1])
    bottom = min(y + height - margin, mask.shape[0])
    kept = np.zeros_like(mask)
    if left < right and top < bottom:
        inside = kept[top:bottom, left:right]
        inside[:] = without_sides(mask[top:bottom, left:right], 1 if remove else 4)
    return kept


def without_border(mask):
    """Return the mask without the white regions that touch the image's border."""
    return without_sides(mask, 1)


def without_sides(mask, least):
    """Return the mask without the white regions that touch that many of its four sides, or more.

    Decided: regions are 8-connected, as contours are.
    """
    count, labels = cv2.connectedComponents(np.ascontiguousarray(mask), connectivity=8, ltype=cv2.CV_32S)
    touched = np.zeros(count, int)
    for side in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        touched[np.unique(side)] += 1
    touched[0] = 0
    return np.where(touched[labels] >= least, 0, mask).astype(np.uint8)


# ---- point 6: pieces


@dataclass
class Piece:
    """One damaged place."""

    contour: np.ndarray  # (n, 2), int32, (x, y), from the first pixel in reading order
    outline: np.ndarray  # the contour within EPSILON, what is cut
    area: float  # px, cv2.contourArea
    pixels: int  # white ones, without holes
    centroid: tuple
    box: tuple
    number: int = 0


def centroid_of(contour):
    """Return the centroid of the contour's polygon; of one without area, the centre of its box."""
    moments = cv2.moments(contour)
    if moments["m00"] != 0:
        return moments["m10"] / moments["m00"], moments["m01"] / moments["m00"]
    x, y, width, height = cv2.boundingRect(contour)
    return x + (width - 1) / 2, y + (height - 1) / 2


def pieces(mask, min_area=0, max_area=0):
    """Return the outer contours of a clean mask with areas in [min_area, max_area] (0: no upper limit).

    Decided: contours are CHAIN_APPROX_SIMPLE, their area is cv2.contourArea (through the centres of border
    pixels, holes counted in). What lies in a hole of a region is no piece of its own. The outline is OpenCV
    5's cv2.approxPolyDP: 4.6's measures to lines instead of segments and cuts off thin spikes.
    """
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    found = []
    for contour in contours:
        area = cv2.contourArea(contour)
        if area < min_area or (max_area and area > max_area):
            continue
        points = contour.reshape(-1, 2)
        found.append(
            Piece(
                contour=points,
                outline=cv2.approxPolyDP(contour, EPSILON, True).reshape(-1, 2),
                area=area,
                pixels=int(stats[labels[points[0][1], points[0][0]], cv2.CC_STAT_AREA]),
                centroid=centroid_of(contour),
                box=tuple(cv2.boundingRect(contour)),
            )
        )
    return found


def numbered(found, order="grid", cell=500):
    """Return the pieces in their order, with numbers from 1.

    Decided: places are centroids; `row` and `column` sort in bands of `cell`, by x and by y; the 50 of `grid`
    is not scaled; what is equal comes in the order of the contours' first points, (y, x).
    """

    def key(piece):
        x, y = piece.centroid
        first = tuple(piece.contour[0][::-1].tolist())
        return {
            "grid": (int(y) // cell, int(x) // cell, int(y) // 50, x, first),
            "row": (int(y) // cell, x, first),
            "column": (int(x) // cell, y, first),
            "simple": (y, x, first),
        }[order]

    ordered = sorted(found, key=key)
    for number, piece in enumerate(ordered, 1):
        piece.number = number
    return ordered


def damage(mask, sizes, box=None, join=False, order="grid", remove=False):
    """Return the numbered pieces of a classified mask; sizes as `scaled` gives them.

    Decided: the boundary is applied after the cleaning, and `remove` is of the regions at its sides; regions
    at the image's border are removed only where there is no boundary.
    """
    mask = clean(mask, sizes.kernel, sizes.join if join else 0)
    mask = without_border(mask) if box is None else within(mask, box, sizes.margin, remove)
    return numbered(pieces(mask, sizes.min_area, sizes.max_area), order, sizes.cell)


# ---- point 7: SVG


def svg_path(outline):
    """Return the path of an outline, or "" for fewer than three points."""
    if len(outline) < 3:
        return ""
    points = [f"{x:.4f},{y:.4f}" for x, y in outline]
    return f"M {points[0]} L " + " L ".join(points[1:]) + " Z"


def svg(outline, mm_per_pixel=None):
    """Return one piece's file; "" for fewer than three points. mm_per_pixel is (x, y).

    Decided: each further point has its own L; the box is that of the outline's points, without half a pixel
    around it; without a scale the picture is moved to the origin all the same, in pixels.
    """
    path = svg_path(outline)
    if not path:
        return ""
    (left, top), (right, bottom) = outline.min(axis=0).tolist(), outline.max(axis=0).tolist()
    sx, sy = mm_per_pixel or (1, 1)
    unit = "mm" if mm_per_pixel else "px"
    width, height = (right - left) * sx, (bottom - top) * sy
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.4f}{unit}" height="{height:.4f}{unit}" '
        f'viewBox="0 0 {width:.4f} {height:.4f}">'
        f'<path transform="translate({-left * sx:.4f},{-top * sy:.4f}) scale({sx:.6g},{sy:.6g})" '
        f'd="{path}" fill="none" stroke="black"/></svg>\n'
    )
