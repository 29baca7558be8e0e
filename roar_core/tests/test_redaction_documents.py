"""Whole documents, and what a user's settings add: values, names, patterns, what is no secret."""

from __future__ import annotations

import json
import signal
from base64 import b64encode
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roar_core.config.layers import Config, load
from roar_core.config.redacting import redactor_of
from roar_core.errors import ConfigError
from roar_core.redaction import DEFAULT, MASK, Masked, Redactor, redact
from roar_core.redaction.documents import texts_of
from roar_core.redaction.entropy import is_random

HASH = "blake3:" + "0a" * 32


def _said_in_base64(text: str, *beside: str) -> str:
    """JSON as a text, which holds another one that is no UTF-8."""
    found = [{"raw": b64encode(text.encode()).decode()}, *beside]
    return json.dumps(found, separators=(",", ":"))


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"password": {"old": "fake", "on": True}}, {"password": {"old": MASK, "on": True}}),
        ({"password": 1234567}, {"password": MASK}),
        (
            {"env": [{"name": "HF_TOKEN", "value": "fake"}]},
            {"env": [{"name": "HF_TOKEN", "value": MASK}]},
        ),
        (
            {"metadata": '{"command":["--password","fake"]}'},
            {"metadata": '{"command":["--password","***"]}'},
        ),
        ({"id": "AKIAFAKEFAKEFAKE0000", "key": "fAkE/" * 8}, {"id": MASK, "key": MASK}),
        (
            {"a ghp_" + "FAKE" * 9: 1, "ghp_" + "FAKE" * 9: 2, MASK: 3},
            {"a ***": 1, MASK: 2, "****": 3},
        ),
        ({"key_origins": {"a.token": "user"}}, {"key_origins": {"a.token": "user"}}),
        ({"raw": b64encode(b"token=fake").decode()}, {"raw": b64encode(b"token=***").decode()}),
        (_said_in_base64("TOKEN=fake run"), _said_in_base64("TOKEN=*** run")),
        (_said_in_base64("TOKEN=fake run", "x" * 300), _said_in_base64("TOKEN=*** run", "x" * 300)),
        ({"bits": "A" * 86 + "==", "key": "A" * 86 + "=="}, {"bits": "A" * 86 + "==", "key": MASK}),
    ],
)
def test_a_document(document: Any, told: Any) -> None:
    found = redact(document)
    assert found.document == told
    assert redact(told).document == told


def test_each_secret_has_a_place_a_rule_and_a_name() -> None:
    found = redact(
        {"jobs": [{"a/b": ["x", "--password", "fake"], "url": "https://u:fake@h.example"}]}
    )
    assert found.masked == (
        Masked("/jobs/0/a~1b/2", "generic_password_arg", "--password"),
        Masked("/jobs/0/url", "git_url_creds", "login in a URL"),
    )


def test_members_of_a_dataset_keep_their_paths_and_are_told() -> None:
    document = {"components": [{"path": "token=fake", "hash": HASH, "note": "token=fake"}]}
    found = redact(document)
    assert found.document["components"] == [
        {"path": "token=fake", "hash": HASH, "note": "token=***"}
    ]
    assert found.kept == (Masked("/components/0/path", "generic_token_arg", "token"),)


@pytest.mark.parametrize(
    ("version", "is_one"),
    [
        *(("2.38.0", True), ("1:0.20.5-3+deb12u1", True), ("2!1.0rc1.post2", True)),
        *(("hunter2-not-real", False), ("ghp4fake4fake", False), ("4f1e9a7cfake4f1e9a7c", False)),
    ],
)
def test_a_package_of_a_secret_name_keeps_its_version(version: str, is_one: bool) -> None:
    packages = {"packages": {"python": {"google-auth": version}}}
    told = redact({"jobs": [packages]}).document["jobs"][0]["packages"]["python"]["google-auth"]
    assert told == (version if is_one else MASK)
    metadata = redact({"metadata": json.dumps(packages)}).document["metadata"]
    assert (version in metadata) is is_one
    assert redact({"google-auth": version}).document == {"google-auth": MASK}


def test_what_is_clean_is_the_same_object() -> None:
    document = {"hash": HASH, "command": ["python", "--max-tokens", "5"], "packages": {"a": "1"}}
    assert redact(document).document is document


