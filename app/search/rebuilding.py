"""New vectors for an index whose model was replaced."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from omninet.app.search.embedded import EmbeddedIndex
from omninet.app.search.entries import Entry, digest_of
from omninet.app.search.index import Index
from omninet.app.search.pictures import NewPicture, PictureReader
from omninet.model.media.images import decode_image

BATCH = 16  # pictures per batch of the model
SUFFIX, OLD = ".rebuilding", ".old"  # of the folders beside that of the index


def rebuild(folder: Path, reader: PictureReader, report: Callable[[int, int], None]) -> int:
    """Make all vectors and captions anew, in a folder beside the index, which then takes its place.

    A picture is read from its ``source`` if that is the same file still, else its thumbnail is used. An interrupted
    rebuild goes on where it was.

    Args:
        report: called with the number of entries that are done, and that of all.

    Returns:
        Number of entries.

    Raises:
        IndexInUseError: another process owns the index.
    """
    target = folder.with_name(folder.name + SUFFIX)
    old = EmbeddedIndex(folder)
    try:
        new = _begun(target, reader)
        try:
            missing = (entry for entry in old.entries() if new.find(entry.digest) is None)
            while batch := list(islice(missing, BATCH)):
                new.add(reader.read([_picture(old, entry) for entry in batch]), reader.identity)
                report(new.count(), old.count())
            count = new.count()
        finally:
            new.close()
    finally:
        old.close()
    former = folder.with_name(folder.name + OLD)
    folder.rename(former)
    target.rename(folder)
    shutil.rmtree(former)
    return count


def _begun(target: Path, reader: PictureReader) -> EmbeddedIndex:
    """Open the new index; one that was begun with another model is begun again."""
    new = EmbeddedIndex(target)
    if new.identity() not in {None, reader.identity}:
        new.close()
        shutil.rmtree(target)
        new = EmbeddedIndex(target)
    return new


def _picture(index: Index, entry: Entry) -> NewPicture:
    data = next((data for data in _files(index, entry)), b"")
    # Words are kept as they were read: a thumbnail is too small to read them again.
    words = entry.words
    return NewPicture(decode_image(data), entry.digest, entry.source, entry.id, entry.text, entry.metadata, words=words)


def _files(index: Index, entry: Entry) -> Iterator[bytes]:
    """Yield the picture's file if it is there and unchanged, then its thumbnail."""
    try:
        data = Path(entry.source).read_bytes() if entry.source else b""
    except (OSError, ValueError):
        data = b""
    if digest_of(data) == entry.digest:
        yield data
    yield index.thumbnail(entry.id) or b""
