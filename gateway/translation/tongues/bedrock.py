"""Amazon Bedrock, through Converse, whoever made the model."""

import re
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import msgspec

from gateway.call import Usage
from gateway.catalog import Deployment
from gateway.errors import NoProvider
from gateway.translation.counts import bedrock_usage
from gateway.translation.frames import AmazonFraming, Framing
from gateway.translation.library import part
from gateway.translation.tongue import Listener, Told, Tongue, Written

_REGION = re.compile(r"bedrock-runtime(?:-fips)?\.([a-z0-9-]+)\.")
_SAFE_REGION = re.compile(r"[a-z0-9-]{1,40}")
_encode = msgspec.json.Encoder().encode


class BedrockTongue(Tongue):
    """The key is one of Bedrock's own; or `ACCESS_KEY:SECRET_KEY`, or that and `:TOKEN`, to sign with."""

    CONFIG = "ConverseConfig"
    UNCOUNTED = {"usage": {"inputTokens": 0, "outputTokens": 0, "totalTokens": 0}}

    @property
    def base_url(self) -> str:
        return self.provider.base_url or f"https://bedrock-runtime.{region_of(self.deployment)}.amazonaws.com"

    def url(self, *, stream: bool) -> str:
        task = "converse-stream" if stream else "converse"
        return f"{self.base_url}/model/{self.model_in_url}/{task}"

    def headers(self) -> dict[str, str]:
        return {}

    def body(self, headers: dict[str, str], *, stream: bool) -> dict[str, Any]:
        body: dict[str, Any] = self.config._transform_request(  # as litellm's own caller of it does
            model=self.model,
            messages=self.messages,
            optional_params=self.params,
            litellm_params=self.notes,
            headers=headers,
        )
        return body

    def sealed(self, url: str, headers: dict[str, str], body: Mapping[str, Any]) -> Written:
        return Written(url, *signed(self.deployment, url, headers, _encode(body)))

    def usage(self, told: Told) -> Usage | None:
        return _usage(told)

    def listen(self) -> Listener:
        stream = part("ConverseStream")(model=self.model, json_mode=self.json_mode)
        return _Listener(stream.converse_chunk_parser)


class _Listener(Listener):
    """The counts come last, behind the model's own end."""

    def framing(self) -> Framing:
        return AmazonFraming()

    def note(self, told: Told) -> None:
        self.stopped = self.stopped or "messageStop" in told
        metadata = told.get("metadata")
        if isinstance(metadata, dict):
            self.usage = _usage(metadata) or self.usage
            self.ended = self.stopped

    def parse(self, told: Told) -> Any:
        (payload,) = told.values()
        return None if "metadata" in told else super().parse(payload)


def region_of(deployment: Deployment) -> str:
    """Where the deployment says that it is, or its provider's address does."""
    found = _REGION.search(deployment.provider.base_url)
    region = deployment.region or (found[1] if found else "")
    if not _SAFE_REGION.fullmatch(region):
        raise NoProvider("A deployment at Amazon Bedrock names no region.")
    return region


def signed(
    deployment: Deployment, url: str, headers: Mapping[str, str], body: bytes
) -> tuple[dict[str, str], bytes]:
    """Headers and body with the provider's own key; nobody looks for others on this machine."""
    given = deployment.provider.secret
    secret = "" if given is None else given.reveal()
    told = {**headers, "content-type": "application/json"}
    access, _, rest = secret.partition(":")
    if not rest:
        return ({**told, "authorization": f"Bearer {secret}"} if secret else told), body
    key, _, token = rest.partition(":")
    request = import_module("botocore.awsrequest").AWSRequest("POST", url, told, body)
    credentials = import_module("botocore.credentials").Credentials(access, key, token or None)
    import_module("botocore.auth").SigV4Auth(credentials, "bedrock", region_of(deployment)).add_auth(request)
    return {name.lower(): str(value) for name, value in request.headers.items()}, body


def _usage(told: Told) -> Usage | None:
    counts = told.get("usage")
    return bedrock_usage(counts) if isinstance(counts, dict) else None
