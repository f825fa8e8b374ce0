"""The sandbox inside one process, as an httpx transport. Nothing listens, and no time passes."""

from collections.abc import AsyncIterator, Callable

import httpx

from sandbox.wire import Request, Response


class SandboxTransport(httpx.AsyncBaseTransport):
    def __init__(self, handle: Callable[[Request], Response]) -> None:
        self._handle = handle

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        headers = {name.lower(): value for name, value in request.headers.items()}
        base = f"{request.url.scheme}://{request.url.netloc.decode()}"
        wire_request = Request.of(request.method, request.url.raw_path.decode(), headers, body, base)
        return _convert(request, self._handle(wire_request))


def _convert(request: httpx.Request, response: Response) -> httpx.Response:
    """Raises the httpx error for the way in which the connection ends."""
    match response.drop:
        case "refused":
            raise httpx.ConnectError("Connection refused", request=request) from ConnectionRefusedError()
        case "timeout":
            raise httpx.ConnectTimeout("Connection timed out", request=request)
        case "reset":
            raise httpx.ReadError("Connection reset by peer", request=request)
        case "no_response":
            raise httpx.RemoteProtocolError("Server disconnected without sending a response.", request=request)
    patience = (request.extensions.get("timeout") or {}).get("read")
    if patience is not None and response.takes_s > patience:
        raise httpx.ReadTimeout("The read operation timed out", request=request)
    if response.drop == "truncated":
        stream = _TruncatedStream(response.body)
        return httpx.Response(response.status, headers=response.headers, stream=stream, request=request)
    if request.method == "HEAD":
        length = {"content-length": str(len(response.body))}
        return httpx.Response(response.status, headers=response.headers | length, request=request)
    return httpx.Response(response.status, headers=response.headers, content=response.body, request=request)


class _TruncatedStream(httpx.AsyncByteStream):
    """The first half of a body, then an error."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._body[: len(self._body) // 2]
        raise httpx.RemoteProtocolError("peer closed connection without sending complete message body")
