"""Serve a folder to this machine's browser: nothing outside it, no listings, and to nobody else."""

import functools
import http.server
import webbrowser
from pathlib import Path
from typing import Any

from jaxgan.errors import InputError, MachineError
from jaxgan.files import reason

HOST = '127.0.0.1'
NAMES = ('localhost', HOST)
TYPES = {
    '.html': 'text/html; charset=utf-8',
    '.css': 'text/css; charset=utf-8',
    '.js': 'text/javascript; charset=utf-8',
    '.mjs': 'text/javascript; charset=utf-8',
    '.json': 'application/json',
    '.wasm': 'application/wasm',
    '.txt': 'text/plain; charset=utf-8',
}
POLICY = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; img-src 'self' data: blob:; object-src 'none'; "
    "base-uri 'none'; form-action 'none'"
)
"""What the page may load, as index.html has it. Only a header reaches into the page's worker, and only a header forbids frames."""
OTHER = 'application/octet-stream'


class Handler(http.server.SimpleHTTPRequestHandler):
    """Answers GET and HEAD with the folder's files."""

    server_version, sys_version = 'jaxgan', ''

    def send_head(self) -> Any:
        """Refuse what was sent to another name: a page elsewhere may point its own name at this machine."""
        if self.headers.get('Host', '').rsplit(':', 1)[0] not in NAMES:
            self.send_error(403, 'this server answers to localhost only')
            return None
        return super().send_head()

    def list_directory(self, path: Any) -> None:
        """Show no folder's contents."""
        self.send_error(404, 'there is no such file')

    def guess_type(self, path: Any) -> str:
        """Tell a file's type by its name; browsers start WebAssembly and modules by the right ones only."""
        return TYPES.get(Path(path).suffix.lower(), OTHER)

    def end_headers(self) -> None:
        """Add what keeps other sites out."""
        self.send_header('Content-Security-Policy', f"{POLICY}; frame-ancestors 'none'")
        self.send_header('X-Content-Type-Options', 'nosniff')
        self.send_header('Cross-Origin-Resource-Policy', 'same-origin')
        self.send_header('Referrer-Policy', 'no-referrer')
        self.send_header('Cache-Control', 'no-cache')
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing of each request."""


def make_server(folder: Path, port: int) -> http.server.ThreadingHTTPServer:
    """Listen on this machine; ``serve_forever`` then answers.

    Raises:
        InputError: the port is no port.
        MachineError: another program has it.
    """
    check_port(port)
    try:
        return http.server.ThreadingHTTPServer(
            (HOST, port), functools.partial(Handler, directory=str(folder))
        )
    except OSError as error:
        raise MachineError(f'port {port} cannot be served: {reason(error)}; try --port 0') from None


def check_port(port: int) -> None:
    """Check that a number is a port's; 0 stands for any.

    Raises:
        InputError: it is none.
    """
    if not 0 <= port <= 65_535:
        raise InputError(f'port {port} must be in 0..65535')


def serve(folder: Path, port: int, show: bool = False) -> None:
    """Serve until Ctrl-C.

    Args:
        folder: to serve.
        port: 0: any that is free.
        show: open it in the browser.
    """
    with make_server(folder, port) as server:
        address = f'http://localhost:{server.server_address[1]}/'
        print(f'serving {folder} at {address}, to this machine only; Ctrl-C ends it', flush=True)
        if show:
            webbrowser.open(address)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print('\nstopped', flush=True)
