"""What a request to the index does."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from fastapi import Request

from omninet.app.backend import Upload
from omninet.app.http.schemas import ModelName
from omninet.app.http.search.bodies import (
    AddedReply,
    EntryReply,
    HitReply,
    IndexForm,
    IndexReply,
    SearchForm,
    SearchReply,
    WordReply,
)
from omninet.app.http.service import Service
from omninet.app.http.text_limits import check_length
from omninet.app.search.entries import Entry, Identity, NewEntry, ReadWord, Vector, digest_of, id_of
from omninet.app.search.pictures import READ, READ_OPTIONS, words_read
from omninet.app.search.searching import SearchRequest, query_of, ranked, with_thumbnails
from omninet.app.search.service import IndexService
from omninet.app.search.thumbnails import thumbnail_of
from omninet.model.errors import InputError
from omninet.model.network_config import OmniNetConfig
from omninet.model.outputs.embedding.exits import EXITS
from omninet.model.uses import not_in_checkpoint

CAPTION, EMBED, ENTITIES, MATCH, IMAGE = "caption", "embed", "entities", "match", "image"
MOST_METADATA = 16 * 1024  # bytes


async def describe_index(index: IndexService) -> IndexReply:
    """Return the number of entries, the size on disk, and what the vectors are of."""
    count, size, identity = await index.run(lambda opened: (opened.count(), opened.size(), opened.identity()))
    known = identity or Identity("", (), 0)
    return IndexReply(
        count=count, bytes=size, model=known.model or None, exits=list(known.exits), width=known.width or None
    )


async def add_picture(index: IndexService, service: Service, form: IndexForm, request: Request) -> AddedReply:
    """Add the picture of a form to the index, unless the same file is there.

    Raises:
        InputError: the picture, the text or the metadata cannot be used.
        ServiceError: the index or the model cannot answer.
    """
    metadata = _metadata(form.metadata)
    check_length([("text", form.text or "")], service.settings.max_text_characters)
    data = await form.image.read()
    digest = digest_of(data)
    found = await index.run(lambda opened: opened.find(digest))
    if found is not None:
        return AddedReply(id=found.id, created=False)
    model = await service.backend.describe()
    exits = tuple(reversed(EXITS))
    asked: list[tuple[str, Mapping[str, Any]]] = [(EMBED, {"exit": name}) for name in exits]
    asked += [(CAPTION, {"beams": 1})] if CAPTION in model.network.tasks else []
    answered, decoded = await service.ask_all(request, asked, _uploads(model.network, EMBED, data))
    names = await _names_in(service, request, model.network, form.text or "")
    answers: Sequence[Any] = [each.answer for each in answered]
    entry = Entry(
        form.id or id_of(digest),
        digest,
        form.source or "",
        answers[-1].caption if CAPTION in model.network.tasks else "",
        form.text or "",
        names,
        metadata,
        await _words_in(service, request, model.network, data) if form.read else (),
    )
    vectors = {name: _vector(answer) for name, answer in zip(exits, answers, strict=False)}
    new = NewEntry(entry, vectors, thumbnail_of(decoded[IMAGE]))
    identity = Identity(model.digest, exits, len(vectors[exits[0]]))
    (added,) = await index.run(lambda opened: opened.add([new], identity))
    return AddedReply(id=added.id, created=added.created)


async def _names_in(service: Service, request: Request, network: OmniNetConfig, text: str) -> tuple[str, ...]:
    """Return the entities of a text; none if the model does not find any."""
    if ENTITIES not in network.tasks or not text.strip():
        return ()
    answered, _ = await service.ask_all(request, [(ENTITIES, {"text": text})], ())
    answer: Any = answered[0].answer
    names: tuple[str, ...] = answer.names
    return names


async def _words_in(service: Service, request: Request, network: OmniNetConfig, data: bytes) -> tuple[ReadWord, ...]:
    """Return the words that are written in a picture.

    Raises:
        InputError: ``task_not_in_checkpoint``: the model does not read.
    """
    answered, _ = await service.ask_all(request, [(READ, READ_OPTIONS)], _uploads(network, READ, data))
    return words_read(answered[0].answer)


async def find_pictures(index: IndexService, service: Service, form: SearchForm, request: Request) -> SearchReply:
    """Find the pictures that a form asks for; the second stage compares the thumbnails of the first hits.

    Raises:
        InputError: the form asks for nothing, or for something that cannot be searched.
        ServiceError: the index or the model cannot answer.
    """
    given = SearchRequest(
        form.text or "",
        await form.image.read() if form.image else None,
        form.limit,
        form.exit,
        form.rerank,
        form.filter,
        form.entity or "",
        form.contains or "",
    )
    given.check()
    check_length([("text", given.text)], service.settings.max_text_characters)
    model = await service.backend.describe()
    vector = await _vector_of(service, request, model.network, given) if given.needs_model else None
    hits, seen = await index.run(
        lambda opened: with_thumbnails(opened, opened.search(query_of(given, vector)), given.rerank)
    )
    scores = [await _match(service, request, model.network, thumbnail, given.text) for thumbnail in seen]
    return SearchReply(
        hits=[
            HitReply(
                **entry_fields(hit.entry),
                score=hit.score,
                rerank_score=second,
                found=[WordReply.model_validate(word) for word in hit.found],
            )
            for hit, second in ranked(given, hits, scores)
        ],
        model=ModelName(name=model.name, version=model.version),
    )


async def _vector_of(service: Service, request: Request, network: OmniNetConfig, given: SearchRequest) -> Vector:
    inputs: dict[str, Any] = {"exit": given.exit} | ({"text": given.text} if given.text else {})
    uploads = () if given.image is None else _uploads(network, EMBED, given.image)
    answered, _ = await service.ask_all(request, [(EMBED, inputs)], uploads)
    return _vector(answered[0].answer)


async def _match(service: Service, request: Request, network: OmniNetConfig, thumbnail: bytes, text: str) -> float:
    answered, _ = await service.ask_all(request, [(MATCH, {"text": text})], _uploads(network, MATCH, thumbnail))
    answer: Any = answered[0].answer
    return float(answer.score)


def _uploads(network: OmniNetConfig, task: str, data: bytes) -> tuple[Upload, ...]:
    """Return a picture as the upload of a task.

    Raises:
        InputError: ``task_not_in_checkpoint``, or ``unexpected_input``: the task was loaded for texts alone.
    """
    if task not in network.tasks:
        raise not_in_checkpoint([task], list(network.tasks))
    known = network.keywords(network.tasks[task])
    if IMAGE not in known:
        raise InputError("unexpected_input", f"task {task} was loaded without its input {IMAGE}", input=IMAGE)
    wanted, form = known[IMAGE]
    return (Upload(IMAGE, wanted.peripheral, form, io.BytesIO(data)),)


def _metadata(text: str | None) -> dict[str, Any]:
    """Read the metadata of an entry.

    Raises:
        InputError: ``invalid_metadata``: it is no JSON object, or too long.
    """
    if text is None:
        return {}
    if len(text.encode()) > MOST_METADATA:
        raise _invalid(f"it has {len(text.encode()):,} bytes; at most {MOST_METADATA:,} are accepted")
    try:
        found = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise _invalid(f"it is no valid JSON: {error}") from None
    if not isinstance(found, dict):
        raise _invalid("it must be an object")
    if "\\u0000" in json.dumps(found):
        raise _invalid("it must not contain the character U+0000")
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _invalid(why: str) -> InputError:
    example = '{"year": 2020, "places": ["Rome"]}'
    return InputError("invalid_metadata", f"metadata cannot be used: {why}; an example: {example}", field="metadata")


def _vector(answer: Any) -> Vector:
    return np.asarray(answer.vector, np.float32)


def entry_fields(entry: Entry) -> dict[str, Any]:
    """Return the fields of an entry that replies show."""
    words = [WordReply.model_validate(word) for word in entry.words]
    return {name: getattr(entry, name) for name in EntryReply.model_fields} | {"words": words}
