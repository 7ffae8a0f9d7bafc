"""The codec: every way an image can come, and every way it can be wrong."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from records.errors import BundleError, InputError
from serving.codecs.image import Header, ImageCodec, fit, read_header

CODEC = ImageCodec(height=7, width=5, channels=3)
GREY = ImageCodec(height=7, width=5, channels=1)


def encoded(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("shape", [(11, 13), (11, 13, 1), (11, 13, 3), (11, 13, 4), (7, 5, 3), (7, 5)])
@pytest.mark.parametrize("codec", [CODEC, GREY])
def test_array_and_its_png_are_the_same_input(shape: tuple[int, ...], codec: ImageCodec) -> None:
    array = noise(*shape)
    png = encoded(Image.fromarray(array[:, :, 0] if shape[2:] == (1,) else array))
    result = codec.encode(array)
    assert result.shape == codec.input_shape and result.dtype == np.uint8
    np.testing.assert_array_equal(result, codec.encode(png))


def test_prepared_array_passes_through_unchanged() -> None:
    array = noise(7, 5, 3)
    np.testing.assert_array_equal(CODEC.encode(array), array)
    np.testing.assert_array_equal(GREY.encode(array[:, :, :1]), array[:, :, :1])


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "BMP", "GIF"])
def test_every_format_is_read_from_bytes_and_from_a_file(format: str, tmp_path: Path) -> None:
    data = encoded(Image.fromarray(np.full((20, 30, 3), (200, 30, 60), np.uint8)), format)
    path = tmp_path / "picture"
    path.write_bytes(data)
    result = CODEC.encode(data)
    assert np.abs(result.astype(int) - [200, 30, 60]).max() < 12
    np.testing.assert_array_equal(result, CODEC.encode(path))


def test_orientation_of_a_camera_is_applied() -> None:
    picture = np.zeros((40, 60, 3), np.uint8)
    picture[:, :30] = 255  # white on the left
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise: what is on the left comes to the top
    data = encoded(Image.fromarray(picture), "JPEG", exif=exif, quality=95)
    result = CODEC.encode(data)
    assert result[0].min() > 200 and result[-1].max() < 50
    assert read_header(data) == Header(height=60, width=40, channels=3)


def test_what_is_transparent_shows_white() -> None:
    clear = np.zeros((9, 9, 4), np.uint8)
    assert CODEC.encode(clear).min() == 255
    palette = Image.new("P", (9, 9), 0)
    palette.putpalette([0, 0, 0, 255, 0, 0])
    assert CODEC.encode(encoded(palette, transparency=0)).min() == 255
    grey = Image.new("L", (9, 9), 0)
    assert GREY.encode(encoded(grey, transparency=0)).min() == 255


def test_sixteen_bits_are_scaled_and_not_clipped() -> None:
    ramp = np.linspace(0, 65535, 9 * 9).reshape(9, 9).astype(np.uint16)
    result = GREY.encode(encoded(Image.fromarray(ramp)))
    assert result[0, 0, 0] < 30 and result[-1, -1, 0] > 225
    assert 110 < np.median(result) < 145


@pytest.mark.parametrize("mode", ["1", "P", "CMYK", "LA"])
def test_other_modes_become_colours(mode: str) -> None:
    image = Image.fromarray(np.full((9, 9, 3), 255, np.uint8)).convert(mode)
    data = encoded(image, "JPEG" if mode == "CMYK" else "PNG")
    assert CODEC.encode(data).min() > 250


def test_first_frame_of_an_animation_is_taken() -> None:
    frames = [Image.new("RGB", (9, 9), colour) for colour in ("red", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(CODEC.encode(data)[0, 0], [255, 0, 0])


def test_making_smaller_averages_instead_of_picking() -> None:
    checks = (np.indices((70, 50)).sum(axis=0) % 2 * 255).astype(np.uint8)
    result = GREY.encode(checks)
    assert result.min() > 110 and result.max() < 145


@pytest.mark.parametrize(
    ("raw", "status", "words"),
    [
        (b"", 422, "Received: nothing"),
        (b"name,age\nada,36\n", 422, "Received: text."),
        (b"<!DOCTYPE html><html>", 422, "Received: an HTML page"),
        (b'<?xml version="1.0"?><svg xmlns="x">', 422, "Received: an SVG drawing"),
        (b'{"a": 1}', 422, "Received: JSON text"),
        (b"%PDF-1.7 " + bytes(50), 422, "Received: a PDF document"),
        (bytes(range(256)) * 4, 422, "bytes of an unknown kind"),
        (Path("no/such/file.jpg"), 422, "cannot be read"),
        (np.zeros((5, 5), np.float32), 422, "Received: <float32>[5, 5]"),
        (np.zeros((5, 0, 3), np.uint8), 422, "is empty"),
        (np.zeros((5, 5, 2), np.uint8), 422, "Received: <uint8>[5, 5, 2]"),
        (object(), 422, "Received: object"),
    ],
)
def test_what_is_no_image_is_told(raw: object, status: int, words: str) -> None:
    with pytest.raises(InputError) as caught:
        CODEC.encode(raw)  # type: ignore[arg-type]
    assert caught.value.status == status
    assert words in str(caught.value)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "BMP", "GIF"])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_cut_and_spoilt_files_are_input_errors_or_images(format: str, part: float) -> None:
    data = encoded(Image.fromarray(noise(40, 40, 3)), format)
    spoilt = bytearray(data)
    spoilt[int(len(data) * part)] ^= 0xFF
    for raw in (data[: int(len(data) * part)], bytes(spoilt)):
        try:
            assert CODEC.encode(raw).shape == (7, 5, 3)
        except InputError as error:
            assert error.status in (413, 422)


def test_cut_jpeg_is_called_damaged() -> None:
    data = encoded(Image.fromarray(noise(40, 40, 3)), "JPEG")
    with pytest.raises(InputError, match="damaged"):
        CODEC.encode(data[: len(data) // 2])


@pytest.mark.parametrize("side", [8_000, 13_000, 20_000])
def test_few_bytes_that_decode_to_many_pixels_are_refused_before_decoding(side: int) -> None:
    data = encoded(Image.new("1", (side, side)))
    assert len(data) < 60_000
    for read in (CODEC.encode, read_header):
        with pytest.raises(InputError, match="too large. Expected at most 50000000 pixels") as caught:
            read(data)
        assert caught.value.status == 413


def test_too_many_bytes_are_refused(tmp_path: Path) -> None:
    codec = ImageCodec(height=7, width=5, channels=3, max_bytes=100)
    path = tmp_path / "large.bmp"
    path.write_bytes(bytes(101))
    for raw in (path, bytes(101)):
        with pytest.raises(InputError, match="at most 100 bytes. Received: 101") as caught:
            codec.encode(raw)
        assert caught.value.status == 413


def test_json_round_trip_and_its_errors() -> None:
    saved = CODEC.to_json()
    assert ImageCodec.from_json(saved) == CODEC
    with pytest.raises(BundleError, match="does not describe the codec of image"):
        ImageCodec.from_json({name: value for name, value in saved.items() if name != "width"})
    with pytest.raises(BundleError, match="height is wrong. Expected an integer from 4 to 1024. Received: '7'"):
        ImageCodec.from_json({**saved, "height": "7"})
    with pytest.raises(BundleError, match="channels are wrong"):
        ImageCodec.from_json({**saved, "channels": 2})


def header(height: int, width: int, channels: int = 3) -> Header:
    return Header(height=height, width=width, channels=channels)


@pytest.mark.parametrize(
    ("headers", "cap", "shape"),
    [
        ([header(8, 8, 1)] * 3, 160, (8, 8, 1)),  # tiny images keep their size
        ([header(28, 28, 1), header(28, 28, 3)], 160, (28, 28, 3)),  # one in colour: all in colour
        ([header(100, 80)] * 3, 50, (50, 40, 3)),  # equal sizes keep their proportions
        ([header(400, 300), header(800, 600), header(1600, 1200)], 160, (160, 120, 3)),
        ([header(300, 400), header(400, 300)], 160, (160, 160, 3)),  # lying and upright: neither is favoured
        ([header(20, 22), header(24, 22)], 160, (23, 23, 3)),
        ([header(1, 3000)] * 2, 160, (4, 160, 3)),
        ([header(2, 2)], 160, (4, 4, 3)),
    ],
)
def test_fit_chooses_the_usual_size_up_to_the_cap(headers: list[Header], cap: int, shape: tuple[int, ...]) -> None:
    assert fit(headers, cap).input_shape == shape


def test_header_is_read_without_decoding() -> None:
    data = encoded(Image.fromarray(noise(40, 60)), "PNG")
    assert read_header(data[:200]) == Header(height=40, width=60, channels=1)
    assert read_header(noise(40, 60, 4)) == Header(height=40, width=60, channels=3)
