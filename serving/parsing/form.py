"""Taking a `multipart/form-data` body apart, in memory: its size is limited before it comes here."""

from __future__ import annotations

from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from records.errors import InputError


@dataclass
class Part:
    """One field of a form. A file and a text look alike: only the field's name counts."""

    name: str = ""
    chunks: list[bytes] = field(default_factory=list)

    @property
    def content(self) -> bytes:
        """What was sent in it."""
        return self.chunks[0] if len(self.chunks) == 1 else b"".join(self.chunks)


def split_form(body: bytes, boundary: bytes, max_parts: int) -> list[Part]:
    """The form's fields in their order.

    Raises:
        InputError: Not a form, or cut off (400), or of too many fields (413).
    """
    if not boundary:
        raise InputError("The form has no boundary. Expected Content-Type: multipart/form-data; boundary=….", 400)
    collector = _Collector(max_parts)
    try:
        MultipartParser(
            boundary,
            {
                "on_part_begin": collector.begin,
                "on_header_field": collector.add_header_name,
                "on_header_value": collector.add_header_value,
                "on_header_end": collector.end_header,
                "on_part_data": collector.add_data,
                "on_end": collector.end,
            },
        ).write(body)
    except FormParserError as error:
        reason = str(error)[:100].rstrip(".")
        raise InputError(f"The form is malformed: {reason}. Expected multipart/form-data.", 400) from None
    if not collector.ended:
        raise InputError("The form is cut off: its last boundary is missing.", 400)
    return collector.parts


class _Collector:
    """What the parser calls while it reads."""

    def __init__(self, max_parts: int) -> None:
        self.parts: list[Part] = []
        self.ended = False
        self._max_parts = max_parts
        self._header_name = b""
        self._header_value = b""

    def begin(self) -> None:
        if len(self.parts) == self._max_parts:
            raise InputError(f"The form has too many fields. Expected at most {self._max_parts}.", 413)
        self.parts.append(Part())

    def add_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def add_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def end_header(self) -> None:
        if self._header_name.lower() == b"content-disposition":
            options = parse_options_header(self._header_value)[1]
            self.parts[-1].name = options.get(b"name", b"").decode("utf-8", "replace")
        self._header_name = self._header_value = b""

    def add_data(self, data: bytes, start: int, end: int) -> None:
        self.parts[-1].chunks.append(data[start:end])

    def end(self) -> None:
        self.ended = True
