"""What a DICOM header says of one frame; what cannot be read there is as good as absent."""

import io
import re
from typing import Any

from spinekit._core import ArgumentError, MalformedDataError

_CODE = re.compile(r"[A-Z0-9_ ]{1,16}")


def code_of(value: Any) -> str:
    """Return text that is a code string, else nothing: free text may be about the patient."""
    text = value.strip() if isinstance(value, str) else ""
    return text if _CODE.fullmatch(text) else ""


class Header:
    """Attributes of a file, in which those of the frame go before those that all frames share.

    Parameters
    ----------
    data : the whole file
    name : of the file, for messages
    """

    def __init__(self, data: bytes, name: str) -> None:
        import pydicom  # noqa: PLC0415 - slow to import

        self.name = name
        try:
            self.dataset = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True, force=True)
            self._places = [self.dataset]
            self.syntax = self.dataset.file_meta.get("TransferSyntaxUID")
        except Exception as failure:  # pydicom has no common error for damaged headers
            raise MalformedDataError(f"'{name}': its DICOM header cannot be read: {failure}") from failure

    def choose(self, frame: int) -> None:
        """Let the functional groups of a frame count, where the file has such."""
        found = []
        for keyword, index in (
            ("PerFrameFunctionalGroupsSequence", frame),
            ("SharedFunctionalGroupsSequence", 0),
        ):
            groups = self.items(keyword)
            if index < len(groups):
                found += [item for group in groups[index] if group.VR == "SQ" for item in group.value[:1]]
        self._places = [*found, self.dataset]

    def get(self, keyword: str) -> Any:
        """Return a value, None where it is absent, empty or unreadable."""
        for place in self._places:
            try:
                value = place.get(keyword)
            except Exception:  # what pydicom raises depends on the value
                continue
            if value is not None and value != "":
                return value
        return None

    def items(self, keyword: str) -> list[Any]:
        """Return the items of a sequence."""
        found = self.get(keyword)
        return list(found) if found is not None and not isinstance(found, (str, bytes)) else []

    def numbers(self, keyword: str) -> tuple[float, ...]:
        """Return the numbers of an attribute, none where one of them is no number."""
        value = self.get(keyword)
        if value is None or isinstance(value, bytes):
            return ()
        try:
            return tuple(float(v) for v in ([value] if isinstance(value, (str, int, float)) else value))
        except (TypeError, ValueError):
            return ()

    def number(self, keyword: str) -> float | None:
        """Return the first number of an attribute."""
        return next(iter(self.numbers(keyword)), None)

    def code(self, keyword: str) -> str:
        """Return a code string; anything else that stands there may be a name, and is left there."""
        return code_of(self.get(keyword))

    def codes(self, keyword: str) -> list[str]:
        """Return the code strings of an attribute with several."""
        value = self.get(keyword)
        values = [value] if isinstance(value, str) else value or ()
        return [v for v in values if isinstance(v, str) and _CODE.fullmatch(v)]

    def kept(self, keywords: tuple[str, ...]) -> dict[str, str]:
        """Return the values of attributes that somebody asked for, as text; absent ones are left out."""
        from pydicom.datadict import tag_for_keyword  # noqa: PLC0415 - slow to import

        for keyword in keywords:
            if tag_for_keyword(keyword) is None:
                raise ArgumentError(f"keep: {keyword!r} is no keyword of DICOM, such as 'PatientID'")
        found = {keyword: self.get(keyword) for keyword in keywords}
        return {keyword: str(value) for keyword, value in found.items() if value is not None}
