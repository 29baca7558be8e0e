"""Secrets that their form gives away, wherever they stand: tokens, keys, PEM blocks, JWTs.

Whoever writes a text may mean harm: no pattern may look at a long text again and again, so parts
have a longest length, and what may fail begins where no other is begun.
"""

from __future__ import annotations

import functools
import re
from typing import NamedTuple


class Form(NamedTuple):
    """A rule by form.

    `hints`: one of them, in lower case, is in every text that holds such a secret. `pattern` may
    have a group `kept`: what stands before the secret and stays.
    """

    id: str
    hints: tuple[str, ...]
    pattern: str

    @property
    def compiled(self) -> re.Pattern[str]:
        """The pattern; compiled when the first text has a hint of it."""
        return _compiled(self.pattern)


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.ASCII)


_KEY = r"PRIVATE KEY(?: BLOCK)?-----"
# RFC 7468 and RFC 4880, RFC 7519 and 7516, and what GitHub, GitLab, AWS, Google, Azure, Slack,
# Hugging Face, OpenAI, Anthropic and others document as the forms of their tokens, so that scanners
# can find them.
FORMS = (
    Form(
        "private_key",
        ("private key",),
        rf"-----BEGIN [A-Z0-9 ]{{0,40}}{_KEY}[\s\S]*?(?:-----END [A-Z0-9 ]{{0,40}}{_KEY}|\Z)",
    ),
    Form(
        "slack_webhook",
        ("hooks.slack",),
        r"(?P<kept>hooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers)/)[\w/-]{8,}",
    ),
    Form(
        "chat_webhook",
        ("/webhook",),
        r"(?P<kept>\bdiscord(?:app)?\.com/api/webhooks/|\bwebhook\.office\.com/webhookb?2?/)"
        r"[\w@/-]{8,}",
    ),
    Form("github_pat", ("github_pat_",), r"\bgithub_pat_\w{22,}"),
    Form("github_token", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), r"\bgh[pousr]_[A-Za-z0-9]{36,}"),
    Form(
        "gitlab_token",
        ("glpat-", "glptt-", "gldt-", "glrt-", "glcbt-", "glft-", "glsoat-", "glagent-", "gloas-"),
        r"\bgl(?:pat|ptt|dt|rt|cbt|ft|soat|agent|oas)-[\w-]{20,}",
    ),
    Form("anthropic_key", ("sk-ant-",), r"\bsk-ant-[\w-]{8,}"),
    Form(
        "openai_key",
        ("sk-",),
        r"\bsk-(?:(?:proj|svcacct|admin|None)-[\w-]{8,}|(?=[a-z_-]{0,60}[A-Z0-9])[\w-]{20,}"
        r"|[a-z]{32,})",
    ),
    # Not a digest in hexadecimal: hf_<md5> is a file of a cache.
    Form(
        "huggingface_token",
        ("hf_", "api_org_"),
        r"\b(?:hf|api_org)_(?!(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64})\b)[A-Za-z0-9]{30,}\b",
    ),
    Form("slack_token", ("xox", "xapp-"), r"\b(?:xox[abceoprs]|xapp)-[0-9]+-[0-9A-Za-z-]{10,}"),
    Form(
        "jwt",
        ("eyj",),
        r"(?<![\w-])eyJ[\w-]{8,}\.(?:eyJ[\w-]{8,}\.[\w-]*|[\w-]*\.[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,})",
    ),
    # The secret key of AWS has no form of its own; beside its id it is known by its length.
    Form(
        "aws_secret_key",
        ("akia", "asia"),
        r"(?P<kept>\b(?:AKIA|ASIA)[0-9A-Z]{16}[\s,:;|'\"]{1,8})[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])",
    ),
    Form("aws_access_key", ("akia", "asia"), r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    Form("gcp_api_key", ("aiza",), r"\bAIza[\w-]{35}"),
    Form("gcp_oauth", ("ya29.", "gocspx-"), r"\bya29\.[\w-]{20,}|\bGOCSPX-[\w-]{20,}"),
    # 64 bytes in base64; `sha512-…==` is an integrity.
    Form("azure_account_key", ("==",), r"(?<![\w+/=-])[A-Za-z0-9+/]{86}==(?!=)"),
    Form(
        "service_token",
        (
            *("npm_", "pypi-age", "k_live_", "k_test_", "sg.", "dapi", "_v1_", "hvs.", "hvb."),
            *("hvr.", "gsk_", "r8_", "nvapi-", "age-secret-key-", "dckr_pat_", "tskey-", "pplx-"),
            *("xai-", ":aa", "shpat_", "shpca_", "shppa_", "shpss_", "lsv2_", "lin_api_"),
        ),
        r"\bnpm_[A-Za-z0-9]{36}|\bpypi-AgE[\w-]{50,}|\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}"
        r"|\bSG\.[\w-]{16,}\.[\w-]{16,}|\bdapi[0-9a-f]{32}\b"
        r"|\bdo[opr]_v1_[0-9a-f]{64}|\bhv[sbr]\.[\w-]{24,}|\bgsk_[A-Za-z0-9]{40,}"
        r"|\br8_[A-Za-z0-9]{37}|\bnvapi-[\w-]{40,}|\bAGE-SECRET-KEY-1[0-9A-Z]{50,}"
        r"|\bdckr_pat_[\w-]{20,}|\btskey-[a-z]+-[\w-]{16,}|\b(?:pplx|xai)-[A-Za-z0-9]{40,}"
        r"|(?<![\w:])[0-9]{8,10}:AA[\w-]{33}(?![\w-])|\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}"
        r"|\bwandb_v1_\w{30,}|\blsv2_(?:pt|sk)_\w{32,}|\blin_api_[A-Za-z0-9]{40}",
    ),
)
