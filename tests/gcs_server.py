"""A Google Cloud Storage of one bucket on this machine, for TensorFlow's own client.

The client knows the service's addresses by heart, so this is a proxy that takes its
HTTPS requests and answers them as the service would, with a certificate of its own.
Only what the client asks for is there: metadata, listings, ranges, resumable uploads,
copies and deletions.
"""

import contextlib
import http.server
import json
import os
import ssl
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HOSTS = ("www.googleapis.com", "storage.googleapis.com")


class Bucket:
    """What is stored, and what was asked.

    Attributes:
      objects: contents by name.
      requests: lines "METHOD path", in order.
      uploads_fail: whether an upload is refused.
    """

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.uploads_fail = False
        self.updated: dict[str, float] = {}
        self.sessions: dict[str, str] = {}

    def put(self, name: str, content: bytes) -> None:
        """Stores an object, as a whole."""
        self.objects[name] = content
        self.updated[name] = time.time()

    def metadata(self, name: str) -> dict[str, str]:
        """What the service says of an object."""
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(self.updated[name]))
        size = str(len(self.objects[name]))
        return {"name": name, "size": size, "generation": "1", "updated": f"{at}.000Z"}

    def listing(self, query: dict[str, str]) -> dict[str, Any]:
        """Names, and with a delimiter the folders, that begin with a prefix."""
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        items, prefixes = [], set()
        for name in sorted(self.objects):
            if name.startswith(prefix):
                inside, mark, _ = name[len(prefix) :].partition(delimiter or "\0")
                if mark:
                    prefixes.add(prefix + inside + mark)
                else:
                    items.append(self.metadata(name))
        return {"items": items, "prefixes": sorted(prefixes)}


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    bucket: Bucket
    context: ssl.SSLContext

    def do_CONNECT(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        self.connection = self.context.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb")
        self.close_connection = False

    def _answer(self, status: int, body: bytes | dict = b"", **headers: str) -> None:
        content = json.dumps(body).encode() if isinstance(body, dict) else body
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()

    def handle_one_request(self) -> None:
        with contextlib.suppress(OSError):
            super().handle_one_request()
            return
        self.close_connection = True

    def _parts(self) -> tuple[list[str], dict[str, str]]:
        url = urllib.parse.urlsplit(self.path)
        self.bucket.requests.append(f"{self.command} {self.path}")
        parts = [urllib.parse.unquote(p) for p in url.path.strip("/").split("/")]
        return parts, dict(urllib.parse.parse_qsl(url.query))

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def do_GET(self) -> None:
        parts, query = self._parts()
        objects = self.bucket.objects
        if parts == ["requests"]:
            self._answer(200, json.dumps(self.bucket.requests).encode())
        elif parts == ["refuse"]:
            self.bucket.uploads_fail = True
            self._answer(200)
        elif parts[:2] != ["storage", "v1"]:
            self._download("/".join(parts[1:]))
        elif len(parts) == 4:
            self._answer(200, {"name": parts[3], "location": "here"})
        elif len(parts) == 5:
            self._answer(200, self.bucket.listing(query))
        elif parts[5] in objects:
            self._answer(200, self.bucket.metadata(parts[5]))
        else:
            self._answer(404)

    def _download(self, name: str) -> None:
        content = self.bucket.objects.get(name)
        if content is None:
            self._answer(404)
            return
        first, _, last = self.headers["Range"].removeprefix("bytes=").partition("-")
        part = content[int(first) : int(last) + 1]
        self._answer(206 if part else 416, part)

    def do_POST(self) -> None:
        parts, query = self._parts()
        body = self._body()
        if "rewriteTo" in parts:
            self.bucket.put(parts[-1], self.bucket.objects[parts[5]])
            self._answer(200, {"done": True})
        elif self.bucket.uploads_fail:
            self._answer(403, {"error": {"message": "no right to write"}})
        elif query.get("uploadType") == "resumable":
            session = f"https://{HOSTS[0]}/session/{len(self.bucket.sessions)}"
            self.bucket.sessions[session] = query["name"]
            self._answer(200, Location=session)
        else:
            self.bucket.put(query["name"], body)
            self._answer(200, self.bucket.metadata(query["name"]))

    def do_PUT(self) -> None:
        self._parts()
        body = self._body()
        name = self.bucket.sessions[f"https://{HOSTS[0]}{self.path}"]
        self.bucket.put(name, body)
        self._answer(200, self.bucket.metadata(name))

    def do_DELETE(self) -> None:
        parts, _ = self._parts()
        there = self.bucket.objects.pop(parts[5], None)
        self._answer(404 if there is None else 204)

    def log_message(self, *_: Any) -> None:
        pass


def _main(folder: Path) -> None:
    """Serves a new bucket until killed; prints its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    facts = {"bucket": Bucket(), "context": context}
    handler = type("Handler", (_Handler,), facts)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()


class Service:
    """The service in a process of its own.

    Attributes:
      environment: in which a process's client finds it.
    """

    def __init__(self, address: str, certificate: Path) -> None:
        self._address = address
        self.environment = {
            "https_proxy": address,
            "CURL_CA_BUNDLE": os.fspath(certificate),
            "GOOGLE_AUTH_TOKEN_FOR_TESTING": "none",
            "NO_GCE_CHECK": "true",
            "GCS_RETRY_CONFIG_MAX_RETRIES": "1",
        }

    def requests(self) -> list[str]:
        """Lines "METHOD path", in order."""
        with urllib.request.urlopen(f"{self._address}/requests") as answer:
            requests: list[str] = json.load(answer)
        return requests

    def refuse_uploads(self) -> None:
        """Lets every upload from now on fail."""
        urllib.request.urlopen(f"{self._address}/refuse").close()


@contextlib.contextmanager
def serve(folder: Path) -> Iterator[Service]:
    """Runs the service, in a process that TensorFlow's calls do not hold up.

    Args:
      folder: for its certificate.
    """
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    names = ",".join(f"DNS:{host}" for host in HOSTS)
    certify = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
        f" -days 1 -subj /CN=test -addext subjectAltName={names}"
    )
    files = ["-keyout", os.fspath(key), "-out", os.fspath(certificate)]
    subprocess.run([*certify.split(), *files], check=True, capture_output=True)
    with subprocess.Popen(
        [sys.executable, __file__, folder], stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout
            port = int(server.stdout.readline())
            yield Service(f"http://127.0.0.1:{port}", certificate)
        finally:
            server.kill()


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
