"""aiohttp's server, which answers as everything here answers also where no handler is reached.

A request line that is too long, a method that is none, bytes that are no HTTP: the parser refuses
them before there is a path to tell /v2/ and the API apart, and both have this one shape.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web
from aiohttp.http_exceptions import BadHttpMethod, InvalidHeader, LineTooLong
from typing_extensions import override

from jobservice.api import failures

LINE_BYTES: Final = 8190  # aiohttp's limit
SENTENCES: Final[dict[type[BaseException | None], str]] = {
    LineTooLong: f"the request line or a header field is longer than {LINE_BYTES} bytes",
    BadHttpMethod: "the request's method is none that HTTP has",
    InvalidHeader: "a header field is malformed",
}
UNREADABLE: Final = "this is not a request of HTTP/1.1 that can be read"
DEFECT: Final = "internal server error; the log has it"
_BAD_REQUEST: Final = web.HTTPBadRequest.status_code


class Connection(web.RequestHandler):
    """One connection."""

    __slots__ = ()

    @override
    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer and end the connection; raise ConnectionError where an answer has begun."""
        super().handle_error(request, status, exc, message)  # it logs
        known = SENTENCES.get(type(exc), UNREADABLE)
        answer = failures.unhandled(status, known if status == _BAD_REQUEST else DEFECT)
        answer.force_close()
        return answer


class Server(web.Server):
    """Makes a Connection of each that comes in."""

    @override
    def __call__(self) -> Connection:
        return Connection(self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """Runs an application on such a server."""

    @override
    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        made.__class__ = Server  # neither the runner nor the application takes another one
        return made
