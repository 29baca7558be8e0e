"""Labels at a registry: sent with what is registered, kept in step, changed there."""

from __future__ import annotations

import io
import json
import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from between import Instead, standing_between
from machines import CANARY, Ended, Machine, new_machine, record_work
from registrants import Person, somebody

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry


class InProcess(Machine):
    """Runs `roar` in this process: starting sixty of them takes its time."""

    def roar(self, *words: str) -> Ended:
        from roar_core.cli.main import run_command_line

        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch:
            for name in os.environ:
                patch.delenv(name)
            for name, value in self.environment().items():
                patch.setenv(name, value)
            patch.chdir(self.project)
            patch.setattr(sys, "stdin", io.StringIO())
            with redirect_stdout(out), redirect_stderr(err):
                status = run_command_line(list(words))
        return Ended(status, out.getvalue(), err.getvalue())


@pytest.fixture
def ada(shared: Registry) -> Person:
    return somebody(shared)


@pytest.fixture
def machine(shared: Registry, ada: Person, tmp_path: Path) -> Machine:
    """A machine whose work is registered; its first job has `stage=raw`."""
    made = new_machine(tmp_path / "one", shared.url, ROAR_TOKEN=ada.secret)
    found = InProcess(made.root, made.environ)
    record_work(found)
    assert found.roar("label", "set", "@2", "team=vision", "metrics.loss=2").exit_code == 0
    assert found.roar("tag", "add", "@2.out", "license=mit").exit_code != 0
    model = found.roar("show", "@2", "--json").document["outputs"][0]["hash"]
    assert found.roar("label", "set", model, "good=true").exit_code == 0
    clean = found.roar("show", "@1", "--json").document["outputs"][0]["hash"]
    assert found.roar("tag", "add", clean, "license=mit").exit_code == 0
    assert found.roar("register", "-y").exit_code == 0
    return found


def there(machine: Machine, ref: str) -> Any:
    return machine.roar("label", "show", ref, "--remote", "--json").document


def here(machine: Machine, ref: str) -> Any:
    return machine.roar("label", "show", ref, "--json").document["labels"]


def test_what_is_shown_is_told_with_its_labels_and_tags(
    machine: Machine, shared: Registry, tmp_path: Path
) -> None:
    model, uid = model_of(machine), machine.roar("show", "@2", "--json").document["uid"]
    own = machine.roar("show", model).stdout
    assert "good=true" in own
    assert "license=mit  inherited" in own
    told = machine.roar("show", model, "--json").document
    assert told["labels"] == {"good": True}
    assert [(tag["kind"], tag["bound"]) for tag in told["tags"]] == [("license", False)]
    elsewhere = new_machine(tmp_path / "other", shared.url)
    other = InProcess(elsewhere.root, machine.environ)
    host = f"at {shared.url.removeprefix('http://')}"
    seen = other.roar("show", model, "--remote").stdout
    assert f"good=true  {host}" in seen
    assert f"license=mit  inherited {host}" in seen
    found = other.roar("show", model, "--remote", "--json").document
    assert (found["labels"], found["tags"]) == ({}, [])
    assert found["there"] == {
        "registry": shared.url,
        "labels": {"good": True},
        "tags": [{"kind": "license", "value": "mit", "inherited": True}],
    }
    job = other.roar("show", uid, "--remote", "--json").document
    assert job["there"]["labels"] == {"team": "vision", "metrics": {"loss": 2}}
    assert f"team=vision  {host}" in other.roar("show", uid, "--remote").stdout
    assert machine.roar("label", "set", "@2", "team=audio").exit_code == 0
    both = machine.roar("show", "@2", "--remote").stdout
    assert "team=audio\n" in both
    assert f"team=vision  {host}" in both
    assert both.count("loss") == 1  # said the same on both sides


def test_tags_that_changed_since_are_sent_where_the_registry_takes_them(machine: Machine) -> None:
    clean = machine.roar("show", "@1", "--json").document["outputs"][0]["hash"]
    model = model_of(machine)
    assert machine.roar("tag", "add", clean, "contains_pii").exit_code == 0
    assert machine.roar("tag", "rm", clean, "license=mit").exit_code == 0
    before = there(machine, model)
    planned = machine.roar("label", "sync", "--dry-run")
    assert "there + tag contains_pii=true" in planned.stdout
    assert "there - tag license=mit" in planned.stdout
    assert there(machine, model) == before
    done = machine.roar("label", "sync", "-y", "--json").document
    assert {(tuple(t["added"]), tuple(t["removed"]), t["sent"]) for t in done["tags"]} == {
        (("contains_pii=true",), ("license=mit",), True)
    }
    after = there(machine, model)
    assert after["labels"]["good"] is True
    kinds = after["labels"]["tag"].keys()
    assert "contains_pii" in kinds
    assert "license" not in kinds
    assert "are the same" in machine.roar("label", "sync", "-y").stderr


