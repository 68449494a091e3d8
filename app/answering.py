"""Preprocessing, inference and postprocessing of a request, in the process of the engine's owner."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from starlette.concurrency import run_in_threadpool

from omninet.app.backend import Description, Notify, Prediction
from omninet.app.local.process_client import ModelProcess
from omninet.app.telemetry.stopwatch import Stopwatch
from omninet.model.job import Job
from omninet.model.outputs.text.answer import Text
from omninet.model.processor import Processor

if TYPE_CHECKING:
    from omninet.app.engine.engine import Engine

AnyEngine: TypeAlias = "Engine | ModelProcess"
T = TypeVar("T")


async def prepare_and_run(
    engine: AnyEngine, task: str, inputs: Mapping[str, Any], times: Stopwatch, notify: Notify | None = None
) -> Prediction:
    """Preprocess a request's inputs, run the model and postprocess its outputs; if cancelled, the rows are withdrawn.

    Args:
        engine: runs the model.
        task: name of a task of the model.
        inputs: keyword arguments of ``Processor.prepare``, with decoded images, videos and recordings.
        times: measures the stages.
        notify: called with the final part of the text each time it has grown.

    Raises:
        InputError: the input cannot be used.
        ServiceError: ``overloaded``, ``shutting_down`` or ``internal_error``.
    """
    processor = engine.processor
    job = await run_in_threadpool(_prepare, processor, task, times, inputs)
    output = processor.output(job.task)
    result = await engine.run(job, notify and (lambda settled: notify(output.partial(processor, task, settled))))
    while job.kept is not None:
        further = await run_in_threadpool(processor.continued, job, result.decoded)  # it may cut out many words
        if further is None:
            break
        job, result = further, result.before(await engine.run(further))
    return Prediction(
        processor.finish(job, result.decoded),
        processor.name,
        processor.version,
        times.stages(encode=result.encode_ms, decode=result.decode_ms),
        tokens=sum(len(row.tokens) for row in result.decoded),
        batch_rows=result.batch_rows,
        frames=job.frames if inputs.get("explain") else None,
    )


def describe(engine: AnyEngine) -> Description:
    """Return the description of an engine's model."""
    processor = engine.processor
    return Description(
        processor.name,
        processor.version,
        processor.config.network,
        tuple(engine.devices),
        engine.precision,
        engine.agreement,
        processor.documents,
        {task: confidence.threshold for task, confidence in processor.confidences.items()},
        processor.digest,
    )


async def with_updates(work: Callable[[Notify], Coroutine[Any, Any, T]]) -> AsyncIterator[Text | T]:
    """Yield the texts that ``work`` reports, then its result. Closing the iterator early cancels ``work``.

    Args:
        work: called with a function that reports a text.
    """
    texts: asyncio.Queue[Text | None] = asyncio.Queue()
    working = asyncio.create_task(work(texts.put_nowait))
    working.add_done_callback(lambda _: texts.put_nowait(None))
    try:
        while (text := await texts.get()) is not None:
            yield text
        yield await working
    finally:
        working.cancel()


async def all_or_none(works: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Run coroutines at the same time and return their results; if one fails, cancel the others and raise its error."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def _prepare(processor: Processor, task: str, times: Stopwatch, inputs: Mapping[str, Any]) -> Job:
    with times.stage("prepare"):
        return processor.prepare(task, **inputs)