_JSON = st.recursive(
    st.sampled_from(
        ["x", "--password", "token=fake", "https://u:p@h.example", HASH, 5, None, True]
    ),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["a", "token", "hash", "path", "components"]), inner)
    ),
    max_leaves=12,
)


@given(_JSON)
def test_a_document_without_secrets_has_none(document: Any) -> None:
    once = redact(document).document
    assert redact(once) == (once, (), redact(once).kept)
    assert "fake" not in json.dumps(once) or "components" in json.dumps(once)


# --- settings ------------------------------------------------------------------------------------


def config_of(tmp_path: Path, project: str = "", own: str = "", **environ: str) -> Config:
    root = tmp_path / "project"
    (root / ".roar").mkdir(parents=True, exist_ok=True)
    (root / "roar.toml").write_text(project, encoding="utf-8")
    mine = tmp_path / "home/.config/roar/global.toml"
    mine.parent.mkdir(parents=True, exist_ok=True)
    mine.write_text(own, encoding="utf-8")
    return load(root, root / ".roar", {"HOME": str(tmp_path / "home"), **environ})


def test_layers_add_up_and_none_takes_away(tmp_path: Path) -> None:
    redactor = redactor_of(
        config_of(
            tmp_path,
            project='[redaction]\nvalues = ["fakevalue1"]\nnames = ["pin"]\n'
            'rules = {a = "B-[0-9]+"}',
            own='[redaction]\nvalues = ["fake value 2"]\nnames = []\nrules = {a = "A-[0-9]+"}',
            ROAR_REDACTION__VALUES="[]",
        )
    )
    told = redactor.mask("xfakevalue1y fake%20value%202 --pin 5 A-1 B-2").text
    assert told == "x***y *** --pin *** *** ***"


@pytest.mark.parametrize("trusted", [False, True])
def test_a_project_says_what_is_no_secret_only_when_it_is_trusted(
    tmp_path: Path, trusted: bool
) -> None:
    said: list[str] = []
    config = config_of(
        tmp_path,
        project='[redaction]\nallow = [".*"]',
        own=f'[redaction]\nallow = ["token=fine", "ok-.*"]\ntrust_project = {str(trusted).lower()}',
    )
    redactor = redactor_of(config, said.append)
    assert redactor.mask("token=fine --password ok-1").text == "token=fine --password ok-1"
    assert redactor.mask("token=fake").text == ("token=fake" if trusted else "token=***")
    assert len(said) == (not trusted)


def test_a_project_cannot_ask_to_be_trusted(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"redaction\.trust_project is for you alone"):
        config_of(tmp_path, project="[redaction]\ntrust_project = true")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ('rules = {a = "("}', r"roar.toml: redaction.rules: a: '\(' is no regular expression"),
        ('rules = {a = ".*"}', "fits the empty text"),
        (f'rules = {{a = "{"x" * 1001}"}}', "at most 1000 characters"),
        ('values = ["abc"]', "at least 4 letters"),
    ],
)
def test_a_bad_setting_is_one_sentence(tmp_path: Path, settings: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence) as caught:
        redactor_of(config_of(tmp_path, project=f"[redaction]\n{settings}"))
    assert "\n" not in str(caught.value)


def test_a_pattern_that_never_ends_is_stopped(tmp_path: Path) -> None:
    """Without the limit this would go on for longer than there are computers."""
    config = config_of(tmp_path, project='[redaction]\nrules = {slow = "(x+x+)+y"}')
    before = signal.getsignal(signal.SIGVTALRM)
    with pytest.raises(ConfigError, match=r"roar.toml: redaction.rules: slow: .* takes too long"):
        redactor_of(config).mask("x" * 5000)
    assert signal.getsignal(signal.SIGVTALRM) is before


def test_a_rule_masks_its_group(tmp_path: Path) -> None:
    rules = {"a": "door (?P<secret>[0-9]+)", "b": "gate ([0-9]+)"}
    table = ", ".join(f'{name} = "{pattern}"' for name, pattern in rules.items())
    redactor = redactor_of(config_of(tmp_path, own=f"[redaction]\nrules = {{{table}}}"))
    told = redactor.mask(f"door 12 gate 34 {'x' * 9000} door 56")
    assert told.text == f"door *** gate *** {'x' * 9000} door ***"
    assert told.found[0] == ("rule:a", "a")


