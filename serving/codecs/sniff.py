"""Names what bytes are, so that an error can say what came instead of an image."""

from __future__ import annotations

SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"%PDF", "a PDF document"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"II*\x00", "a TIFF image"),
    (0, b"MM\x00*", "a TIFF image"),
    (4, b"ftypavif", "an AVIF image"),
    (4, b"ftyphei", "a HEIC image"),
    (4, b"ftypmif1", "a HEIC image"),
    (4, b"ftyp", "a video"),
    (0, b"8BPS", "a Photoshop file"),
    (0, b"\x00\x00\x01\x00", "an icon file"),
    (0, b"\x89HDF", "an HDF5 file"),
    (0, b"\x93NUMPY", "a NumPy file"),
    (0, b"\xff\xd8\xff", "the beginning of a damaged JPEG"),
    (0, b"\x89PNG", "the beginning of a damaged PNG"),
    (0, b"GIF8", "the beginning of a damaged GIF"),
    (0, b"RIFF", "a RIFF file that is not a WebP image"),
)
LOOKED_AT = 512
"""Bytes that are enough to tell."""


def describe_bytes(data: bytes) -> str:
    """A few words for what `data` seems to be: "text", "a PDF document", …"""
    if not data:
        return "nothing (0 bytes)"
    for offset, signature, name in SIGNATURES:
        if data[offset:].startswith(signature):
            return name
    start = data[:LOOKED_AT]
    try:
        # The cut may go through a character of up to four bytes.
        text = start.decode("utf-8", errors="strict" if len(data) <= LOOKED_AT else "ignore")
    except UnicodeDecodeError:
        return f"{len(data)} bytes of an unknown kind" if len(data) < LOOKED_AT else "bytes of an unknown kind"
    if not all(character.isprintable() or character.isspace() for character in text):
        return "bytes of an unknown kind"
    beginning = text.lstrip().lower()
    if beginning.startswith(("<!doctype html", "<html")):
        return "an HTML page"
    if "<svg" in beginning:
        return "an SVG drawing"
    if beginning.startswith(("{", "[")):
        return "JSON text"
    return "text"