def test_tags_of_two_machines_stay_beside_each_other(machine: Machine, tmp_path: Path) -> None:
    model, uid = model_of(machine), machine.roar("show", "@1", "--json").document["uid"]
    twin = machine.twin(tmp_path / "two")
    other = InProcess(twin.root, twin.environ)
    before = there(machine, model)["labels"]["tag"]["license"]
    assert machine.roar("tag", "add", model, "contains_pii", "license=bsd").exit_code == 0
    assert machine.roar("label", "sync", "-y").exit_code == 0
    # The other one never heard of these, and takes none of them away.
    assert "are the same" in other.roar("label", "sync", "-y").stderr
    assert other.roar("tag", "add", model, "jurisdiction=eu").exit_code == 0
    planned = other.roar("label", "sync", "--dry-run", "--json").document["tags"]
    assert [(tag["added"], tag["removed"]) for tag in planned] == [(["jurisdiction=eu"], [])]
    assert other.roar("label", "sync", "-y").exit_code == 0
    for one in (machine, other):
        assert "are the same" in one.roar("label", "sync", "-y").stderr
    tags = there(machine, model)["labels"]["tag"]
    assert tags.keys() == {"bind", "contains_pii", "jurisdiction", "license"}
    assert [value["value"] for value in tags["license"]["values"]] == ["bsd", "mit"]
    assert before["values"][0] in tags["license"]["values"]
    assert len(tags["bind"]["events"]) == 3
    # What one of them put there, that one takes off again; and what both had, either.
    assert machine.roar("tag", "rm", model, "contains_pii").exit_code == 0
    clean = machine.roar("show", uid, "--json").document["outputs"][0]["hash"]
    assert other.roar("tag", "rm", clean, "license=mit").exit_code == 0
    for one in (machine, other):
        assert one.roar("label", "sync", "-y").exit_code == 0
    tags = there(machine, model)["labels"]["tag"]
    assert tags.keys() == {"bind", "jurisdiction", "license"}
    assert [value["value"] for value in tags["license"]["values"]] == ["bsd"]


