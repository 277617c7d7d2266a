"""What the page tells about networks: what they see, what segmenting writes, the engine beside torch."""

from spinekit.demo.films import SEED
from spinekit.demo.markup import DASH, code, messages, size, table, text
from spinekit.demo.networks import ENOUGH, NAME, PRESET, REPEATS, ROWS, SIZE, Beside, Networks, Timed
from spinekit.measurement.landmarks import BONES
from spinekit.measurement.reading import NOTE_NAME
from spinekit.segmentation.finding import FILMS, OVERLAY_SUFFIX

_VERSIONS = {
    "original": "The film itself",
    "clahe": "CLAHE",
    "clahe_twice": "CLAHE twice",
    "sharpened_clahe": "Sharpened, then CLAHE",
    "sharpened_clahe_twice": "Sharpened, then CLAHE twice",
    "stretched": "Stretched, 2nd to 98th percentile",
}


def network_sections(networks: Networks) -> str:
    """Return both sections."""
    return "\n".join([*_filtered(networks), *_segmented(networks)])


def _filtered(networks: Networks) -> list[str]:
    rows, columns = networks.shape
    drawn = "".join(
        f"<div><span class='label'>{k}. {_VERSIONS[name]}</span><a href='pictures/{picture}'>"
        f"<img src='pictures/{picture}' alt='{_VERSIONS[name]}'></a></div>"
        for k, (name, picture) in enumerate(networks.versions.items(), 1)
    )
    return [
        "<section><h2 id='filters'>What a network sees</h2>",
        "<p>A bone that is plain in one version of a film hides in another. The preprocessing ensemble (PEN) "
        "gives a network six of them as channels; a convolution in front of it learns what to take from "
        "each. CLAHE equalises the histogram place by place; it is OpenCV's, bit for bit.</p>",
        code(
            [
                f"film = spine.radiograph(rows={ROWS}, implants=True)",
                'versions = sk.filters.pen(film, levels="film", bits=8)  # (6, rows, columns), float32',
                f"stack, box = sk.segmentation.prepare(film, {SIZE})  # shrunk, filtered, padded",
                'sk.filters.PENd("image", sk.filters.PenSettings(levels="film", bits=8))  # a step for MONAI',
            ]
        ),
        f"<figure><div class='trio all'>{drawn}</div><figcaption>The film with implants, {rows} x {columns}, "
        f"in {1000 * networks.filtering:.0f} ms for all six. Noise grows with contrast: the fifth shows "
        "endplates and grain alike.</figcaption></figure></section>",
    ]


def _segmented(networks: Networks) -> list[str]:
    return [
        "<section><h2 id='segmented'>Segmentation</h2>",
        "<p><b>No trained weights ship with spinekit</b>, so this page shows no masks that a network found. "
        "Bring a file of your own: what spinekit.nn.save wrote, an official TransUNet .pth, or TorchScript. "
        "notebooks/segmentation.ipynb goes all the way, on phantoms and in minutes: it trains a small "
        "network, saves it, finds bones with it and measures them.</p>",
        code(
            [
                'seg = sk.Segmenter("spine.safetensors")  # precision="bf16", device="cuda"',
                "masks = seg.predict(film)  # probabilities, float32, (8, rows, columns) of the film",
                'sk.segment_files("films/", "masks/", seg)',
            ]
        ),
        code(
            [
                "$ spinekit segment films/ --weights spine.safetensors --out masks/",
                "$ spinekit measure masks/ --film films/ --plot pictures/ --out angles.csv",
            ]
        ),
        "<h3>What it writes</h3>",
        _written(networks),
        "<h3>The engine beside torch</h3>",
        _compared(networks),
        "</section>",
    ]


