"""Every rule finds what it is for, and nothing that only looks like it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roar_core.redaction import MASK, is_secret_name, mask, mask_command, redact
from roar_core.redaction.catalogue import RULES

PAGE = (Path(__file__).resolve().parents[2] / "docs/redaction.md").read_text(encoding="utf-8")
# Obviously fake, and of the form that each service documents.
FAKE = "FAKE" * 30
LOWER = "fake1" * 30

# rule -> texts in which it finds something; the part in «» must not be left.
FOUND = {
    "private_key": [
        "-----BEGIN RSA PRIVATE KEY-----\n«FAKEKEYBODY»\n-----END RSA PRIVATE KEY-----"
    ],
    "aws_access_key": ["id «AKIAFAKEFAKEFAKE0000» x", "«ASIAFAKEFAKEFAKE0000»"],
    "aws_secret_key": [
        "AWS_SECRET_ACCESS_KEY=«fake/canary+fake»",
        f"AKIAFAKEFAKEFAKE0000:«{'fAkE/' * 8}»",
    ],
    "aws_presigned_url": ["https://b.example/k?X-Amz-Signature=«fakefake»&x=1"],
    "gcp_signed_url": ["https://b.example/k?X-Goog-Signature=«fakefake»&x=1"],
    "gcp_api_key": [f"«AIza{FAKE[:35]}»"],
    "gcp_oauth": [f"«ya29.{FAKE[:40]}»", f"«GOCSPX-{FAKE[:28]}»"],
    "azure_account_key": [f"AccountKey=«{FAKE[:86]}==»;", f"key {'«' + FAKE[:86]}==»"],
    "azure_sas": ["https://a.blob.example/c?sv=1&sig=«fake%2Bfake%3D»"],
    "github_token": [f"«ghp_{FAKE[:36]}»", f"x «ghs_{FAKE[:40]}» y"],
    "github_pat": [f"«github_pat_{FAKE[:60]}»"],
    "gitlab_token": [f"«glpat-{FAKE[:20]}»", f"«glrt-{FAKE[:20]}»"],
    "openai_key": [
        f"«sk-{FAKE[:40]}»",
        "«sk-proj-fake-canary-with_dashes-fake»",
        "«sk-svcacct-fake-canary-fake»",
        f"«sk-{'fake' * 12}»",
    ],
    "anthropic_key": ["«sk-ant-api03-fake-canary-fake»"],
    "huggingface_token": [f"«hf_{FAKE[:34]}»"],
    "slack_token": ["«xoxb-0000000000-FAKEFAKEFAKE»"],
    "slack_webhook": ["https://hooks.slack.com/services/«T00FAKE/B00FAKE/FAKEFAKE»"],
    "chat_webhook": ["https://discord.com/api/webhooks/«0000000/FAKEFAKEFAKE»"],
    "jwt": ["x «eyJmYWtlIjoxfQ.eyJmYWtlIjoxfQ.fakefakefake» y"],
    "service_token": [f"«npm_{FAKE[:36]}»", f"«sk_live_{FAKE[:24]}»", f"«hvs.{FAKE[:24]}»"],
    "git_url_creds": [
        "https://ada:«hunter2»@host.example/x.git",
        "https://x-access-token:«fake»@github.example/o/r",
        "https://me@corp.example:«p@ss»@host.example/x",
        "ada:«hunter2»@host.example:repo.git",
    ],
    "git_url_userinfo": ["https://«fake-token»@host.example/x.git"],
    "database_url": [
        "postgresql+asyncpg://ada:«hun/ter2»@db.example:5432/x",
        "mongodb+srv://ada:«p@ss»@db.example/x",
        "jdbc:oracle:thin:scott/«tiger»@db.example:1521:x",
        "rediss://:«hunter2»@cache.example:6379/0",
    ],
    "url_creds": ["foo+bar://ada:«hunter2»@host.example/x"],
    "bearer_token": [
        "curl -H 'Authorization: Bearer «fake-canary»' x",
        "Authorization: token «fakecanary»",
        '-H "Proxy-Authorization: Basic «ZmFrZTpmYWtl»"',
        "Bearer «fake.canary0»",
    ],
    "cookie": ["curl -H 'Cookie: «sid=fake; b=canary»' x"],
    "env_var_assignment": [
        "HF_TOKEN=«fake»",
        "MY_KEY=«fake» x",
        "GITHUB_PAT='«fake canary»'",
        "DB_PWD=«fake»",
    ],
    "json_named_secret": [
        '{"password": "«fake canary»", "x": 1}',
        r"{\"api_key\": \"«fake»\"}",
        'os.environ["api_token"] = "«fake»"',
    ],
    "generic_password_arg": [
        "x --password «fake» --lr 1",
        "--db-pass=«fa,ke»",
        "mysql -u root -p«fake» db",
        "sshpass -p «fake» ssh x",
        "curl -u me:«fake» https://h.example",
        "curl -u 'me:«fake»' https://h.example",
        "x '--password=«my fake phrase»' --lr 1",
        """x '--password=«it'"'"'s fake»' --lr 1""",
        "Server=x;Uid=y;pwd=«fake»;",
        "machine h login me password «fake»",
    ],
    "generic_secret_arg": ["--client-secret «fake»"],
    "generic_api_key_arg": ["f(api_key='«fake»', lr=1)", "--api-key «fake»"],
    "generic_token_arg": ["url=https://h.example/?access_token=«fake»&x=1", "--hf-token=«fake»"],
}
CASES = [(rule, text) for rule, texts in FOUND.items() for text in texts]

NOTHING = [
    *("--max-tokens 512 --pad-token <pad>", "eos_token='</s>'", "num_tokens: 5", "tokenizer=bert"),
    *("--first-pass 2", "--token-file ~/t", "use_auth_token=True", "password", "primary_key=id"),
    *("PWD=/home/ada", "MAX_TOKENS=512", "TOKENIZERS_PARALLELISM=false", "CACHE_KEY=x"),
    *("basic training", "bearer certificates", "auth::login", "docker run -u 1000:1000 x"),
    *("git@host.example:o/r.git", "ssh://git@host.example/x", "image:tag@sha256:" + "0a" * 32),
    *("https://host.example:8080/@scope/pkg@1.2", "postgres://db.example:5432/x?mail=a@b"),
    *("0a" * 20, "0a" * 32, "hf_" + "0a" * 16, "12345678-1234-4234-8234-123456789abc"),
    *("sha512-" + "A" * 86 + "==", "risk-assessment-of-a-long-name", "sk-learn-of-a-long-name"),
    *("mkdir -p out", "cp -p a b", "make -u", "lr=0.1 key=a", "--label-key class", "design: x"),
    *("blake3:" + "0a" * 32, "2026-01-05T10:00:00.000000000Z", "signature_name=x", "2.3.1+cu121"),
    *("mailto:ada@example.org", "--author ada", "passes=3", "pass: 5", "train-test-pass"),
    *("s3://bucket/key.parquet?versionId=abc", "hydra.sweeper.n_trials=5", "monkey=1"),
]


@pytest.mark.parametrize(("rule", "text"), CASES)
def test_a_rule_finds(rule: str, text: str) -> None:
    secret = re.findall("«(.+?)»", text, re.DOTALL)
    told = mask(text.replace("«", "").replace("»", ""))
    assert all(part not in told.text for part in secret), told.text
    assert rule in {found.rule for found in told.found}
    assert told.text == re.sub("«.+?»", MASK, text, flags=re.DOTALL) or rule in _TAKE_MORE
    assert mask(told.text).text == told.text


# Where what is around the secret goes with it: a PEM's lines, quotes, an AWS id.
_TAKE_MORE = {"private_key", "aws_secret_key", "env_var_assignment", "generic_api_key_arg"}


@pytest.mark.parametrize("text", NOTHING)
def test_what_is_no_secret_stays(text: str) -> None:
    assert mask(text) == (text, ())


def test_every_rule_is_in_the_catalogue_on_the_page_and_tried_here() -> None:
    own = {"entropy", "value", "rule:NAME"}
    assert FOUND.keys() == RULES.keys() - own
    rows = re.findall(r"^\| `([\w:]+)` \| (.+) \|$", PAGE, re.M)
    assert rows == list(RULES.items())


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["mysql", "-pfake"], ["mysql", "-p***"]),
        (["sshpass", "-p", "fake", "ssh"], ["sshpass", "-p", MASK, "ssh"]),
        (["t", "--password", "-9fake"], ["t", "--password", MASK]),
        (["t", "--password", "--verbose"], ["t", "--password", "--verbose"]),
        (["t", "--token=a b c"], ["t", "--token=***"]),
        (["env", "TOKEN=a;b", "x"], ["env", "TOKEN=***", "x"]),
        (["x", "AKIA" + "F" * 16, "fAkE/" * 8], ["x", MASK, MASK]),
        (["x", "0a" * 20, "fAkE/" * 8], ["x", "0a" * 20, "fAkE/" * 8]),
        (
            ["-----BEGIN PRIVATE KEY-----", "FAKE", "-----END PRIVATE KEY-----", "x"],
            [MASK, MASK, MASK, "x"],
        ),
        (["HF_TOKEN", "fake"], ["HF_TOKEN", MASK]),
        (["docker", "run", "-u", "1000:1000"], ["docker", "run", "-u", "1000:1000"]),
    ],
)
def test_a_row_of_arguments(command: list[str], told: list[str]) -> None:
    assert mask_command(command)[0] == told
    assert redact({"command": command}).document == {"command": told}


@pytest.mark.parametrize(
    "name",
    ["HF_TOKEN_2", "dbpassword", "MY_KEY", "--db-pwd", "TOKEN_PROD", "x-api-key", "authToken"],
)
def test_further_names_of_secrets(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    ["--token-file", "secret_name", "TOKEN_LIMIT", "PUBLIC_KEY", "first_pass", "pat", "OLDPWD"],
)
def test_further_names_of_none(name: str) -> None:
    assert not is_secret_name(name)


_WORDS = st.sampled_from(
    [part for _, text in CASES for part in re.split(r"(?<=[=:@/ '\"])", text.strip("«»"))]
    + ["'", '"', "\\", "=", ":", " ", ",", "@", "://", "***", "-p", ";", "Bearer ", "key"]
)


@given(st.lists(_WORDS, max_size=10).map("".join))
@settings(max_examples=200)
def test_what_is_masked_stays_as_it_is(text: str) -> None:
    once = mask(text).text
    assert mask(once).text == once


_ARGUMENTS = st.sampled_from(
    [text.replace("«", "").replace("»", "") for _, text in CASES if not set(text) & {"'", '"'}]
    + [*NOTHING, "--password", "-u", "me:fake", "it's", "a b", "", "--token=it's a", "x=1;y"]
    + ["cat 'out/token=fake' > out", "run '--password=my fake' --lr 1", 'x "token=fake" y']
)


@given(st.lists(_ARGUMENTS, max_size=6))
@settings(max_examples=200)
def test_a_masked_command_stays_as_it_is_as_a_line(command: list[str]) -> None:
    """Registries keep commands as lines for a shell, and mask what comes in once more."""
    line = shlex.join(mask_command(command)[0])
    assert mask(line).text == line


@pytest.mark.parametrize(
    "part",
    [
        *("https://", "a:", "redis://a:", "x@y.", "token='", 'token="', 'token=\\"', "key,", "-p"),
        *("mysql -", "mysql ", "sk-", "sk-a", "eyJa.", "hf_", "AKIA", "Cookie:", "authorization:"),
        *("machine a login ", ";pwd=", "-u a", "--user=", "%3Dkey", "jdbc:oracle:a:", "bearer "),
        *(
            "-----BEGIN A",
            "-----END PRIVATE KEY",
            "-----BEGIN PRIVATE KEY-----",
            "SG.a",
            "gl",
            "{[",
        ),
        *(
            "authorization: digest ",
            "pass pass",
            "--key ",
            "key=\\",
            "A1",
            "hooks.slack.com/services/",
        ),
    ],
)
def test_no_text_keeps_a_rule_busy(part: str) -> None:
    """Quadratic patterns would look at this for minutes."""
    text = part * (300_000 // len(part))
    mask(text + " ")
    mask(text + "!")
