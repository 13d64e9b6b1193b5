"""How long a sound lasts is read from its own bytes, or not at all."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.durations import seconds_of

FRAME = b"\xff\xfb\x90\x00" + b"\x00" * 413
"""Version 1, third layer, 128 kbit/s at 44.1 kHz: 417 bytes that last 1152 samples."""


def wave(samples: int, told: int | None = None) -> bytes:
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8_000, 16_000, 2, 16)
    size = samples * 2
    data = struct.pack("<4sI", b"data", size if told is None else told) + b"\x00" * size
    return b"RIFF\x00\x00\x00\x00WAVE" + form + data


def test_a_wave_lasts_as_long_as_its_samples() -> None:
    assert seconds_of(wave(4_000), "audio/wav") == 0.5


def test_a_wave_whose_length_was_not_known_is_measured() -> None:
    assert seconds_of(wave(8_000, told=0xFFFFFFFF), "audio/wav") == 1.0


def test_samples_without_a_header_are_measured() -> None:
    assert seconds_of(b"\x00" * 96_000, "audio/pcm") == 2.0


@pytest.mark.parametrize("tag", [b"", b"ID3\x04\x00\x00\x00\x00\x06\x42" + FRAME * 2], ids=["bare", "tagged"])
def test_frames_are_added_up(tag: bytes) -> None:
    assert seconds_of(tag + FRAME * 100, "audio/mpeg") == pytest.approx(100 * 1_152 / 44_100)


def test_slower_versions_have_shorter_frames() -> None:
    frame = b"\xff\xf3\x84\xc4" + b"\x00" * 188
    assert seconds_of(frame * 50, "audio/mpeg") == pytest.approx(50 * 576 / 24_000)


@pytest.mark.parametrize("sound", [b"", b"RIFF\x00\x00\x00\x00WAVE", b"RIFFxxxxWAVEdata", b"no sound"])
@pytest.mark.parametrize("media", ["audio/mpeg", "audio/aac", ""])
def test_what_is_not_understood_has_no_length(sound: bytes, media: str) -> None:
    assert seconds_of(sound, media) is None


@given(st.binary(max_size=2_000))
def test_noise_is_no_trouble(noise: bytes) -> None:
    for media in ("audio/mpeg", "audio/wav"):
        for sound in (noise, b"RIFF\x00\x00\x00\x00WAVE" + noise, b"\xff\xfb" + noise):
            assert (seconds_of(sound, media) or 0) >= 0
