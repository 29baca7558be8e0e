"""In the command's own Python: botocore dials the run's proxy, for what it has signed for a store.

Only the address that is dialled changes, after signing: the client keeps its keys, whatever they
are, and presigned URLs name the real host. What cannot be sent so goes directly, as it would
without roar, and the run is told.

Everything here is in somebody else's process: nothing is imported before botocore is.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

ENDPOINT = "AWS_ENDPOINT_URL_S3"


def start(folder: str) -> None:
    """See to botocore once this process imports it; `folder` is within the run's."""
    from _roar_imports import watch  # type: ignore[import-not-found]

    dialling = _Dialling(os.path.dirname(folder))
    watch(
        {
            "botocore.endpoint": dialling.add_to_endpoints,
            "aiobotocore.endpoint": dialling.add_to_endpoints,
            "botocore.configprovider": dialling.add_to_settings,
            "s3transfer.crt": dialling.add_to_common_runtime,
        }
    )


class _Dialling:
    """What is done to botocore, and to aiobotocore, which is built on it."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._told: dict[str, Any] | None = None

    @property
    def told(self) -> dict[str, Any]:
        """What the run says of itself; empty when it is over."""
        if self._told is None:
            import json

            self._told = {}
            try:
                for name in ("hook.json", "ready.json"):
                    with open(f"{self._folder}/{name}", encoding="utf-8") as source:
                        self._told |= json.load(source)
            except OSError:
                self._told = {}
            else:
                self._told["proxy"] = f"http://127.0.0.1:{self._told['port']}"
        return self._told

    def add_to_endpoints(self, module: ModuleType) -> None:
        """Every client of S3 that is made dials the proxy."""
        for name in ("EndpointCreator", "AioEndpointCreator"):
            creator = getattr(module, name, None)
            create = vars(creator).get("create_endpoint") if creator is not None else None
            if create is not None:
                creator.create_endpoint = self._dialling(create)  # type: ignore[union-attr]

    def add_to_settings(self, module: ModuleType) -> None:
        """What was injected as others' endpoint is none for botocore, which dials by itself."""
        provider: Any = getattr(module, "ConfiguredEndpointProvider", None)
        provide = getattr(provider, "provide", None)
        if provide is None:
            return

        def provided(this: Any) -> Any:
            found = provide(this)
            if not found or found != self.told.get("proxy"):
                return found
            import copy

            other = copy.copy(this)
            other._environ = dict(this._environ)
            del other._environ[ENDPOINT]
            if theirs := self.told["theirs"]:
                other._environ[ENDPOINT] = theirs
            return provide(other)

        provider.provide = provided

    def add_to_common_runtime(self, module: ModuleType) -> None:
        """What AWS's common runtime moves for boto3 and aws-cli goes by connections of its own.

        boto3 leads these to Amazon by TLS whatever endpoint is set, and takes them without being
        asked on instances that it calls optimised. So that they are missed is told.
        """
        manager: Any = getattr(module, "CRTTransferManager", None)
        if manager is None:
            return
        make = manager.__init__

        def made(this: Any, *args: Any, **options: Any) -> None:
            if self.told:
                self._say("moves files by AWS's common runtime (awscrt)")
            make(this, *args, **options)

        manager.__init__ = made

    def _dialling(self, create: Callable[..., Any]) -> Callable[..., Any]:
        def create_endpoint(
            this: Any, service_model: Any, region_name: Any, endpoint_url: Any, **rest: Any
        ) -> Any:
            if service_model.service_name == "s3" and self.told:
                if why := self._why_not(this, endpoint_url, rest):
                    self._say(why)
                else:
                    self._register(this._event_emitter)
            return create(this, service_model, region_name, endpoint_url, **rest)

        return create_endpoint

    def _register(self, emitter: Any) -> None:
        """Dial after whoever else has a say: one that answers by itself, as a mock, sends nothing.

        Of a run in a run, whose hook comes later, the inner one counts.
        """
        if (outer := getattr(emitter, "_roar_dials", None)) is not None:
            emitter.unregister("before-send.s3", outer)
        emitter._roar_dials = self._dial
        emitter.register_last("before-send.s3", self._dial)

    def _why_not(self, creator: Any, endpoint_url: str, rest: dict[str, Any]) -> str:
        """What of a client the proxy could not do in its place."""
        if rest.get("verify") not in (None, True, self.told.get("ca_bundle")):
            return "has certificates of its own, or checks none"
        if rest.get("client_cert"):
            return "has a certificate of its own"
        if rest.get("proxies"):
            return "has an HTTP proxy of its own"
        if creator._get_proxies(endpoint_url).get("http"):
            return "uses an HTTP proxy"
        return ""

    def _dial(self, request: Any, **_: Any) -> None:
        """Have a request that is signed go to the proxy, which passes it on as it is."""
        if not os.path.exists(f"{self._folder}/ready.json"):
            return
        scheme, _, rest = request.url.partition("://")
        end = min((i for i in map(rest.find, "/?") if i >= 0), default=len(rest))
        host, target = rest[:end], rest[end:]
        proxy = self.told["proxy"]
        if f"{scheme}://{host}" == proxy:
            return
        host = host.removesuffix(":443" if scheme == "https" else ":80") if ":" in host else host
        request.url = proxy + target
        request.headers["Host"] = host
        request.headers["Roar-Run"] = self.told["secret"]
        request.headers["Roar-Origin"] = f"{scheme}://{host}"

    def _say(self, why: str) -> None:
        with open(f"{self._folder}/bypassed", "a", encoding="utf-8") as target:
            target.write(f"{why}\n")