def _written(networks: Networks) -> str:
    rows = [
        [
            f"{NAME}/{BONES[0]}.png &hellip; {BONES[-1]}.png",
            f"A mask of each bone in the film's own pixels, 255 inside: {', '.join(BONES)}. They may "
            "overlap.",
        ],
        [f"{NAME}/{NOTE_NAME}", "Spacing, labels, and what made the masks; measuring reads it."],
        [f"{NAME}{OVERLAY_SUFFIX}", "This picture, to look through many films quickly."],
        [
            FILMS.journal_name,
            "Of all films, what was made of what: the same call goes on where it was stopped, and replaces "
            "no mask that was corrected by hand.",
        ],
    ]
    return (
        "<div class='beside'><figure><span class='label'>The phantom's true masks</span>"
        f"<a href='pictures/{networks.overlay}'><img src='pictures/{networks.overlay}' "
        "alt='true masks, drawn as segmenting draws them'></a><figcaption>From the phantom's geometry: no "
        "network found them. spinekit segment draws what one finds in the same way.</figcaption></figure>"
        + table(["In masks/", ""], [[f"<code>{name}</code>", what] for name, what in rows])
        + "</div>"
    )


def _compared(networks: Networks) -> str:
    beside = networks.beside
    if beside is None:
        return f"<p class='note'>No network can run here: {text(networks.note)}</p>"
    rows, columns = SIZE
    facts = [
        ("Network", f'TransUNet "{PRESET}", {beside.parameters:,} parameters, {size(beside.size)}'),
        ("Input", f"this film, prepared: 6 channels of {rows} x {columns}"),
        ("torch", beside.found["torch"]),
        ("Processor", _processor(beside)),
    ]
    return (
        "<p>The engine runs networks without their Python classes, and must say what torch says. Here is the "
        "smallest network, with random weights: its masks would mean nothing, its numbers are as good as "
        "any.</p>"
        + "<ul class='facts'>"
        + "".join(f"<li><b>{name}</b>{text(value)}</li>" for name, value in facts)
        + "</ul>"
        + code(
            [
                "import torch",
                "from spinekit import nn",
                "",
                f"torch.manual_seed({SEED})",
                f'model = nn.TransUNet("{PRESET}", size={SIZE}).eval()',
                f'nn.save(model, "{PRESET}.safetensors")  # weights and their description: one file',
                f'logits = sk.Segmenter("{PRESET}.safetensors", precision="bf16").forward(stack[None])',
            ]
        )
        + table(
            ["", "Threads", "Ready after", "One film", "Largest difference from torch's logits"],
            [_row(way) for way in beside.ways],
        )
        + (messages("note bad", "Not as it should be", networks.problems) if networks.problems else "")
        + f"<p>Differences are relative to the largest logit. {_rounds(beside)} Times of so small a "
        "network say little of others: README has the published size, beside its peers. bf16 is faster where "
        "the processor has instructions for it.</p>"
    )


def _rounds(beside: Beside) -> str:
    rounds = len(beside.ways[0].seconds)
    if rounds == REPEATS:
        return f"Times: the median of {rounds} rounds in turns, the least and the most."
    return (
        f"The machine is slow, or was busy: only {rounds} of {REPEATS} rounds began within {ENOUGH:g} s, and "
        "their times mean little."
    )


def _row(way: Timed) -> list[str]:
    ends = f"{_ms(min(way.seconds))} to {_ms(max(way.seconds))}"
    return [
        f"Engine, {way.precision}" if way.precision else "torch, fp32",
        str(way.threads),
        _ms(way.loading) if way.precision else DASH,
        f"<b>{_ms(way.median)}</b><small>{ends}</small>",
        _power(way.difference) if way.precision else DASH,
    ]


def _power(value: float) -> str:
    digits, _, exponent = f"{value:.1e}".partition("e")
    if not exponent or not value:
        return digits
    return f"{digits} &times; 10<sup>{int(exponent)}</sup>".replace("-", "&minus;")


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.1f} ms" if seconds < 0.1 else f"{1000 * seconds:.0f} ms"


def _processor(beside: Beside) -> str:
    found = beside.found
    units = "with" if found.get("matrix units") == "yes" else "without"
    return f"{found.get('CPU capability', 'unknown')}, {units} matrix units"