def test_entropy_is_off_unless_it_is_on(tmp_path: Path) -> None:
    word = "q7Zp3Kx9Lw2Vb8Nt4Rd6Yf"
    assert DEFAULT.mask(word).text == word
    assert Redactor(entropy=True).mask(f"x {word}").text == "x ***"
    assert redactor_of(config_of(tmp_path, project="[redaction]\nentropy = true")).entropy
    own = config_of(
        tmp_path, project="[redaction]\nentropy = true", own="[redaction]\nentropy = false"
    )
    assert not redactor_of(own).entropy


@pytest.mark.parametrize(
    "word", ["0a" * 32, "Meta-Llama-3.1-8B-Instruct", "data/Train_2024/Part-001-v2", "a" * 30]
)
def test_a_word_with_a_meaning_is_not_drawn_at_random(word: str) -> None:
    assert not is_random(word)


def test_a_thousand_jobs_are_looked_through_by_few_steps() -> None:
    """What keeps it quick: a clean text costs a look for each hint, and no pattern at all."""
    found = DEFAULT.hints.held({"python train.py --lr 0.1 data/part-1.csv", "signal", "@12"})
    assert found == (frozenset(), frozenset())
    assert DEFAULT.sieve(found.hints) == ()


@pytest.mark.parametrize("at", ["@", "\\u0040"])
def test_what_json_in_a_text_spells_otherwise_is_found_there(at: str) -> None:
    inner = f'{{"remote":"https://ada:hunter2{at}example.org/x","state":"done"}}'
    told = redact({"step": "@1", "signal": None, "metadata": inner})
    assert told.document["step"] == "@1"
    assert json.loads(told.document["metadata"])["remote"] == "https://ada:***@example.org/x"


def test_what_only_json_in_a_text_spells_is_read_though_nothing_else_is_secret() -> None:
    told = redact({"note": r'{"\u0074oken": "hunter2"}'})
    assert "hunter2" not in told.document["note"]


@pytest.mark.parametrize(
    "document",
    [
        {"signal": None, "step": "@B12", "hash": "blake3:" + "aa" * 32},
        {"note": json.dumps({"signal": None, "step": "@1", "filler": "x" * 300})},
    ],
)
def test_words_of_our_own_documents_are_no_reason_to_look(document: dict[str, Any]) -> None:
    assert redact(document).document is document
    assert DEFAULT.hints.held(texts_of(document)) == (frozenset(), frozenset())


def test_a_word_of_ours_that_somebody_calls_secret_is_one() -> None:
    own = Redactor(names=frozenset({"signal"}))
    assert redact({"signal": "hunter2"}, own).document == {"signal": MASK}
    note = json.dumps({"signal": "hunter2", "filler": "x" * 300})
    assert "hunter2" not in redact({"note": note}, own).document["note"]


def test_before_a_word_of_ours_a_login_may_end_all_the_same() -> None:
    """Of Oracle's logins alone: in them quotes may stand, so that the @ is behind one."""
    text = f'{"x" * 300} jdbc:oracle:thin:scott/tig"er"@1'
    assert redact({"note": text}).document["note"].endswith("jdbc:oracle:thin:scott/***@1")


@pytest.mark.parametrize("value", [["zip", "-P", "hunter2"], "zip -r -P hunter2 all.zip data"])
def test_the_only_hint_may_be_the_name_of_a_program(value: object) -> None:
    told = redact({"command": value})
    assert "hunter2" not in str(told.document)
    assert [masked.rule for masked in told.masked] == ["generic_password_arg"]


@pytest.mark.parametrize("redactor", [DEFAULT, Redactor(names=frozenset({'my"pin', "caf\u00e9"}))])
def test_what_was_clean_before_hides_nothing_later(redactor: Redactor) -> None:
    clean = {"a": 'x" y', "b": ["path/1", "path/2"], "c": {"d": "plain"}}
    told = {"b": ["path/1", "password=hunter2"], "c": {"d": 'x" y', "e": 'my"pin'}}
    for _ in range(2):
        assert redact(clean, redactor).document is clean
        assert redact(told, redactor).document == told | {"b": ["path/1", "password=***"]}


def test_what_is_no_json_is_looked_through_all_the_same() -> None:
    told = redact({("a", 1): MappingProxyType({"note": "password=hunter2"}), "b": b"x"})
    assert told.document == {("a", 1): {"note": "password=***"}, "b": b"x"}
