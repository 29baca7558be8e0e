"""An OpenID Connect provider on loopback: it checks all that it is sent, and lies when told to."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import uuid4

import attrs
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

CLIENT, SECRET = "glaas", "s3cret/of+the client"


@attrs.define
class Provider:
    """Signs in, at once, the person whose claims are `claims`."""

    url: str = ""
    claims: dict[str, Any] = attrs.field(factory=dict)
    # Changes the claims of an ID token before it is signed.
    lie: Callable[[dict[str, Any]], None] = lambda claims: None
    header: dict[str, Any] = attrs.field(factory=lambda: {"alg": "RS256"})
    published: dict[str, Any] = attrs.field(factory=dict)
    key: Any = attrs.field(factory=lambda: RSAKey.generate_key(2048, {"kid": "1"}))
    signs_with: Any = None
    asked: dict[str, dict[str, str]] = attrs.field(factory=dict)
    refused: list[str] = attrs.field(factory=list)
    endpoint_auth: str = "client_secret_basic"
    wait: Callable[[], None] = lambda: None

    def configuration(self) -> dict[str, Any]:
        found = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256", "ES256", "HS256", "none"],
            "token_endpoint_auth_methods_supported": [self.endpoint_auth],
        }
        return found | self.published

    def authorize(self, query: dict[str, str]) -> str:
        """Where the browser goes with a code."""
        wanted = ("client_id", "redirect_uri", "state", "nonce", "code_challenge")
        assert all(query.get(name) for name in wanted), query
        assert query["code_challenge_method"] == "S256"
        assert (query["response_type"], "openid" in query["scope"].split()) == ("code", True)
        code = uuid4().hex
        self.asked[code] = query
        return query["redirect_uri"] + "?" + urlencode({"code": code, "state": query["state"]})

    def exchange(self, authorization: str, form: dict[str, str]) -> dict[str, Any]:
        """The tokens for a code, once; or an error."""
        asked = self.asked.pop(form.get("code", ""), None)
        challenge = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        checks = {
            "client": self._knows_client(authorization, form),
            "code": asked is not None,
            "redirect_uri": asked is not None and form.get("redirect_uri") == asked["redirect_uri"],
            "verifier": asked is not None
            and asked["code_challenge"] == base64.urlsafe_b64encode(challenge).decode().rstrip("="),
        }
        wrong = [name for name, holds in checks.items() if not holds]
        if wrong or asked is None:
            self.refused += wrong
            return {"error": "invalid_grant"}
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 300}
        claims |= {"nonce": asked["nonce"], **self.claims}
        self.lie(claims)
        token = jwt.encode(
            self.header, claims, self.signs_with or self.key, algorithms=[self.header["alg"]]
        )
        return {"access_token": uuid4().hex, "token_type": "Bearer", "id_token": token}

    def _knows_client(self, authorization: str, form: dict[str, str]) -> bool:
        if self.endpoint_auth == "client_secret_post":
            return (form.get("client_id"), form.get("client_secret")) == (CLIENT, SECRET)
        encoded = "s3cret%2Fof%2Bthe%20client"  # RFC 6749, section 2.3.1
        given = base64.b64decode(authorization.partition(" ")[2]).decode()
        return given == f"{CLIENT}:{encoded}"


@contextmanager
def provider() -> Iterator[Provider]:
    """A provider that answers until the block ends."""
    found = Provider()

    class Handler(BaseHTTPRequestHandler):
        timeout = 2  # of connections that a browser opens to be quick, and does not use

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path == "/authorize":
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                self.send_response(302)
                self.send_header("Location", found.authorize(query))
                self.end_headers()
            elif parts.path == "/.well-known/openid-configuration":
                self._say(found.configuration())
            else:
                self._say({"keys": [found.key.as_dict(private=False)]})

        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(text).items()}
            told = found.exchange(self.headers.get("Authorization", ""), form)
            self._say(told, 400 if "error" in told else 200)

        def _say(self, document: dict[str, Any], status: int = 200) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Quiet: a test reads what was `refused`."""

    listening = _Listening(("127.0.0.1", 0), Handler)
    found.wait = listening.wait
    found.url = f"http://127.0.0.1:{listening.server_port}"
    thread = threading.Thread(target=listening.serve_forever)
    thread.start()
    try:
        yield found
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()


class _Listening(ThreadingHTTPServer):
    """Knows when the last connection is closed: some tests look for what others left open."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._open = 0
        self._changed = threading.Condition()

    def get_request(self) -> Any:
        with self._changed:
            self._open += 1
        return super().get_request()

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        with self._changed:
            self._open -= 1
            self._changed.notify_all()

    def wait(self) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self._open == 0, 30)


def new_key(kid: str) -> Any:
    """Another key pair of the provider."""
    return ECKey.generate_key("P-256", {"kid": kid})


def shared_secret() -> Any:
    """The client's secret as a key: what a token must not be signed with."""
    return OctKey.import_key(SECRET)
