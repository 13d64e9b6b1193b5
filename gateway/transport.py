"""The only HTTP client: aiohttp, its exceptions turned into ours."""

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType

import aiohttp
from yarl import URL

from gateway import errors
from gateway.exchange import Request

_CHUNK = 65_536

_UNREACHED = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)


def mapped(error: Exception) -> errors.ProviderError:
    """The one table from aiohttp's exceptions to ours.

    `outcome_unknown` hangs on it: only a connection that never stood is sure to have cost nothing.
    """
    if isinstance(error, _UNREACHED):
        return errors.ProviderRefusedConnection()
    if isinstance(error, TimeoutError):
        return errors.ProviderTimeout()
    if isinstance(error, aiohttp.ClientResponseError):
        return errors.ProviderMalformed()
    return errors.ProviderCut()


_FOREIGN = (aiohttp.ClientError, TimeoutError, ConnectionError)


class HttpAnswer:
    """A provider's answer over HTTP."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.headers.items()}

    async def read(self) -> bytes:
        """The whole body."""
        try:
            return await self._response.read()
        except _FOREIGN as error:
            raise mapped(error) from error

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes."""
        content = self._response.content
        try:
            while chunk := await content.readany():
                yield chunk
        except _FOREIGN as error:
            raise mapped(error) from error


class _Exchange:
    """One request and its answer; leaving it early closes the connection, so that the provider notices."""

    __slots__ = ("_request", "_response", "_session")

    def __init__(self, session: aiohttp.ClientSession, request: Request) -> None:
        self._session = session
        self._request = request
        self._response: aiohttp.ClientResponse | None = None

    async def __aenter__(self) -> HttpAnswer:
        request = self._request
        try:
            self._response = await self._session.post(
                URL(request.url, encoded=True),
                data=request.body,
                headers=request.headers,
                allow_redirects=False,
                timeout=_timeout(request.connect_timeout),
            )
        except _FOREIGN as error:
            raise mapped(error) from error
        return HttpAnswer(self._response)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._response is not None:
            if kind is None:
                self._response.release()
            else:
                self._response.close()


def _timeout(connect: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=None, sock_connect=connect)


class HttpTransport:
    """Connections to providers, kept open; made on the loop that uses them."""

    def __init__(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=60),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            read_bufsize=_CHUNK,
        )

    def open(self, request: Request) -> _Exchange:
        """Send a request."""
        return _Exchange(self._session, request)

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()
        await asyncio.sleep(0)
