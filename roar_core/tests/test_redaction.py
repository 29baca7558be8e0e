"""What is a secret in a command, and what is a parameter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roar_core.redaction import DEFAULT, MASK, Redacted, is_secret_name, mask, mask_command, mask_in


def everywhere(text: str) -> Redacted:
    """`text` after every pattern was tried on it."""
    return DEFAULT.mask_with(DEFAULT._steps, text)


@pytest.mark.parametrize(
    "name",
    [
        *("password", "--db-password", "HF_TOKEN", "token", "apiKey", "AWS_SECRET_ACCESS_KEY"),
        *(
            "api_key",
            "X-Amz-Signature",
            "clientSecret",
            "Authorization",
            "--auth-token",
            "WANDB_API_KEY",
        ),
    ],
)
def test_a_name_that_has_a_secret(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    [
        *("--max-tokens", "--pad-token", "eos_token", "tokenizer", "key", "--primary-key"),
        *(
            "monkey",
            "--learning-rate",
            "author",
            "passes",
            "PWD",
            "signal",
            "--token-count",
            "",
            "--",
        ),
    ],
)
def test_a_name_that_has_none(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("--token=abc", "--token=***"),
        ("curl -H 'Authorization: Bearer abcdef123'", "curl -H 'Authorization: Bearer ***'"),
        ("TOKEN=a PASSWORD='b c' run", "TOKEN=*** PASSWORD=*** run"),
        ("x --password hunter2 --lr 0.1", "x --password *** --lr 0.1"),
        ("https://user:pa55@host/x", "https://user:***@host/x"),
        ("https://ghp_x@host/x", "https://***@host/x"),
        ("git@host:path", "git@host:path"),
        ("ssh://git@host/path", "ssh://git@host/path"),
        ("s3://b/k?X-Amz-Signature=ab&x=1", "s3://b/k?X-Amz-Signature=***&x=1"),
        ("url=https://h/?access_token=ab", "url=https://h/?access_token=***"),
        ("curl -u me:pw https://h", "curl -u me:*** https://h"),
        ("hf_" + "a" * 34, "***"),
        ("--max-tokens 512 --pad-token <pad>", "--max-tokens 512 --pad-token <pad>"),
        ("lr=0.1 key=a", "lr=0.1 key=a"),
        ("password", "password"),
    ],
)
def test_secrets_in_words(text: str, masked: str) -> None:
    once = mask(text)
    assert once.text == masked
    again = mask(once.text)
    assert again.text == masked
    assert again.what == once.what or masked == "***", "what is masked is found again"


def test_a_flag_and_its_value_are_two_arguments() -> None:
    command = ["train", "--api-key", "abc", "--lr", "1", "--password", "--verbose", "-u", "a:b"]
    masked, found = mask_command(command)
    assert masked == ["train", "--api-key", "***", *command[3:8], "a:***"]
    assert [(place, finding.name) for place, finding in found] == [(2, "--api-key"), (8, "-u")]


def test_labels_are_looked_through() -> None:
    value, found = mask_in({"a": [{"token": "x"}, "https://u:p@h"], "n": 5})
    assert value == {"a": [{"token": "***"}, "https://u:***@h"], "n": 5}
    assert found == ("token", "login in a URL")


def test_a_long_word_takes_no_long_time() -> None:
    for text in ("a" * 200_000, "--" * 100_000, "a=" * 100_000, "x://" * 50_000, "'" * 100_001):
        assert "***" not in mask(text).text


# Pieces of everything that a pattern looks for, in both cases.
_PIECES = st.lists(
    st.sampled_from(
        [
            *("://", "@", ":", "=", " ", "--", "-u ", "--user=", "-", "_", "'", '"', "&"),
            *("pass", "Secret", "TOKEN", "key", "api", "auth", "cred", "sig", "bearer", "Basic "),
            *("digest ", "ghp_", "github_pat_", "glpat-", "AKIA", "xoxb-1-", "hf_", "sk-", "eyJ"),
            *("a" * 40, "A" * 16, "7", ".eyJ", "-----BEGIN PRIVATE KEY-----", "https", "\u212a"),
        ]
    ),
    max_size=12,
).map("".join)


@given(_PIECES)
def test_what_is_passed_over_quickly_holds_nothing_that_the_patterns_find(text: str) -> None:
    assert mask(text) == everywhere(text)


@pytest.mark.parametrize(
    "secret",
    [
        *("ghp_" + "a1" * 18, "github_pat_" + "a1" * 11, "glpat-" + "a1" * 10, "AKIA" + "A1" * 8),
        *("xoxb-1-" + "a1" * 5, "hf_" + "ab" * 15, "sk-" + "a1" * 10, "sk-proj-" + "a1" * 10),
        "eyJ" + ".eyJ".join(["a1" * 4] * 2) + ".a1",
        "-----BEGIN PRIVATE KEY-----\na1\n-----END PRIVATE KEY-----",
        *("http://ada:a1@host", "Basic YWRhOmEx", "-u ada:a1", "--user=ada:a1"),
    ],
)
def test_a_secret_of_each_form_is_not_passed_over_quickly(secret: str) -> None:
    for text in (secret, f"x {secret}", secret.swapcase()):
        assert mask(text) == everywhere(text)
    assert MASK in mask(secret).text


@pytest.mark.parametrize("part", ["key", "-key", "a.", "eyJ-", "-u=", "://", "-----BEGIN "])
def test_no_text_keeps_the_patterns_busy(part: str) -> None:
    """A pattern that begins anew at every place would look at this for hours."""
    text = part * (1_000_000 // len(part)) + " ://"
    assert mask(text).text == text


def test_a_key_of_a_document_that_is_a_secret_is_masked() -> None:
    secret = "ghp_" + "a1" * 18
    kept, what = mask_in({"of": {f"x {secret}": 1, "a name that is as long as one": 2}})
    assert kept == {"of": {"x ***": 1, "a name that is as long as one": 2}}
    assert what == ("token",)
