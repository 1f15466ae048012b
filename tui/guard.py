"""Who may use the app that is served: one person, in one browser.

The app reads and writes files with its user's rights, so whoever reaches its web socket has these
rights as well. A server on the loopback address is reached by every page that the user's browser
shows, and by every other user of the machine. What is asked of each request, static files
included, so that no rule has an exception to get wrong:

1. ``Host`` is the address that the connection came in on. Against DNS rebinding: a page of
   ``evil.example``, whose name comes to mean 127.0.0.1, is of the same origin as this server to the
   browser, but still says ``Host: evil.example``.
2. ``Origin`` and ``Sec-Fetch-Site``, where a browser says them, are this server's own. Against
   other pages. Those at another port of the same host count: a cookie goes there too.
3. A cookie, which is had for the token of the printed address, once. Against other users and
   programs of this machine, who can write any header that they like.
"""

import asyncio
import hmac
import secrets
from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from ipaddress import ip_address

from aiohttp import web

#: How many apps run at a time, one for each open page.
MOST_APPS = 4
#: Seconds that the apps have to end in when the server ends.
PARTING = 5.0

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Guard:
    """Lets through what comes from the one browser that has shown the token first.

    Attributes:
        token: what the printed address carries; None once it is used up.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        """Let ``names`` stand in ``Host`` beside the numeric address."""
        self.token: str | None = secrets.token_urlsafe(32)
        self._names = frozenset(name.lower() for name in names)
        # A browser keeps one jar for all ports of a host: each server has a name of its own.
        self._cookie_name = f"mlxjsd-{secrets.token_hex(8)}"
        self._cookie = secrets.token_urlsafe(32)
        self._sockets: set[asyncio.Task[object]] = set()

    @web.middleware
    async def check(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Answer a request, or refuse it with one sentence."""
        host = _host(request)
        if host is None or host not in _own_hosts(request, self._names):
            return _refused("This is not the address that mlxjsd printed.")
        if not _is_same_origin(request, host):
            return _refused(
                "Another page asked for this. Type or paste the address that mlxjsd printed."
            )
        given = request.query.get("token")
        opens = given is not None and request.method == "GET" and request.path == "/"
        if self._has_cookie(request):
            if opens:
                raise web.HTTPSeeOther("/")
        elif opens and given is not None and self._takes(given):
            # Sent on, so that the token stays neither in the address bar nor in the history.
            answer = web.HTTPSeeOther("/")
            answer.set_cookie(
                self._cookie_name, self._cookie, httponly=True, samesite="Strict", path="/"
            )
            raise answer
        else:
            return _refused(
                "The address that mlxjsd printed opens it once, in one browser. "
                "For another browser, stop mlxjsd and start it again."
            )
        return await self._bounded(request, handler)

    def _takes(self, given: str) -> bool:
        """Say whether this is the token, and use it up."""
        if self.token is None or not _equal(given, self.token):
            return False
        self.token = None
        return True

    def _has_cookie(self, request: web.Request) -> bool:
        return _equal(request.cookies.get(self._cookie_name, ""), self._cookie)

    async def _bounded(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Answer, unless that would start one app too many."""
        is_socket = _is_socket(request)
        if len(self._sockets) >= MOST_APPS and (is_socket or request.path == "/"):
            return _refused(
                f"{MOST_APPS} pages are open already. Close one, and load this one again.",
                HTTPStatus.SERVICE_UNAVAILABLE,
            )
        task = asyncio.current_task()
        if not is_socket or task is None:
            return await handler(request)
        self._sockets.add(task)
        try:
            return await handler(request)  # until the socket is closed and its app has ended
        finally:
            self._sockets.discard(task)

    async def close(self, application: web.Application) -> None:
        """End the apps as the server ends, which else waits for the pages to be closed."""
        for task in (sockets := list(self._sockets)):
            task.cancel()
        if sockets:
            await asyncio.wait(sockets, timeout=PARTING)

    async def add_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        """Say to the browser what a page may do: nothing beyond this server, and in no frame."""
        host = _host(request)
        # Named for WebKit, where 'self' has not always meant the socket.
        socket = f" ws://{host}" if host in _own_hosts(request, self._names) else ""
        response.headers.update(
            {
                "Content-Security-Policy": (
                    "default-src 'none'; script-src 'self'; font-src 'self'; "
                    # The terminal writes its colours and sizes into style elements.
                    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
                    f"connect-src 'self'{socket}; "
                    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
                ),
                "X-Frame-Options": "DENY",
                "X-Content-Type-Options": "nosniff",
                "Referrer-Policy": "no-referrer",
                "Cross-Origin-Opener-Policy": "same-origin",
                "Cross-Origin-Resource-Policy": "same-origin",
                "Cache-Control": "no-store",
            }
        )


def _refused(sentence: str, status: HTTPStatus = HTTPStatus.FORBIDDEN) -> web.Response:
    return web.Response(status=status, text=f"{sentence}\n")


def _equal(one: str, other: str) -> bool:
    """Compare two secrets, in a time that says nothing about where they differ."""
    return hmac.compare_digest(
        one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass")
    )


def _host(request: web.Request) -> str | None:
    """Return the one ``Host`` that the request says, or None."""
    said = request.headers.getall("Host", [])
    return said[0].lower() if len(said) == 1 else None


def _own_hosts(request: web.Request, names: Iterable[str]) -> set[str]:
    """Return what ``Host`` may be: where the connection came in, and its names."""
    if request.transport is None:  # it is closed already
        return set()
    address, port = request.transport.get_extra_info("sockname")[:2]
    own = {f"[{address}]" if ":" in address else address, *names}
    if ip_address(address).is_loopback:
        own.add("localhost")  # no DNS server has a say in what it means
    return {f"{name}:{port}" for name in own} | (own if port == 80 else set())


def _is_same_origin(request: web.Request, host: str) -> bool:
    """Say whether the user or our own page asked, as far as a browser tells."""
    origins = request.headers.getall("Origin", [])
    if _is_socket(request) and not origins:  # browsers always say who opens a socket
        return False
    sites = request.headers.getall("Sec-Fetch-Site", [])
    return all(origin == f"http://{host}" for origin in origins) and all(
        site in ("same-origin", "none") for site in sites
    )


def _is_socket(request: web.Request) -> bool:
    return "Upgrade" in request.headers
