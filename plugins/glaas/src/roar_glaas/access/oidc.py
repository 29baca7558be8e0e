"""Signing in with an OpenID Connect provider: authorization code, PKCE, state and nonce.

The server remembers nothing between the way there and the way back: the browser keeps one random
secret in a cookie, and state, nonce and verifier are made of it. So whoever comes back is who went.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import time
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from roar_glaas.access.oidc_settings import OidcSettings
from roar_glaas.errors import Forbidden, Unavailable

if TYPE_CHECKING:
    import httpx
    from joserfc.jwk import KeySet

_log = logging.getLogger(__name__)

_TIMEOUT_S = 10
_KEPT_S = 3600
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_LEEWAY_S = 60
# What a signature may be made with: by a key pair, whatever the provider says it also can do.
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")


class Identity(NamedTuple):
    """Whom the provider says somebody is. `email` is None unless it says that it verified it."""

    issuer: str
    subject: str
    email: str | None
    username: str
    display_name: str


class Provider:
    """One provider. Thread-safe; what it publishes about itself is kept for an hour."""

    def __init__(self, settings: OidcSettings, redirect_uri: str) -> None:
        self.settings = settings
        self._redirect_uri = redirect_uri
        self._kept: tuple[float, dict[str, Any], dict[str, Any]] | None = None

    def way_there(self, secret: str) -> str:
        """The address at the provider that a browser is sent to. Raises Unavailable."""
        from authlib.oauth2.client import OAuth2Client  # type: ignore[import-untyped]

        metadata, _ = self._published()
        client = OAuth2Client(
            None,
            client_id=self.settings.client_id,
            scope="openid email profile",
            redirect_uri=self._redirect_uri,
            code_challenge_method="S256",
        )
        address, _state = client.create_authorization_url(
            metadata["authorization_endpoint"],
            state=_made_of(secret, "state"),
            nonce=_made_of(secret, "nonce"),
            code_verifier=_made_of(secret, "verifier"),
        )
        return str(address)

    def way_back(self, secret: str, state: str, code: str) -> Identity:
        """Who came back with this code. Raises Forbidden, saying no more than a stranger may know;
        Unavailable when the provider does not answer.
        """
        if not secret or not hmac.compare_digest(
            state.encode("utf-8", "replace"), _made_of(secret, "state").encode("ascii")
        ):
            raise Forbidden("this sign-in was begun in another browser, or long ago; begin again")
        token = self._exchange(code, _made_of(secret, "verifier"))
        return _identity(self._claims(token, _made_of(secret, "nonce")))

    def _exchange(self, code: str, verifier: str) -> dict[str, Any]:
        from authlib.oauth2 import OAuth2Error  # type: ignore[import-untyped]
        from authlib.oauth2.client import OAuth2Client

        metadata, _ = self._published()
        ways = metadata.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        way = "client_secret_basic" if "client_secret_basic" in ways else "client_secret_post"
        more: dict[str, str] = {"code": code, "code_verifier": verifier}
        auth = None
        if not self.settings.client_secret:
            more["client_id"] = self.settings.client_id
        elif way == "client_secret_post":
            more["client_id"] = self.settings.client_id
            more["client_secret"] = self.settings.client_secret
        else:
            # RFC 6749, section 2.3.1: both are encoded first.
            auth = (
                quote(self.settings.client_id, safe=""),
                quote(self.settings.client_secret, safe=""),
            )
        with _http() as http:
            client = OAuth2Client(http, redirect_uri=self._redirect_uri)
            try:
                token = client.fetch_token(
                    metadata["token_endpoint"],
                    grant_type="authorization_code",
                    auth=auth or (lambda request: request),
                    **more,
                )
            except OAuth2Error as error:
                _log.warning("the sign-in provider refused a code: %s", error.error)
                raise Forbidden("the provider did not confirm this sign-in; begin again") from error
            except (_http_errors(), ValueError) as error:
                raise self._away(error) from error
        return dict(token)

    def _claims(self, token: dict[str, Any], nonce: str) -> dict[str, Any]:
        """The claims of the ID token, checked (OpenID Connect Core, section 3.1.3.7)."""
        from authlib.oidc.core import CodeIDToken  # type: ignore[import-untyped]
        from joserfc import jwt
        from joserfc.errors import JoseError
        from joserfc.jws import JWSRegistry

        metadata, keys = self._published()
        stated = metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
        registry = JWSRegistry(
            algorithms=[name for name in _ALGORITHMS if name in stated], strict_check_header=False
        )
        text = token.get("id_token")
        try:
            if not isinstance(text, str):
                raise ValueError("no ID token")
            try:
                found = jwt.decode(text, _key_set(keys), registry=registry)
            except (JoseError, ValueError):
                # The provider may have another key by now.
                _, keys = self._published(anew=True)
                found = jwt.decode(text, _key_set(keys), registry=registry)
            claims = CodeIDToken(
                found.claims,
                found.header,
                {
                    "iss": {"essential": True, "value": metadata["issuer"]},
                    "aud": {"essential": True, "value": self.settings.client_id},
                    "nonce": {"essential": True, "value": nonce},
                },
                {"nonce": nonce, "client_id": self.settings.client_id}
                | {k: token[k] for k in ("access_token",) if k in token},
            )
            claims.validate(leeway=_LEEWAY_S)
        except (JoseError, ValueError, TypeError) as error:
            _log.warning("an ID token of the sign-in provider does not hold: %s", error)
            raise Forbidden("what the provider says of this sign-in does not hold") from error
        return dict(claims)

    def _published(self, *, anew: bool = False) -> tuple[dict[str, Any], dict[str, Any]]:
        """What the provider says of itself, and its public keys. Raises Unavailable."""
        kept = self._kept
        if kept is not None and not anew and time.monotonic() < kept[0] + _KEPT_S:
            return kept[1], kept[2]
        from authlib.oidc.discovery import OpenIDProviderMetadata, get_well_known_url  # type: ignore[import-untyped]

        try:
            with _http() as http:
                metadata = _document(http, get_well_known_url(self.settings.issuer, external=True))
                if metadata.get("issuer") != self.settings.issuer:
                    raise ValueError(f"it calls itself {metadata.get('issuer')!r}")
                checked = OpenIDProviderMetadata(metadata)
                for what in _ENDPOINTS:
                    self._check(metadata.get(what), what)
                checked.validate_response_types_supported()
                keys = _document(http, metadata["jwks_uri"])
        except (_http_errors(), ValueError) as error:
            raise self._away(error) from error
        self._kept = (time.monotonic(), metadata, keys)
        return metadata, keys

    def _check(self, address: object, what: str) -> None:
        starts: tuple[str, ...] = ("https://",)
        if self.settings.issuer.startswith("http://"):  # on loopback: see OidcSettings
            starts = ("https://", "http://")
        if not isinstance(address, str) or not address.startswith(starts):
            raise ValueError(f"its {what} is {address!r}")

    def _away(self, error: Exception) -> Unavailable:
        _log.error("the sign-in provider %s cannot be used: %s", self.settings.issuer, error)
        return Unavailable("the provider to sign in with cannot be reached now; try again")


def _key_set(keys: dict[str, Any]) -> KeySet:
    from joserfc.jwk import KeySet

    if not isinstance(keys.get("keys"), list):
        raise ValueError("the provider publishes no keys")
    return KeySet.import_key_set({"keys": keys["keys"]})


def _made_of(secret: str, what: str) -> str:
    """One of the three values that a secret gives; none tells the others (43 characters)."""
    made = hmac.new(secret.encode("utf-8", "replace"), what.encode("ascii"), hashlib.sha256)
    return base64.urlsafe_b64encode(made.digest()).rstrip(b"=").decode("ascii")


def _identity(claims: dict[str, Any]) -> Identity:
    def text(name: str) -> str:
        value = claims.get(name)
        return value if isinstance(value, str) else ""

    is_verified = claims.get("email_verified") is True
    return Identity(
        issuer=text("iss"),
        subject=text("sub"),
        email=(text("email") or None) if is_verified else None,
        username=text("preferred_username") or text("email").partition("@")[0],
        display_name=text("name"),
    )


def _http() -> httpx.Client:
    import httpx

    return httpx.Client(timeout=_TIMEOUT_S, follow_redirects=False)


def _http_errors() -> type[httpx.HTTPError]:
    import httpx

    return httpx.HTTPError


def _document(http: httpx.Client, address: str) -> dict[str, Any]:
    answer = http.get(address, headers={"Accept": "application/json"}).raise_for_status()
    found = answer.json()
    if not isinstance(found, dict):
        raise ValueError(f"{address} gives no JSON object")
    return found
