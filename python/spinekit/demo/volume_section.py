"""What the page tells about a case as a volume."""

from spinekit.demo.markup import code, size, table, text
from spinekit.demo.runs import CaseResult
from spinekit.demo.volumes import Loading, Opened


def volume_section(result: CaseResult, *, explained: bool) -> str:
    """Return pictures and times of a volume that fills itself; the first one also explains."""
    opened = result.volume
    if opened is None:
        return ""
    series = result.case.typed
    shape = " x ".join(map(str, opened.shape))
    told = ""
    if explained:
        told = (
            "<p>open_volume() returns at once; the array is there as soon as the headers are read and fills "
            "in place, the middle slice first. What has not arrived is air. Anything can be done "
            "with it meanwhile.</p>"
        )
    failed = f"<p>{opened.failed} files or slices of it could not be had.</p>" if opened.failed else ""
    notes = "".join(f"<p>Note: {text(warning)}.</p>" for warning in opened.warnings)
    anchor = " id='volume'" if explained else ""
    return (
        f"<h3{anchor}>The volume, while it fills</h3>"
        + told
        + code(
            [
                f'volume = sk.open_volume("{series}")',
                "for k in volume:  # slices as they arrive",
                "    print(k, volume.array[k].mean())",
                "",
                f"$ spinekit volume {series} --out volume.nii.gz",
            ]
        )
        + f"<p>{shape} {opened.dtype}, {size(opened.size)}, {text(opened.spacing)}.</p>"
        + notes
        + failed
        + _figure(opened)
        + _times(opened)
    )


def _figure(opened: Opened) -> str:
    if not opened.stages:
        return ""
    total = opened.stages[-1].slices

    def share(slices: int) -> str:
        if slices == total:
            return f"all {total} slices"
        return f"1 slice of {total}" if slices == 1 else f"{slices} of {total} slices"

    drawn = "".join(
        f"<div><span class='label'>{share(stage.slices)}, {_ms(stage.seconds)} after opening</span>"
        f"<a href='pictures/{stage.picture}'><img src='pictures/{stage.picture}' "
        f"alt='the volume with {stage.slices} slices'></a></div>"
        for stage in opened.stages
    )
    planes = opened.planes
    cuts = f"The middle cut of each plane ({', '.join(planes)})" if len(planes) > 1 else "The middle slice"
    return (
        f"<figure class='volume'><div class='trio all'>{drawn}</div><figcaption>{cuts}, "
        f"and below the strip of slices: dark ones are there. {text(opened.window)}. Drawn "
        "afterwards from the order and times that the volume recorded.</figcaption></figure>"
    )


def _times(opened: Opened) -> str:
    def row(loading: Loading) -> list[str]:
        times = (loading.known, loading.first, loading.tenth, loading.complete)
        began = ", ".join(map(str, loading.began_with))
        more = " …" if opened.shape[0] > len(loading.began_with) else ""
        return [text(loading.title), *map(_ms, times), began + more]

    head = ["Order", "Shape known", "First slice", "10 %", "All", "Slices in the order asked for"]
    return table(head, [row(loading) for loading in opened.loadings])


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.2f} s"
