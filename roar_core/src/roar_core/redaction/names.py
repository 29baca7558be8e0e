"""Which names have a secret as their value: of flags, variables, labels and JSON. Pure."""

from __future__ import annotations

import functools
import re
from itertools import pairwise

_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
# What a name must hold to be one; nearly all hold none of it.
PARTS = ("pass", "secret", "token", "key", "auth", "cred", "sig", "bearer", "cookie", "pw", "_pat")

_ALWAYS = frozenset(
    {
        *("password", "passwords", "passwd", "passphrase", "secret", "secrets", "credential"),
        *("credentials", "apikey", "apikeys", "authorization"),
    }
)
# In one word with what stands before: `dbpassword`, `clientsecret`, `authtoken`.
_GLUED = re.compile(
    r"\w*(?:password|passwd|passphrase|secret|apikey|credentials?)"
    r"|(?:access|auth|api|bearer|refresh|session|hf|github|gh|gitlab|slack|bot|user|client|oauth"
    r"|csrf|xsrf|jwt|deploy|service|admin|db)token"
    r"|(?:access|private|secret|auth|signing|encryption|account|ssh|master|license|storage|shared"
    r"|service|deploy|session)key"
    r"|(?:user|db|my|root|admin|ftp|smtp|mail|http|proxy|ssh)(?:pass|pwd|pw)"
)
# Secret where they end a name: `--hf-token`, `auth`; a `token_count` is none.
_LAST = frozenset({"token", "auth", "sig", "signature", "bearer", "cookie", "cookies"})
_PASS = frozenset({"pass", "pwd", "pw"})
# Of tokenizers, passes and models: `--pad-token`, `eos_token`, `first_pass`, `serving_signature`.
_OF_TEXT = frozenset(
    {
        *("pad", "eos", "bos", "unk", "mask", "sep", "cls", "special", "max", "num", "min", "next"),
        *("start", "end", "stop", "image", "per", "first", "last", "blank", "begin", "new", "any"),
        *("single", "multi", "two", "forward", "backward", "low", "high", "band", "second", "by"),
        *("model", "serving", "function", "method", "type", "decoder", "prompt", "prefix", "word"),
        *("one", "target", "source", "audio", "video", "n", "total", "sub", "bypass", "drop"),
    }
)
_KEYS = frozenset(
    {
        *("api", "access", "private", "secret", "auth", "signing", "encryption", "account"),
        *("master", "deploy", "service", "ssh", "license", "storage", "session", "client", "app"),
        *("application", "consumer", "webhook", "subscription", "admin", "shared", "decryption"),
        *("hmac", "jwt", "fernet", "sas", "vault", "wandb", "neptune", "comet", "openai", "hf"),
        *("anthropic", "gemini", "aws", "gcp", "s3", "stripe", "sendgrid", "twilio", "datadog"),
        *("sentry", "github", "gitlab", "slack", "db", "database", "redis", "host", "root", "ssl"),
        *("tls", "gpg", "pgp", "rsa", "mistral", "cohere", "groq", "pinecone", "langchain"),
    }
)
# Of tables and data: only these end in KEY without being a secret where a name is all capitals.
_OF_DATA = frozenset(
    {
        *("primary", "foreign", "sort", "partition", "cache", "public", "input", "output", "label"),
        *("text", "data", "image", "column", "row", "group", "index", "join", "hash", "shard"),
        *("dict", "state", "config", "map", "metric", "monitor", "feature", "target", "attention"),
        *("query", "random", "prng", "rng", "object", "bucket", "s3_object", "hot", "x", "y"),
    }
)
# A name that ends so names something about a secret, and not the secret.
_ABOUT = frozenset(
    {
        *("file", "files", "path", "paths", "dir", "directory", "folder", "endpoint", "name"),
        *("names", "length", "len", "size", "count", "counts", "limit", "policy", "prompt"),
        *("stdin", "fd", "type", "manager", "store", "provider", "expiry", "expires", "ttl"),
        *("lifetime", "rotation", "version", "required", "enabled", "arn", "backend", "scope"),
        *("scopes", "mode", "method", "budget", "dim", "ids", "per", "index", "position"),
    }
)
_QUALIFIERS = frozenset(
    {"value", "old", "prod", "dev", "staging", "b64", "base64", "string", "encoded", "plain"}
)
_LONGEST = 200


def is_secret_name(name: str) -> bool:
    """Whether a flag, variable, label or member of this name has a secret as its value."""
    if len(name) > _LONGEST:
        return _is_secret_name(name[-_LONGEST:])
    return _known(name)


def _is_secret_name(name: str) -> bool:
    lower = name.lower()
    if "=" in name or not any(part in lower for part in PARTS):
        return False
    spelt = _WORDS.findall(name)
    words = [word.lower() for word in spelt]
    while len(words) > 1 and (words[-1].isdigit() or words[-1] in _QUALIFIERS):
        words.pop()
    if not words or (len(words) > 1 and words[-1] in _ABOUT):
        return False
    if any(word in _ALWAYS or _GLUED.fullmatch(word) for word in words):
        return True
    before, last = (words[-2] if len(words) > 1 else ""), words[-1]
    if last in _LAST:
        return before not in _OF_TEXT
    if last in _PASS and before not in _OF_TEXT:
        # PWD is a directory, and `pass: 5` a result.
        return bool(before) or name.startswith("-") or (last == "pass" and name.isupper())
    if any(a in _KEYS and b in ("key", "keys") for a, b in pairwise(words)):
        return True
    return name.isupper() and _is_secret_variable(words)


def _is_secret_variable(words: list[str]) -> bool:
    """Of names all in capitals, as variables have: MY_KEY, HF_TOKEN_EU, GITHUB_PAT."""
    before, last = (words[-2] if len(words) > 1 else ""), words[-1]
    if last == "key" or (last == "pat" and before):
        return before not in _OF_DATA
    return any(b == "token" and a not in _OF_TEXT for a, b in pairwise(["", *words]))


_known = functools.lru_cache(4096)(_is_secret_name)


def rule_of(name: str, *, is_json: bool = False) -> str:
    """The id of the rule by which the value of a secret name is masked."""
    lower = name.lower().lstrip("-")
    flat = lower.replace("-", "").replace("_", "")
    if "secretaccesskey" in flat or "awssecret" in flat:
        return "aws_secret_key"
    if lower.startswith("x-amz-") or flat == "awsaccesskeyid":
        return "aws_presigned_url"
    if lower.startswith("x-goog-"):
        return "gcp_signed_url"
    if flat in ("accountkey", "sharedaccesskey", "azurestoragekey"):
        return "azure_account_key"
    if lower == "sig":
        return "azure_sas"
    if "authorization" in lower or flat == "bearer":
        return "bearer_token"
    if "cookie" in lower:
        return "cookie"
    if is_json:
        return "json_named_secret"
    if name.isupper():
        return "env_var_assignment"
    if any(part in lower for part in ("pass", "pwd", "pw")):
        return "generic_password_arg"
    if "secret" in lower or "cred" in lower:
        return "generic_secret_arg"
    return "generic_api_key_arg" if "key" in lower else "generic_token_arg"
