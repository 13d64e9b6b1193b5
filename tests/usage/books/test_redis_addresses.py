"""Every way to name a Redis."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.errors import BooksAway
from tests.support.engine import make_account, make_hold
from tests.support.ports import free_port
from tests.support.redis_server import OwnRedis, own_redis, speaks_tls
from tests.usage.books.conftest import Open
from tests.usage.books.shops import make_ready
from usage.books.redis import RedisBooks

BUDGET = make_account("nano", limit=1_000)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnRedis]:
    """A server with a socket of the file system, where Alice has a password."""
    folder = tmp_path_factory.mktemp("guarded")
    alice = ("--user", "alice", "on", ">p@ss", "~*", "&*", "+@all")
    with own_redis(folder, "--unixsocket", str(folder / "redis.sock"), *alice) as server:
        yield server


async def _is_in_service(books: RedisBooks) -> bool:
    await make_ready(books)
    (verdict,) = await books.post([make_hold(BUDGET, nano=1)])
    return verdict.refusal is None and not verdict.failed


@pytest.mark.parametrize(
    ("url", "database"),
    [
        ("redis://127.0.0.1:{port}", "db0"),
        ("redis://127.0.0.1:{port}/3", "db3"),
        ("redis://alice:p%40ss@127.0.0.1:{port}/3", "db3"),
        ("unix://{folder}/redis.sock", "db0"),
        ("unix://alice:p%40ss@{folder}/redis.sock?db=3", "db3"),
    ],
)
async def test_a_server_may_be_named_in_every_usual_way(
    url: str, database: str, guarded: OwnRedis, opened: Open
) -> None:
    guarded.wipe()
    assert await _is_in_service(await opened(url.format(port=guarded.port, folder=guarded.folder)))
    assert list(guarded.client.info("keyspace")) == [database]


async def test_a_wrong_password_is_a_redis_that_is_away(guarded: OwnRedis, opened: Open) -> None:
    books = await opened(f"redis://alice:wrong@127.0.0.1:{guarded.port}")
    with pytest.raises(BooksAway):
        await books.post([make_hold(BUDGET, nano=1)])


@pytest.mark.skipif(not speaks_tls(), reason="this redis-server is built without TLS")
async def test_a_server_behind_tls_has_to_show_who_it_is(tmp_path: Path, opened: Open) -> None:
    certificate, key = _certificate(tmp_path)
    port = free_port()
    files = ("--tls-cert-file", str(certificate), "--tls-key-file", str(key))
    options = ("--tls-port", str(port), "--tls-auth-clients", "no", *files)
    with own_redis(tmp_path, *options, "--tls-ca-cert-file", str(certificate)):
        url = f"rediss://127.0.0.1:{port}/0"
        trusting = await opened(f"{url}?ssl_ca_certs={certificate}")
        assert await _is_in_service(trusting)
        with pytest.raises(BooksAway):
            await (await opened(url)).post([make_hold(BUDGET, nano=1)])
        await trusting.close()


def _certificate(folder: Path) -> tuple[Path, Path]:
    """One for this machine, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "redis.crt", folder / "redis.key"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    paths[1].write_bytes(key.private_bytes(pem, form, plain))
    return paths
