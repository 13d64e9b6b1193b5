"""How long a sound lasts, by its own bytes."""

import re
from collections.abc import Mapping

_PCM_BYTES_A_SECOND = 48_000
"""16 bits at 24 kHz, one channel: what speech without a header is."""

_BITRATES: Mapping[int, tuple[int, ...]] = {
    3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Kilobits a second of MPEG's third layer, by its version; 2 and 2.5 have the same."""
_RATES: Mapping[int, tuple[int, ...]] = {
    3: (44_100, 48_000, 32_000),
    2: (22_050, 24_000, 16_000),
    0: (11_025, 12_000, 8_000),
}
_SAMPLES: Mapping[int, int] = {3: 1_152, 2: 576, 0: 576}
_SYNC = re.compile(rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb]")


def seconds_of(sound: bytes, media: str) -> float | None:
    """Seconds of a sound; None where its format is not read here."""
    if sound.startswith(b"RIFF") and sound[8:12] == b"WAVE":
        return _of_wave(sound)
    if media.startswith("audio/pcm"):
        return len(sound) / _PCM_BYTES_A_SECOND
    if media.startswith(("audio/mpeg", "audio/mp3")):
        return _of_mpeg(sound)
    return None


def _of_wave(sound: bytes) -> float | None:
    """A length that was not known when the header was written is that of the bytes."""
    form, data = sound.find(b"fmt ", 12), sound.find(b"data", 12)
    if form < 0 or data < form:
        return None
    a_second = int.from_bytes(sound[form + 16 : form + 20], "little")
    told, there = int.from_bytes(sound[data + 4 : data + 8], "little"), len(sound) - data - 8
    return min(told, there) / a_second if a_second and there >= 0 else None


def _of_mpeg(sound: bytes) -> float | None:
    seconds, at = 0.0, _behind_tag(sound)
    while found := _SYNC.search(sound, at):
        at = found.start()
        frame = _frame(sound[at + 1 : at + 3])
        if frame is None:
            at += 1
            continue
        length, lasts = frame
        seconds += lasts
        at += length
    return seconds or None


def _behind_tag(sound: bytes) -> int:
    if not sound.startswith(b"ID3") or len(sound) < 10:
        return 0
    size = 0
    for byte in sound[6:10]:
        size = size << 7 | byte & 0x7F
    return size + 10


def _frame(head: bytes) -> tuple[int, float] | None:
    """Bytes and seconds of a frame by what follows its first byte; None where it is none."""
    if len(head) < 2:
        return None
    version = head[0] >> 3 & 3
    rate, bits = head[1] >> 2 & 3, head[1] >> 4
    if rate == 3 or bits in (0, 15):
        return None
    samples, hertz = _SAMPLES[version], _RATES[version][rate]
    kilobits = _BITRATES[3 if version == 3 else 2][bits]
    return samples // 8 * kilobits * 1000 // hertz + (head[1] >> 1 & 1), samples / hertz
