"""The model process: an engine that is controlled over a connection."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from concurrent.futures import Future
from contextlib import suppress
from functools import partial

from omninet.app.engine.engine import Engine
from omninet.app.engine.loading import check, load_engine
from omninet.app.engine.result import Result
from omninet.app.engine.work import Work
from omninet.app.errors import ServiceError
from omninet.app.local.model_messages import (
    CancelJob,
    Checked,
    JobReply,
    Loaded,
    PartialResult,
    Shutdown,
    SubmitJob,
)
from omninet.app.local.outbox import Outbox
from omninet.app.processes.messages import BlockingConnection, unpack
from omninet.app.processes.start import MODEL, SERVICE_SIGNALS, call_this
from omninet.app.settings import Settings
from omninet.app.telemetry.logs import configure_logs
from omninet.model.errors import OmniNetError
from omninet.model.extensions import load_extensions
from omninet.model.job import Job
from omninet.model.modalities.language.segmentation import penn_tokenizer
from omninet.model.processor import Processor

logger = logging.getLogger(__name__)


def host(end: socket.socket) -> None:
    """Run the process: receive the settings, load their model, serve requests until Shutdown or a closed connection.

    Args:
        end: socket to the server.
    """
    for number in SERVICE_SIGNALS:  # the server handles signals and sends Shutdown
        signal.signal(number, signal.SIG_IGN)
    call_this(MODEL)
    configure_logs()
    code = 1
    try:
        _host(BlockingConnection(end))
        code = 0
    except Exception:
        logger.exception("unhandled exception in the model process; the process ends")
    finally:
        # Skips the interpreter's shutdown, which would wait for threads that are still running the model.
        os._exit(code)


def _host(connection: BlockingConnection) -> None:
    # It is needed when the first words are split; a process that waits for settings has the time to import it before.
    threading.Thread(target=penn_tokenizer, daemon=True).start()
    try:
        settings: Settings = unpack(connection.receive())
    except OSError:  # the server has ended
        return
    outbox = Outbox(connection)
    try:
        load_extensions()
        check(settings)
        outbox.send(Checked())
        outbox.start_beats()
        engine = load_engine(settings)
    except Exception as error:
        if not isinstance(error, OmniNetError):
            logger.exception("loading the model failed")
        outbox.send(error if isinstance(error, OmniNetError) else RuntimeError(str(error)))
        return
    engine.start()
    outbox.is_alive = lambda: engine.is_alive
    outbox.send(Loaded(_processor(engine), engine.devices, engine.precision, engine.agreement))
    Host(engine, connection, outbox).serve()


class Host:
    """Serves requests from a connection with an engine; one thread reads, the engine's threads write.

    Args:
        engine: started.
        connection: to the server.
        outbox: sends messages over the connection.
    """

    def __init__(self, engine: Engine, connection: BlockingConnection, outbox: Outbox) -> None:
        self._engine, self._connection, self._send = engine, connection, outbox.send
        self._works: dict[int, list[Work]] = {}

    def serve(self) -> None:
        """Serve requests until either side closes the connection."""
        with suppress(OSError):
            while True:
                self._dispatch(unpack(self._connection.receive()))

    def _dispatch(self, message: SubmitJob | CancelJob | Shutdown) -> None:
        if isinstance(message, Shutdown):
            threading.Thread(target=self._end).start()
        elif isinstance(message, CancelJob):
            self._engine.withdraw(self._works.pop(message.number, ()))
        elif message.job is None:
            self._send(JobReply(message.number, self._engine.metrics.text()))
        else:
            self._begin(message, message.job)

    def _begin(self, submitted: SubmitJob, job: Job) -> None:
        number = submitted.number
        watch = (lambda settled: self._send(PartialResult(number, settled))) if submitted.watched else None
        answer: Future[Result] = Future()
        answer.add_done_callback(partial(self._reply, number))
        try:
            works = self._engine.submit(job, answer, watch)
        except ServiceError as error:
            answer.set_exception(error)
            return
        self._works[number] = works
        if answer.done():  # it was done before the works were stored
            self._works.pop(number, None)

    def _reply(self, number: int, answer: Future[Result]) -> None:
        works, error = self._works.pop(number, ()), answer.exception()
        if error is not None:
            self._engine.withdraw(works)
        self._send(JobReply(number, error or answer.result()))

    def _end(self) -> None:
        self._engine.close()
        self._connection.shutdown()


def _processor(engine: Engine) -> Processor:
    """Return the engine's processor without its network."""
    given = engine.processor
    return Processor(
        given.config,
        given.tokenizer,
        given.vocabularies,
        given.limits,
        given.documents,
        given.confidences,
        given.digest,
        given.resources.tokenizers,
    )
