"""The view that `spinekit.show` returns."""

import asyncio
import html
import time
import weakref
from typing import Any

import numpy as np

from spinekit import _core
from spinekit._core import SliceState
from spinekit.volumes import pictures
from spinekit.volumes.volume import Volume

#: Seconds between two drawings, and between two looks whether loading has ended.
_PAUSE = 0.08
_LOOK = 0.25
_MOST_MESSAGES = 8


class VolumeView:
    """A view of a volume; made by `spinekit.show`.

    Attributes
    ----------
    volume : what is shown
    widget : the whole, for layouts of one's own
    plane, index, window, level : ipywidgets that steer it; their ``value`` can be read and set
    image : ipywidgets.Image, whose ``value`` is the PNG of what is seen
    strip : ipywidgets.Image of the states of all slices
    status : ipywidgets.HTML that tells how far it is
    """

    def __init__(self, volume: Volume, widgets: Any, window: float | None, level: float | None) -> None:
        self.volume = volume
        self._asked = window, level
        self._automatic = window is None and level is None
        self._setting = False
        self._planes: list[pictures.Plane] = []
        self._indices: dict[str, int] = {}
        self._drawn = 0.0
        self._pending = False
        self._over = False
        self._closed = False
        wide = widgets.Layout(width="512px")
        natural = {"max_width": "100%", "align_self": "flex-start"}
        self.image = widgets.Image(format="png", layout=natural)
        self.strip = widgets.Image(format="png", layout=natural)
        self.status = widgets.HTML(layout=wide)
        self.index = widgets.IntSlider(description="slice", max=0, disabled=True, layout=wide)
        self.index.style.description_width = "50px"
        self.plane = widgets.ToggleButtons(options=["slices"], style={"button_width": "80px"})
        number = {"layout": {"width": "140px"}, "style": {"description_width": "50px"}}
        self.window = widgets.FloatText(description="window", **number)
        self.level = widgets.FloatText(description="level", **number)
        self.presets = widgets.HBox()
        self.widget = widgets.VBox(
            [
                self.plane,
                self.image,
                self.strip,
                self.index,
                widgets.HBox([self.window, self.level, self.presets]),
                self.status,
            ]
        )
        self._button = widgets.Button
        self.index.observe(self._moved, "value")
        self.plane.observe(self._turned, "value")
        for control in (self.window, self.level):
            control.observe(self._windowed, "value")
        reference = weakref.ref(self)
        volume.listen(lambda index: _on_slice(reference, index))
        self.refresh()
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        loop.call_later(_LOOK, _look, reference, loop)

    # ---- how it is set up

    def _set_up(self) -> None:
        volume = self.volume
        self._planes = pictures.planes_of(volume.geometry, volume.shape)
        if volume.on_demand:
            del self._planes[1:]
        self._setting = True
        window, level = pictures.default_window(volume)
        self.window.value = self._asked[0] or window
        self.level.value = level if self._asked[1] is None else self._asked[1]
        colours = len(volume.shape) == 4
        if volume.modality == "CT":
            buttons = [
                self._preset("soft tissue", pictures.SOFT_TISSUE),
                self._preset("bone", pictures.BONE),
            ]
        else:
            buttons = [self._preset("automatic", None)]
        self.presets.children = [] if colours else buttons
        self.window.disabled = self.level.disabled = colours and volume.dtype == np.uint8
        self._indices = {plane.name: plane.count // 2 for plane in self._planes}
        self.plane.options = [plane.name for plane in self._planes]
        self.plane.layout.display = None if len(self._planes) > 1 else "none"
        self._setting = False
        self._turned()

    def _preset(self, name: str, values: tuple[float, float] | None) -> Any:
        button = self._button(description=name, layout={"width": "92px"})

        def pressed(_: Any) -> None:
            self._automatic = values is None
            self._set_window(*(values or pictures.default_window(self.volume)))
            self.refresh()

        button.on_click(pressed)
        return button

    def _set_window(self, window: float, level: float) -> None:
        self._setting = True
        self.window.value, self.level.value = window, level
        self._setting = False

    @property
    def _shown(self) -> pictures.Plane:
        return next(plane for plane in self._planes if plane.name == self.plane.value)

    # ---- what its user does

    def _turned(self, _: Any = None) -> None:
        if self._setting:
            return
        self._setting = True
        plane = self._shown
        self.index.max = plane.count - 1
        self.index.value = self._indices[plane.name]
        self.index.disabled = plane.count == 1
        self._setting = False
        self.refresh()

    def _moved(self, _: Any) -> None:
        if self._setting:
            return
        index, volume = int(self.index.value), self.volume
        self._indices[self._shown.name] = index
        if self._shown.axis == 0 and not volume.on_demand and volume.state(index) != SliceState.FULL:
            volume.prioritise(index)
        self.refresh()

    def _windowed(self, _: Any) -> None:
        if not self._setting:
            self._automatic = False
            self.refresh()

    # ---- drawing

    def refresh(self) -> None:
        """Draw what is there now."""
        volume = self.volume
        self._pending = False
        self._drawn = time.monotonic()
        if not volume.initialized:
            self.status.value = self._status()
            return
        if not self._planes:
            self._set_up()  # comes back here
            return
        if self._automatic and volume.modality != "CT" and not self._over:
            self._set_window(*pictures.default_window(volume))
        plane, index = self._shown, int(self.index.value)
        try:
            pixels = pictures.cut(volume, plane, index)
        except _core.SpinekitError as failure:
            self.status.value = html.escape(str(failure))
            return
        window = max(float(self.window.value), 1e-6)
        inverted = volume.photometric == "MONOCHROME1"
        picture = pictures.picture(pixels, plane, window, float(self.level.value), inverted=inverted)
        self.image.value = pictures.png(picture)
        self.strip.value = pictures.png(pictures.state_strip(volume, index if plane.axis == 0 else None))
        self.status.value = self._status()

    def _status(self) -> str:
        """Return how far it is and what went wrong, as HTML."""
        volume = self.volume
        if not volume.initialized:
            return html.escape(volume.describe())
        parts = []
        if volume.on_demand:
            parts.append(f"{len(volume)} slices, each decoded when it is looked at")
        else:
            there = int(np.count_nonzero(volume.loaded))
            parts.append(f"<b>{there} of {len(volume)} slices</b>")
        errors, warnings = volume.errors, volume.warnings
        parts += [
            f"{len(found)} {kind}" for found, kind in ((warnings, "warnings"), (errors, "errors")) if found
        ]
        if volume.finished and not volume.on_demand:
            seconds = volume.timing.get("last_slice")
            parts.append("loaded" + (f" in {seconds:.2f} s" if seconds is not None else ""))
        else:
            parts += [] if volume.on_demand else ["loading"]
        parts.append(f"shown: {self._shown.name} {self.index.value}{self._place()}")
        messages = [*warnings, *(str(error) for error in errors.values())]
        listed = "".join(f"<li>{html.escape(message)}</li>" for message in messages[:_MOST_MESSAGES])
        more = (
            f"<li>... and {len(messages) - _MOST_MESSAGES} more</li>"
            if len(messages) > _MOST_MESSAGES
            else ""
        )
        details = f"<details><summary>messages</summary><ul>{listed}{more}</ul></details>" if messages else ""
        key = " ".join(
            f"<span style='white-space:nowrap'><span style='display:inline-block;width:9px;height:9px;"
            f"background:{colour}'></span> {name}</span>"
            for name, colour in pictures.STATE_COLOURS.items()
        )
        legend = "" if volume.on_demand else f"<div style='font-size:85%'>{key}</div>"
        return f"{legend}{' &middot; '.join(parts)}{details}"

    def _place(self) -> str:
        """Return what is to know about the shown slice."""
        volume, index = self.volume, int(self.index.value)
        if self._shown.axis != 0 or volume.on_demand:
            return ""
        if index in volume.errors and volume.state(index) == SliceState.EMPTY:
            return ", broken: " + html.escape(str(volume.errors[index]))
        words = {SliceState.EMPTY: ", not here yet", SliceState.COARSE: ", coarse", SliceState.FULL: ""}
        return words[volume.state(index)]

    def on_slice(self, index: int) -> None:
        """Draw soon: a slice has come."""
        if self._closed:
            return
        left = self._drawn + _PAUSE - time.monotonic()
        if left <= 0:
            self.refresh()
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            if self._settled():  # nobody comes back for the last one
                self.refresh()
            return
        if not self._pending:
            self._pending = True
            loop.call_later(left, _draw, weakref.ref(self))

    def _settled(self) -> bool:
        volume = self.volume
        if not volume.initialized or volume.on_demand:
            return True
        broken = sum(isinstance(key, int) for key in volume.errors)
        return int(np.count_nonzero(volume.loaded)) + broken >= len(volume)

    def look(self) -> bool:
        """Draw once loading has begun or ended; return whether that is still to come."""
        if self._closed:
            return False
        over = self.volume.finished
        if over or not self._planes:
            self.refresh()
        self._over = over
        return not over

    def close(self) -> None:
        """Take the view off the page; the volume goes on."""
        self._closed = True
        self.widget.close()

    def _repr_mimebundle_(self, **options: Any) -> Any:
        return self.widget._repr_mimebundle_(**options)

    def __repr__(self) -> str:
        return f"<VolumeView of {self.volume.describe()}>"


def _on_slice(reference: "weakref.ref[VolumeView]", index: int) -> None:
    view = reference()
    if view is not None:
        view.on_slice(index)


def _draw(reference: "weakref.ref[VolumeView]") -> None:
    view = reference()
    if view is not None and view._pending:
        view.refresh()


def _look(reference: "weakref.ref[VolumeView]", loop: asyncio.AbstractEventLoop) -> None:
    view = reference()
    if view is not None and view.look():
        loop.call_later(_LOOK, _look, reference, loop)
