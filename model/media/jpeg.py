"""Structure of JPEG files."""

from __future__ import annotations

import re

START_OF_SCAN, END_OF_IMAGE, TEMPORARY = 0xDA, 0xD9, 0x01
# A marker that is neither an escaped byte of a scan, nor a restart in it, nor filling.
MARKER = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])", re.DOTALL)


def count_scans(data: bytes, limit: int) -> int:
    """Count the scans of the first image of a JPEG, up to ``limit`` + 1.

    Segments are skipped by their lengths, because profiles and previews in them may contain any bytes, as may the film
    after the image in the motion photos of phones.
    """
    scans, position = 0, 2
    while scans <= limit and (marker := MARKER.search(data, position)):
        kind, position = marker[1][0], marker.end()
        if kind == END_OF_IMAGE:
            break
        scans += kind == START_OF_SCAN
        if kind != TEMPORARY:
            position += int.from_bytes(data[position : position + 2], "big")
    return scans
