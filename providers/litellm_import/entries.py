"""One entry of `model_list`, read: a model at a provider, and what is said of both."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from django.core.exceptions import ValidationError
from msgspec import Struct

from gateway.sdk.hosts import Host
from providers.litellm_import.figures import PriceFigure, prices_take
from providers.litellm_import.findings import Findings, Part, Untaken
from providers.litellm_import.hosts import Target, target_of
from providers.litellm_import.infos import Info, info_take
from providers.litellm_import.variables import Secret, Variables, named
from providers.validators import header_name_validator

_LONGEST_NAME = 200
_LONGEST_ANSWER = 600
_SECRETIVE = ("auth", "key", "token", "secret", "password", "cookie", "credential")
_FRAMING = frozenset({"host", "content-length", "transfer-encoding", "connection", "content-type"})
_AMAZON = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
_DEFAULTS = "requests go out as callers wrote them, so nothing is put into them here"
_REASONS = {
    **dict.fromkeys(
        ("temperature", "max_tokens", "top_p", "seed", "n", "stop", "stream", "tools", "extra_body"),
        _DEFAULTS,
    ),
    **dict.fromkeys(
        ("drop_params", "additional_drop_params", "modify_params", "allowed_openai_params"),
        "a member that a provider has no place for is refused by name, and none is dropped in silence",
    ),
    **dict.fromkeys(("max_retries", "num_retries"), "the gateway tries again by rules of its own"),
    **dict.fromkeys(
        ("max_budget", "budget_duration"), "a deployment has no budget here: give one to tenants and keys"
    ),
    **dict.fromkeys(
        ("aws_role_name", "aws_profile_name", "aws_session_name", "aws_web_identity_token"),
        "the gateway looks for no credentials by itself: give a key of Amazon Bedrock, or an access key",
    ),
    "tags": "deployments are not chosen by tags here",
}
_AZURE_VERSION = "Azure is asked at its v1 address, which has no versions"
_BARRED = ("mock_response", "auto_router_config", "auto_router_config_path", "complexity_router_config")


class Waits(Struct, frozen=True):
    """Seconds to wait for an answer to begin, and between two pieces of it."""

    first_byte: Decimal | None = None
    idle: Decimal | None = None

    @property
    def section(self) -> dict[str, Decimal]:
        """As our file says them; a whole answer may take as long as its beginning."""
        named = {"first_byte": self.first_byte, "idle": self.idle}
        long = self.first_byte is not None and self.first_byte > _LONGEST_ANSWER
        named["total"] = self.first_byte if long else None
        return {name: wait for name, wait in named.items() if wait is not None}


class Entry(Struct, frozen=True, kw_only=True):
    """A deployment as LiteLLM has it."""

    part: Part
    name: str
    target: Target
    secret: Secret | None
    headers: tuple[tuple[str, str], ...] = ()
    waits: Waits = Waits()
    rpm: Part
    tpm: Part
    parallel: int | None = None
    weight: Decimal | None = None
    order: int = 0
    region: str = ""
    info: Info
    prices: tuple[PriceFigure, ...] = ()


class EntryReader:
    """Reads entries; what they have in common is told once."""

    def __init__(self, findings: Findings, variables: Variables, credentials: Mapping[str, Part]) -> None:
        self._findings = findings
        self._variables = variables
        self._credentials = credentials

    def read_all(self, model_list: Part) -> list[Entry]:
        """The entries that can be taken; the others are left with the reason."""
        entries = []
        for part in model_list.elements() if not model_list.says_nothing else ():
            try:
                with self._findings.attempt():
                    entries.append(self._read(part))
            except Untaken as reason:
                part.leave(str(reason))
        return entries

    def _read(self, part: Part) -> Entry:
        name = part.get("model_name").text()
        model_name_check(name)
        params = _Params(part.get("litellm_params"), self._credential(part))
        for barred in _BARRED:
            if not params.get(barred).says_nothing:
                raise Untaken(f"there is nothing like {barred} here")
        target = self._target(params)
        if "*" in target.upstream and "*" not in name:
            raise Untaken("a star in the model needs one in model_name to fill it")
        region = self._region(params)
        if not params.get("api_version").says_nothing and target.host.name == "azure":
            params.get("api_version").change(_AZURE_VERSION)
        for word, reason in _REASONS.items():
            params.get(word).leave_wrong(reason)
        info = info_take(part.get("model_info"), target.upstream)
        _kind_check(info.kind, target.host)
        return Entry(
            part=part,
            name=name,
            target=target,
            secret=self._secret(params, target),
            headers=self._headers(params),
            waits=Waits(
                first_byte=wait_take(params.get("timeout"), first=True),
                idle=wait_take(params.get("stream_timeout"), first=False),
            ),
            rpm=_either(params.get("rpm"), part.get("rpm")),
            tpm=_either(params.get("tpm"), part.get("tpm")),
            parallel=_given(params.get("max_parallel_requests"), least=1),
            weight=None if (weight := params.get("weight")).says_nothing else weight.figure(),
            order=_given(params.get("order")) or 0,
            region=region or target.region,
            info=info,
            prices=prices_take((params.own, part.get("model_info")), spoken=info.spoken),
        )

    def _credential(self, part: Part) -> Part | None:
        wanted = part.get("litellm_params").get("litellm_credential_name")
        if wanted.says_nothing:
            return None
        found = self._credentials.get(wanted.text())
        if found is None:
            raise Untaken("litellm_credential_name names no entry of credential_list")
        return found

    def _target(self, params: "_Params") -> Target:
        model = self._variables.text(params.get("model"))
        if not model:
            raise Untaken("litellm_params names no model")
        host = self._variables.text(params.get("custom_llm_provider"))
        address = self._variables.text(_either(params.get("api_base"), params.get("base_url")))
        return target_of(model, named=host, address=address)

    def _region(self, params: "_Params") -> str:
        region = self._variables.text(_either(params.get("aws_region_name"), params.get("region_name")))
        if len(region) > 64:
            raise Untaken("the region's name is too long")
        return region

    def _secret(self, params: "_Params", target: Target) -> Secret | None:
        secret = self._variables.secret(params.get("api_key"))
        if secret is not None:
            return secret
        if target.host.name == "bedrock" and not params.get(_AMAZON[0]).says_nothing:
            return self._amazon(params)
        for word in ("azure_ad_token", "client_secret", "vertex_credentials"):
            if not params.get(word).says_nothing:
                raise Untaken(f"{word} is no key that could be sent as it is: give an api_key")
        if target.is_usual or target.host.name == "azure":
            return self._variables.first_set(target.host.variables)
        if target.host.variables:
            self._findings.note(
                f"{target.base_url} is given no key, since none is written; LiteLLM may have sent "
                f"{target.host.variables[0]} there"
            )
        return None

    def _amazon(self, params: "_Params") -> Secret:
        """Both halves of an access key are one secret here."""
        halves = [self._variables.secret(params.get(word)) for word in _AMAZON]
        found = [self._variables.reveal(half) for half in halves if half is not None]
        if len(found) < 2 or not all(found) or any(":" in half for half in found):
            raise Untaken("the access key of Amazon is not whole here: set its variables and import again")
        for word in _AMAZON:
            if not params.get(word).says_nothing:
                params.get(word).change(
                    "the halves of the access key, as they are now, are stored as one secret"
                )
        return Secret(literal=":".join(found))

    def _headers(self, params: "_Params") -> tuple[tuple[str, str], ...]:
        headers: dict[str, str] = {}
        organization = params.get("organization")
        if not organization.says_nothing:
            headers["OpenAI-Organization"] = self._variables.text(organization)
        for given in (params.get("extra_headers"), params.get("headers")):
            for name, part in given.members().items():
                if _header_check(name, part):
                    headers[name] = part.text()
        return tuple(sorted(headers.items()))


class _Params:
    """`litellm_params`, and below them what their credential says."""

    def __init__(self, own: Part, credential: Part | None) -> None:
        self.own = own
        self._credential = credential

    def get(self, name: str) -> Part:
        part = self.own.get(name)
        return part if self._credential is None or not part.says_nothing else self._credential.get(name)


def model_name_check(name: str) -> None:
    """Refuse a name that no model here can have."""
    if not name or len(name) > _LONGEST_NAME or any(mark.isspace() for mark in name) or name.count("*") > 1:
        raise Untaken("a model's name has no spaces, one star at most, and 200 characters at most")


def wait_take(part: Part, *, first: bool) -> Decimal | None:
    """A timeout, as the wait that it becomes."""
    seconds = None if part.says_nothing else part.figure()
    if seconds is None:
        return None
    if not Decimal("0.001") <= seconds <= 86_400:
        part.leave("write seconds from 0.001 to 86400")
        return None
    part.change(
        "this is how long the provider may take to begin to answer"
        if first
        else "this is how long a provider may be silent within an answer"
    )
    return seconds.quantize(Decimal("0.001"))


def _kind_check(kind: str, host: Host) -> None:
    if host.wire == "anthropic" and kind != "chat":
        raise Untaken("the wire anthropic is for chats alone")
    if host.wire == "litellm" and kind not in ("chat", "embedding"):
        raise Untaken("this provider's format is translated for chats and embeddings alone")


def _header_check(name: str, part: Part) -> bool:
    """Whether a header can be sent with every request; else it is left."""
    value = part.value
    try:
        header_name_validator(name)
    except ValidationError:
        part.leave("this is no header's name")
        return False
    if name.lower() in _FRAMING:
        part.leave("this header is the gateway's to write")
    elif any(word in name.lower() for word in _SECRETIVE):
        part.leave("this header may be a secret, which belongs into api_key")
    elif not isinstance(value, str) or not value.isprintable() or _is_variable(value):
        part.leave("a header is one line of text, as it is sent")
    else:
        return True
    return False


def _is_variable(text: str) -> bool:
    try:
        return bool(named(text))
    except Untaken:
        return True


def _given(part: Part, least: int = 0) -> int | None:
    return None if part.says_nothing else part.whole(least=least)


def _either(*parts: Part) -> Part:
    return next((part for part in parts if not part.says_nothing), parts[0])


def entries_by_model(entries: Sequence[Entry]) -> Mapping[str, list[Entry]]:
    """Entries of one name are one model; it is of one kind, and has a deployment once."""
    groups: dict[str, list[Entry]] = {}
    seen: dict[tuple[object, ...], tuple[int, bool]] = {}
    for entry in entries:
        first = groups.get(entry.name, [entry])[0]
        place = (entry.name, entry.target, entry.secret, entry.headers, entry.waits, entry.region)
        if entry.info.kind != first.info.kind:
            entry.part.leave("the first of this name is a model of another kind")
        elif seen.setdefault(place, standing := (entry.order, entry.info.blocked)) != standing:
            entry.part.leave("the same deployment stands twice, with another order, or blocked once")
        else:
            groups.setdefault(entry.name, []).append(entry)
    return groups
