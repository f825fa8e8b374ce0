"""The lines of nginx in docs/webhooks.md, in a real nginx: the endpoint and we get the same signed bytes."""

import asyncio
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import create_server

import httpx
import pytest

from tests.harness.listener import Listener, listening
from tests.web.test_serving import home, serving
from tests.web.test_webhooks_over_http import PAGE, _messages, body_of, fleet, hashes, signature_of

__all__ = ["fleet", "home"]

NGINX = "/usr/sbin/nginx"  # `make programs` installs it


@contextmanager
def nginx(folder: Path, endpoint: Listener, copy_to: str) -> Iterator[str]:
    """Runs it with the two lines of the page and gives its address."""
    [lines] = re.findall(r"```nginx\n(.*?)```", PAGE.read_text(), re.DOTALL)
    lines = lines.replace("http://your-endpoint", endpoint.http_url.rstrip("/"))
    lines = lines.replace("https://codes.example.com/webhooks/main", copy_to)
    with create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"{kind}_temp_path {folder / kind};\n" for kind in kinds)
    server = f"server {{ listen 127.0.0.1:{port};\n{lines}\n}}"
    (folder / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {folder / 'pid'}; error_log stderr;\n"
        f"events {{}}\nhttp {{ access_log off;\n{paths}{server}\n}}\n"
    )
    process = subprocess.Popen([NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf")])
    try:
        _until_it_listens(f"http://127.0.0.1:{port}/", process)
        yield f"http://127.0.0.1:{port}/your-callback"
    finally:
        process.terminate()
        process.wait(10)


def _until_it_listens(url: str, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + 10
    while True:
        assert process.poll() is None, "nginx has ended"
        try:
            httpx.get(url)
        except httpx.TransportError:
            assert time.monotonic() < end, "nginx does not listen"
            time.sleep(0.05)
        else:
            return


@pytest.mark.slow
def test_the_lines_of_the_page_forward_the_bytes_and_the_signature(fleet: Path, tmp_path: Path) -> None:
    large = body_of("wamid.2")[:-1] + b', "padding": "' + b"x" * 2_900_000 + b'"}'
    (tmp_path / "nginx").mkdir()
    with (
        listening() as endpoint,
        serving(fleet, "--port", "0", "--no-moves") as (_, ready),
        nginx(tmp_path / "nginx", endpoint, ready["webhook_urls"]["main"]) as callback,
    ):
        for body in (body_of("wamid.1"), large):
            headers = {"X-Hub-Signature-256": signature_of(body), "Content-Type": "application/json"}
            assert httpx.post(callback, content=body, headers=headers).status_code == 200
        forged = {"X-Hub-Signature-256": signature_of(b"of something else")}
        assert httpx.post(callback, content=body_of("wamid.3"), headers=forged).status_code == 200
        end = time.monotonic() + 10
        while set(asyncio.run(_messages(fleet))) != hashes({"wamid.1", "wamid.2"}):
            assert time.monotonic() < end, "the copies did not come"
            time.sleep(0.05)
        assert endpoint.bodies == [body_of("wamid.1").decode(), large.decode(), body_of("wamid.3").decode()]