def test_a_registry_that_takes_no_tags_leaves_them_told_and_unsent(
    machine: Machine, shared: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    clean = machine.roar("show", "@1", "--json").document["outputs"][0]["hash"]
    assert machine.roar("tag", "add", clean, "contains_pii").exit_code == 0
    before = there(machine, clean)
    with standing_between(shared.url) as plain:
        plain.hides_labels = True
        rows = "UPDATE {} SET registry = '" + plain.url + "'"
        for table in ("receipt", "label_agreed"):
            machine.change(rows.format(table))
        machine.environ["ROAR_REGISTRY__URL"] = plain.url
        said = machine.roar("label", "sync", "-y")
        assert said.exit_code == 0, said.stderr
        assert "tags changed here are not sent: contains_pii=true of artifact" in said.stderr
        assert there(machine, clean)["labels"] == before["labels"]


def test_what_is_asked_for_one_by_one_is_bounded_more_closely(
    machine: Machine, shared: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roar_core.registry.labels.tagging._MOST_ALONE", 1)
    assert "not compared" not in machine.roar("label", "sync", "--dry-run").stderr
    with standing_between(shared.url) as plain:
        plain.hides_labels = True
        for table in ("receipt", "label_agreed"):
            machine.change(f"UPDATE {table} SET registry = '{plain.url}'")
        machine.environ["ROAR_REGISTRY__URL"] = plain.url
        said = machine.roar("label", "sync", "--dry-run")
        alone = [one for one in plain.requests if "labels/current?" in one]
    assert "older artifacts are not compared" in said.stderr
    assert len(alone) == 1


def test_many_artifacts_are_asked_for_in_one_request_where_the_registry_takes_that(
    machine: Machine, shared: Registry
) -> None:
    clean = machine.roar("show", "@1", "--json").document["outputs"][0]["hash"]
    assert machine.roar("tag", "add", clean, "contains_pii").exit_code == 0
    told, one_by_one = [], "labels/current?"
    with standing_between(shared.url) as between:
        for table in ("receipt", "label_agreed"):
            machine.change(f"UPDATE {table} SET registry = '{between.url}'")
        machine.environ["ROAR_REGISTRY__URL"] = between.url
        for hides in (True, False):
            between.hides_labels = hides
            between.requests.clear()
            told.append(machine.roar("label", "sync", "--dry-run", "--json").document["tags"])
            alone = [one for one in between.requests if one_by_one in one]
            many = [one for one in between.requests if one.endswith("labels/current/batch")]
            assert (bool(alone), len(many)) == (hides, not hides)
        between.instead_of = "labels/current/batch"
        for hostile in (b"[]", b'{"labels": []}', b'{"labels": [{"version": 1, "metadata": {}}]}'):
            between.instead = Instead(200, content=hostile)
            refused = machine.roar("label", "sync", "--dry-run")
            assert refused.exit_code == 1
            assert "does not tell labels as a registry does" in refused.stderr
    plain, at_once = ([{**tag, "sent": None} for tag in tags] for tags in told)
    assert plain == at_once != []


def model_of(machine: Machine) -> str:
    return str(machine.roar("show", "@2", "--json").document["outputs"][0]["hash"])


def test_labels_and_tags_go_with_what_is_registered(machine: Machine, ada: Person) -> None:
    assert there(machine, "@1")["labels"] == {"stage": "raw"}
    assert there(machine, "@2")["labels"] == {"team": "vision", "metrics": {"loss": 2}}
    told = there(machine, model_of(machine))
    assert told["can_edit"]
    tags = told["labels"].pop("tag")
    assert told["labels"] == {"good": True}
    (value,) = tags["license"]["values"]
    uid = machine.roar("show", "@2", "--json").document["uid"]
    assert value == {"value": "mit", "origin": "system", "job": uid}
    clean = machine.roar("show", "@1", "--json").document["outputs"][0]["hash"]
    assert there(machine, clean)["labels"]["tag"] == {
        "license": {"values": [{"value": "mit", "origin": "user"}]},
        "bind": {"events": [{"action": "bind", "covers": {"license": ["mit"]}}]},
    }
    digest = clean.partition(":")[2]
    headers = {"Authorization": f"Bearer {ada.secret}"}
    query = {"entity_type": "artifact", "artifact_hash": digest}
    answer = ada.registry.client.get("/api/v1/labels/current", params=query, headers=headers)
    assert set(answer.json()["keyOrigins"].values()) == {"system"}


def test_both_sides_take_over_what_the_other_changed(machine: Machine) -> None:
    assert "the same" in machine.roar("label", "sync").stderr
    machine.roar("label", "set", "@2", "stage=prod", f"note=Bearer {CANARY}")
    machine.roar("label", "unset", "@2", "metrics.loss")
    machine.roar("label", "set", "@2", "team=audio", "seen=true", "--remote")
    dry = machine.roar("label", "sync", "--dry-run", "--json").document
    (change,) = dry["changes"]
    assert change["sent"]["deleted"] == ["metrics.loss"]
    assert change["sent"]["set"]["stage"] == "prod"
    assert change["received"] == {"set": {"seen": True, "team": "audio"}, "deleted": []}
    assert len(change["masked"]) == 1
    assert CANARY not in json.dumps(dry)
    assert "stage" not in there(machine, "@2")["labels"]
    refused = machine.roar("label", "sync")
    assert refused.exit_code == 1
    assert "-y" in refused.stderr
    done = machine.roar("label", "sync", "-y")
    assert done.exit_code == 0
    assert "there + stage=prod" in done.stdout
    assert "there - metrics.loss" in done.stdout
    assert "here  + team=audio" in done.stdout
    assert here(machine, "@2") == {
        "team": "audio",
        "seen": True,
        "stage": "prod",
        "note": f"Bearer {CANARY}",
    }
    assert there(machine, "@2")["labels"] == {
        "team": "audio",
        "seen": True,
        "stage": "prod",
        "note": "Bearer ***",
    }
    assert machine.roar("label", "sync", "-y", "--json").document["changes"] == []
    machine.roar("label", "unset", "@2", "seen", "--remote")
    assert machine.roar("label", "sync", "@2", "-y").exit_code == 0
    assert "seen" not in here(machine, "@2")


def test_a_conflict_is_told_with_both_values_and_decided_by_its_user(machine: Machine) -> None:
    for here_value, there_value, word in (("a", "b", "ours"), ("c", "d", "theirs")):
        machine.roar("label", "set", "@1", f"stage={here_value}", "other=1")
        machine.roar("label", "set", "@1", f"stage={there_value}", "--remote")
        found = machine.roar("label", "sync", "-y")
        assert found.exit_code == 1
        words = f"stage: you say '{here_value}', the registry says '{there_value}'"
        assert words in found.stdout
        assert "--ours or --theirs" in found.stderr
        assert (here(machine, "@1")["stage"], there(machine, "@1")["labels"]["stage"]) == (
            here_value,
            there_value,
        )
        (change,) = json.loads(machine.roar("label", "sync", "-y", "--json").stdout)["changes"]
        assert change["conflicts"] == [
            {
                "key": "stage",
                "ours": {"is_set": True, "value": here_value},
                "theirs": {"is_set": True, "value": there_value},
            }
        ]
        assert machine.roar("label", "sync", "-y", f"--{word}").exit_code == 0
        value = here_value if word == "ours" else there_value
        assert here(machine, "@1") == {"stage": value, "other": 1}
        assert there(machine, "@1")["labels"] == {"stage": value, "other": 1}
    both = machine.roar("label", "sync", "--ours", "--theirs")
    assert both.exit_code == 2


def test_labels_there_are_read_and_changed_by_who_may(
    shared: Registry, machine: Machine, tmp_path: Path
) -> None:
    machine.roar("label", "set", "@2", "team=audio", "--remote")
    assert machine.roar("label", "set", "@2", "team=audio", "--remote").exit_code == 0
    history = machine.roar("label", "history", "@2", "--remote", "--json").document
    assert [one["version"] for one in history["versions"]] == [2, 1]
    shown = machine.roar("label", "history", "@2", "--remote").stdout
    assert "- team=vision" in shown
    assert "+ team=audio" in shown
    missing = machine.roar("label", "unset", "@2", "nothing", "--remote")
    assert missing.exit_code == 1
    assert "has no label nothing there" in missing.stderr
    masked = machine.roar("label", "set", "@2", f"password={CANARY}", "--remote")
    assert "masked" in masked.stderr
    assert there(machine, "@2")["labels"]["password"] == "***"
    # Nobody else sees private work, and nothing anonymous has labels of anybody's.
    bob = machine.twin(tmp_path / "two")
    bob.environ["ROAR_TOKEN"] = somebody(shared).secret
    refused = bob.roar("label", "set", "@2", "team=mine", "--remote")
    assert refused.exit_code == 1
    assert "has no such thing" in refused.stderr
    nobody = new_machine(tmp_path / "three", shared.url)
    record_work(nobody)
    for words in (("label", "sync"), ("label", "show", "@1", "--remote")):
        said = nobody.roar(*words)
        assert said.exit_code == 1
        assert "in your name; publish" in said.stderr
        assert "roar register" in said.stderr


def test_making_it_public_leaves_the_labels_that_others_changed(machine: Machine) -> None:
    machine.roar("label", "set", "@1", "stage=edited", "seen=true", "--remote")
    widened = machine.roar("register", "-y", "--public")
    assert widened.exit_code == 0, widened.stderr
    assert there(machine, "@1")["labels"] == {"stage": "edited", "seen": True}


def test_what_others_registered_is_left_out_and_one_s_own_is_not(
    shared: Registry, ada: Person, tmp_path: Path
) -> None:
    made = new_machine(tmp_path / "two", shared.url)
    machine = InProcess(made.root, made.environ)
    record_work(machine)
    assert machine.roar("register", "@1", "-y", "--anonymous").exit_code == 0
    machine.environ["ROAR_TOKEN"] = ada.secret
    assert machine.roar("register", "-y").exit_code == 0
    machine.roar("label", "set", "@1", "stage=new")
    machine.roar("label", "set", "@2", "team=new")
    done = machine.roar("label", "sync", "-y")
    assert done.exit_code == 0, done.stderr
    assert "stay as they are" in done.stderr
    assert there(machine, "@2")["labels"] == {"team": "new"}


def test_labels_are_set_by_hash_where_nothing_was_recorded(
    machine: Machine, shared: Registry, ada: Person, tmp_path: Path
) -> None:
    made = new_machine(tmp_path / "other", shared.url, ROAR_TOKEN=ada.secret)
    other = InProcess(made.root, made.environ)
    model = model_of(machine)
    changed = other.roar("label", "set", model, "stage=checked", "--remote")
    assert changed.exit_code == 0, changed.stderr
    assert there(machine, "@2")["labels"] == {"team": "vision", "metrics": {"loss": 2}}
    assert there(machine, model)["labels"]["stage"] == "checked"
    # Of what has no labels yet, the session is told by the artifact.
    unknown = "blake3:" + "e" * 64
    refused = other.roar("label", "set", unknown, "stage=checked", "--remote")
    assert refused.exit_code == 1
    assert "shows no session in which artifact eeee" in refused.stderr
