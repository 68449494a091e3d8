"""HTTP/1.1 parser for a server that never changes the protocol of a connection."""

from __future__ import annotations

from typing import Protocol

from httptools import HttpParserUpgrade, HttpRequestParser


class Receiver(Protocol):
    """Receiver of httptools' callbacks, with the request whose headers were parsed last."""

    url: bytes
    headers: list[tuple[bytes, bytes]]


class NoUpgradeParser:
    """httptools parser that ignores offers to upgrade the protocol, as a server may (RFC 9110, section 7.8).

    httptools stops after the headers of a request with ``Connection: Upgrade`` and does not parse its body. This parser
    then parses the headers again, without ``Upgrade``, and the body. The receiver gets the headers twice: it has to
    ignore the ends of headers and message while ``should_upgrade`` is true.

    Args:
        receiver: receives the parsed requests.
    """

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._parser = _new_parser(receiver)

    def feed_data(self, data: bytes) -> None:
        """Parse received bytes.

        Raises:
            httptools.HttpParserError: the bytes are not HTTP.
            httptools.HttpParserUpgrade: the method is CONNECT, after which the bytes are not HTTP.
        """
        while data:
            try:
                self._parser.feed_data(data)
            except HttpParserUpgrade as offer:
                if not self.should_upgrade():
                    raise
                (parsed,) = offer.args
                data = self._head_without_offer() + data[parsed:]
                self._parser = _new_parser(self._receiver)
            else:
                return

    def should_upgrade(self) -> bool:
        """Whether the current headers offer to upgrade the protocol, so that they will be parsed again."""
        return bool(self._parser.should_upgrade()) and self.get_method() != b"CONNECT"

    def get_method(self) -> bytes:
        """Return the method of the current request."""
        method: bytes = self._parser.get_method()
        return method

    def get_http_version(self) -> str:
        """Return the version of the current request, such as 1.1."""
        version: str = self._parser.get_http_version()
        return version

    def should_keep_alive(self) -> bool:
        """Whether the connection stays open after the current request."""
        return bool(self._parser.should_keep_alive())

    def _head_without_offer(self) -> bytes:
        line = b"%s %s HTTP/%s" % (self.get_method(), self._receiver.url, self.get_http_version().encode())
        fields = [b"%s: %s" % field for field in self._receiver.headers if field[0] != b"upgrade"]
        return b"\r\n".join([line, *fields, b"", b""])


def _new_parser(receiver: Receiver) -> HttpRequestParser:
    parser = HttpRequestParser(receiver)
    parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
    return parser
