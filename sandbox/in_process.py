"""The sandbox inside one process: an httpx transport. No time passes and nothing listens."""

from collections.abc import AsyncIterator, Callable

import httpx

from sandbox.wire import Answer, Request


class SandboxTransport(httpx.AsyncBaseTransport):
    def __init__(self, handle: Callable[[Request], Answer]) -> None:
        self._handle = handle

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        headers = {name.lower(): value for name, value in request.headers.items()}
        base = f"{request.url.scheme}://{request.url.netloc.decode()}"
        told = Request.of(request.method, request.url.raw_path.decode(), headers, body, base)
        return _respond(request, self._handle(told))


def _respond(request: httpx.Request, answer: Answer) -> httpx.Response:
    """Raises what httpx raises when a connection ends that way."""
    match answer.drop:
        case "refused":
            raise httpx.ConnectError("Connection refused", request=request)
        case "silence":
            raise httpx.ConnectTimeout("Connection timed out", request=request)
        case "reset":
            raise httpx.ReadError("Connection reset by peer", request=request)
        case "no_answer":
            raise httpx.RemoteProtocolError("Server disconnected without sending a response.", request=request)
    patience = (request.extensions.get("timeout") or {}).get("read")
    if patience is not None and answer.takes_s > patience:
        raise httpx.ReadTimeout("The read operation timed out", request=request)
    if answer.drop == "cut":
        return httpx.Response(answer.status, headers=answer.headers, stream=_Cut(answer.body), request=request)
    if request.method == "HEAD":
        length = {"content-length": str(len(answer.body))}
        return httpx.Response(answer.status, headers=answer.headers | length, request=request)
    return httpx.Response(answer.status, headers=answer.headers, content=answer.body, request=request)


class _Cut(httpx.AsyncByteStream):
    """The first half of a body, then the end of the connection."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._body[: len(self._body) // 2]
        raise httpx.RemoteProtocolError("peer closed connection without sending complete message body")
