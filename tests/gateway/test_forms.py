"""Forms are understood in one way or refused, and edited without touching another byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidRequest, TooLarge
from gateway.forms import MOST_PARTS, add_field, boundary_of, edit_field, read_form, text_of

MEDIA = "multipart/form-data; boundary=xYz"


def part(head: bytes, value: bytes) -> bytes:
    return b"--xYz\r\n%b\r\n\r\n%b\r\n" % (head, value)


def field(name: bytes, value: bytes) -> bytes:
    return part(b'Content-Disposition: form-data; name="%b"' % name, value)


def file(value: bytes, name: bytes = b"a.wav") -> bytes:
    head = b'Content-Disposition: form-data; name="file"; filename="%b"\r\nContent-Type: audio/wav' % name
    return part(head, value)


END = b"--xYz--\r\n"
MODEL = field(b"model", b"m")


def test_the_fields_are_found_in_their_order() -> None:
    body = MODEL + file(b"\x00\r\n--xY\r\n\r\n\xff") + field(b"prompt", b"") + END
    model, sound, prompt = read_form(body, MEDIA)
    assert (model.name, model.filename, text_of(body, model)) == ("model", None, "m")
    assert (sound.name, sound.filename) == ("file", "a.wav")
    assert body[sound.start : sound.end] == b"\x00\r\n--xY\r\n\r\n\xff"
    assert text_of(body, prompt) == ""


@given(st.binary(max_size=200), st.binary(min_size=1, max_size=20))
def test_an_edit_changes_one_value_and_no_other_byte(sound: bytes, value: bytes) -> None:
    before, after = file(sound.replace(b"--xYz", b"")), field(b"prompt", b"hi") + END
    body = before + MODEL + after
    edited = edit_field(body, read_form(body, MEDIA)[1], value)
    assert edited == before + field(b"model", value) + after


def test_a_field_is_added_in_front() -> None:
    body = file(b"x") + END
    assert [one.name for one in read_form(add_field(body, MEDIA, "model", b"m"), MEDIA)] == ["model", "file"]


@pytest.mark.parametrize(
    "media",
    [
        'multipart/form-data; boundary="xYz"',
        "Multipart/Form-Data; charset=utf-8; boundary=xYz",
        "multipart/form-data;boundary=xYz; charset=utf-8",
    ],
)
def test_a_boundary_is_found_however_it_is_written(media: str) -> None:
    assert boundary_of(media) == b"xYz"


@pytest.mark.parametrize(
    "media",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary=""',
        "multipart/form-data; boundary=a; boundary=b",
        'multipart/form-data; boundary="a\\"b"',
        "multipart/form-data; boundary=" + "a" * 71,
        "multipart/form-data; boundary=caf\u00e9",
        "multipart/form-data; boundary=a\r\nX: y",
        "multipart/form-data;" + " " * 60_000 + "boundary=a",
        "multipart/mixed; boundary=a",
    ],
)
def test_an_odd_boundary_is_refused(media: str) -> None:
    with pytest.raises(InvalidRequest):
        boundary_of(media)


DISPOSITION = b"Content-Disposition: form-data; "
HOSTILE = {
    "nothing": b"",
    "no part": END,
    "no end": MODEL,
    "an end without dashes": MODEL + b"--xYz\r\n",
    "something in front": b"hello\r\n" + MODEL + END,
    "something behind": MODEL + END + b"hello",
    "another part behind the end": MODEL + END + MODEL + END,
    "a boundary within a line": field(b"model", b"m--xYzm") + END,
    "a boundary behind a bare line feed": field(b"model", b'm\n--xYz\nContent-Disposition: x; name="y"')
    + END,
    "a boundary that goes on": MODEL + field(b"prompt", b"a\r\n--xYzz\r\nb") + END,
    "an end within a line": MODEL[:-2] + END,
    "an end behind a bare line feed": MODEL[:-2] + b"\n" + END,
    "no headers": b"--xYz\r\nvalue\r\n" + END,
    "no name": part(b"Content-Disposition: form-data", b"m") + END,
    "an empty name": field(b"", b"m") + END,
    "a name twice": part(DISPOSITION + b'name="prompt"; name="model"', b"m") + END,
    "a name in another character set": part(DISPOSITION + b"name*=utf-8''model", b"m") + END,
    "a name with an escape": part(DISPOSITION + b'name="mod\\el"', b"m") + END,
    "another disposition": part(b'Content-Disposition: attachment; name="model"', b"m") + END,
    "two dispositions": part(DISPOSITION + b'name="a"\r\n' + DISPOSITION + b'name="model"', b"m") + END,
    "a folded header": part(DISPOSITION + b'\r\n name="model"', b"m") + END,
    "a header without a colon": part(DISPOSITION + b'name="model"\r\nhello', b"m") + END,
    "a header with a bare line feed": part(DISPOSITION + b'name="a"\nX: name="model"', b"m") + END,
    "a transfer encoding": part(DISPOSITION + b'name="model"\r\nContent-Transfer-Encoding: base64', b"bQ==")
    + END,
    "headers of invalid UTF-8": part(DISPOSITION + b'name="\xff"', b"m") + END,
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_a_form_that_may_be_read_in_two_ways_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        read_form(body, MEDIA)


def test_too_many_fields_and_too_long_headers_are_too_large() -> None:
    assert len(read_form(MODEL * MOST_PARTS + END, MEDIA)) == MOST_PARTS
    with pytest.raises(TooLarge):
        read_form(MODEL * (MOST_PARTS + 1) + END, MEDIA)
    with pytest.raises(TooLarge):
        read_form(MODEL * 500_000 + END, MEDIA)
    with pytest.raises(TooLarge):
        read_form(part(DISPOSITION + b'name="a"\r\nX: ' + b"y" * 5_000, b"m") + END, MEDIA)
    with pytest.raises(TooLarge):
        read_form(part(DISPOSITION + b'name="a"' + b"\r\nX: y" * 1_000_000, b"m") + END, MEDIA)


@given(st.binary(max_size=300))
def test_whatever_comes_is_read_or_refused(noise: bytes) -> None:
    for body in (noise, MODEL + noise + END, b"--xYz" + noise + END, b"--xYz\r\n" + noise + b"\r\n" + END):
        try:
            read_form(body, MEDIA)
        except (InvalidRequest, TooLarge):
            continue
