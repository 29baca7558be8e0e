"""The graph API over HTTP, on both databases: a lineage registered as clients do it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest
from lineages import (
    CLEAN,
    COMMIT,
    DATASET,
    MODEL,
    OTHER_COMMIT,
    PARTS,
    RAW,
    SCORE,
    SECOND,
    SECRET,
    TRAINED,
    VAST,
    VAST_PARTS,
    job,
    link,
    register_all,
    uid,
)
from registering import digest, register

from roar_glaas.errors import Unprocessable
from roar_glaas.graph.limits import reading
from roar_glaas.storage.database import open_database

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry


@attrs.frozen
class Graph:
    """A server with the lineage in it."""

    registry: Registry
    sessions: dict[str, str]

    def answer(self, path: str, /, **parameters: Any) -> Any:
        return self.registry.client.get(f"/api/v1/graph/{path}", params=parameters)

    def ask(self, path: str, /, **parameters: Any) -> dict[str, Any]:
        answer = self.answer(path, **parameters)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def pages(self, path: str, key: str, /, **parameters: Any) -> list[Any]:
        """All of a list, two at a time."""
        found, cursor = [], None
        while True:
            more = {"cursor": cursor} if cursor else {}
            page = self.ask(path, limit=2, **parameters, **more)
            assert len(page[key]) <= 2
            found += page[key]
            cursor = page["nextCursor"]
            if cursor is None:
                return found


@pytest.fixture(scope="module")
def graph(shared: Registry) -> Graph:
    return Graph(shared, register_all(shared))


def names(jobs: list[dict[str, Any]]) -> list[str]:
    known = {uid(n): n for n in ("prepare", "train", "evaluate", "again", "hidden")}
    return [known[one["jobUid"]] for one in jobs]


def test_what_made_it_and_what_read_it(graph: Graph) -> None:
    assert names(graph.ask(f"artifacts/{MODEL}/producers")["jobs"]) == ["train"]
    (reader,) = graph.ask(f"artifacts/{MODEL}/consumers")["jobs"]
    assert names([reader]) == ["evaluate"]
    assert reader["uses"] == [
        {"hash": MODEL, "path": "/p/model.pt", "selectedCount": None, "total": None}
    ]
    (part,) = graph.ask(f"artifacts/{DATASET[:12]}/consumers")["jobs"]
    assert (part["uses"][0]["selectedCount"], part["uses"][0]["total"]) == (1, 2)
    (member,) = graph.ask(f"artifacts/{DATASET}/consumers", members=True)["jobs"]
    assert (names([member]), member["uses"][0]["hash"]) == (["again"], PARTS[0])


def test_closures_name_the_hop_of_each_job_and_its_edges(graph: Graph) -> None:
    found = graph.ask(f"artifacts/{SCORE}/upstream")
    assert names(found["jobs"]) == ["evaluate", "train", "prepare"]
    assert [one["hop"] for one in found["jobs"]] == [1, 2, 3]
    told = {
        (
            names([found["jobs"][e["job"]]])[0],
            e["direction"],
            found["artifacts"][e["artifact"]]["hash"],
        )
        for e in found["edges"]
    }
    assert ("train", "in", DATASET) in told
    assert ("prepare", "out", CLEAN) in told
    assert len(told) == 7
    down = graph.ask(f"artifacts/{RAW}/downstream")
    assert names(down["jobs"]) == ["prepare", "train", "evaluate"]
    assert (down["truncated"], down["nextCursor"]) == (False, None)
    near = graph.ask(f"artifacts/{RAW}/downstream", hops=2)
    assert names(near["jobs"]) == ["prepare", "train"]
    for way, start in (("upstream", SCORE), ("downstream", RAW)):
        paged = graph.pages(f"artifacts/{start}/{way}", "jobs")
        assert names(paged) == names(graph.ask(f"artifacts/{start}/{way}")["jobs"])


def test_what_data_made_it_is_one_call(graph: Graph) -> None:
    found = graph.ask(f"artifacts/{SCORE}/sources")
    told = {one["hash"]: one for one in found["sources"]}
    assert set(told) == {RAW, DATASET}
    assert (told[RAW]["path"], told[RAW]["size"]) == ("/p/data/raw.csv", 7)
    assert told[RAW]["sourceUrl"] == "s3://bucket/raw.csv"
    assert (told[DATASET]["selectedCount"], told[DATASET]["total"]) == (1, 2)
    assert told[DATASET]["size"] == 20
    assert [one["hash"] for one in found["datasets"]] == [DATASET]
    assert found["jobCount"] == 3
    other = graph.ask(f"artifacts/{SECOND}/sources")["sources"]
    members = {one["hash"]: one["memberOf"] for one in other}
    assert members == {PARTS[0]: [{"hash": DATASET, "path": "part-0"}], digest("config"): []}
    assert {one["hash"] for one in graph.pages(f"artifacts/{SCORE}/sources", "sources")} == set(
        told
    )


def test_what_was_trained_on_it_is_one_call(graph: Graph) -> None:
    first = graph.ask(f"artifacts/{DATASET}/results")
    assert names(first["readers"]) == ["train"]
    assert names(first["downstream"]) == ["evaluate"]
    assert [one["hash"] for one in first["results"]] == [SCORE]
    by_members = graph.ask(f"artifacts/{DATASET}/results", cursor=first["nextCursor"])
    assert names(by_members["readers"]) == ["again"]
    assert [one["hash"] for one in by_members["results"]] == [SECOND]
    assert by_members["nextCursor"] is None
    only_member = graph.ask(f"artifacts/{PARTS[0]}/results")
    assert [one["hash"] for one in only_member["results"]] == [SECOND]


def test_what_may_not_be_seen_is_told_nowhere(graph: Graph) -> None:
    assert graph.answer(f"jobs/{uid('hidden')}").status_code == 404
    assert graph.answer("jobs/" + "0" * 32).status_code == 404
    assert graph.ask(f"artifacts/{SECRET}/producers")["jobs"] == []
    assert graph.ask(f"artifacts/{SECRET}/upstream")["jobs"] == []
    assert graph.ask(f"artifacts/{CLEAN}/producers")["jobs"][0]["jobUid"] == uid("prepare")
    assert graph.answer(f"artifacts/{SECRET[:16]}/upstream").status_code == 404
    paths = [
        *(
            f"artifacts/{MODEL}/{part}"
            for part in ("consumers", "downstream", "results", "upstream")
        ),
        *("sessions", "jobs", "labels?key=stage", "files?path=model.pt", "jobs?command=python"),
        f"path?start={MODEL}&end={SECRET}",
    ]
    for path in paths:
        answer = graph.registry.client.get(f"/api/v1/graph/{path}")
        assert answer.status_code == 200
        for word in (uid("hidden"), SECRET, graph.sessions["hidden"], "hush", "/h/"):
            assert word not in answer.text.replace(SECRET, "", path.startswith("path")), path
    secret = graph.answer("compare/sessions", left=graph.sessions["hidden"], right="0" * 64)
    missing = graph.answer("compare/sessions", left="1" * 64, right="0" * 64)
    assert secret.status_code == missing.status_code == 404
    assert graph.ask("jobs", command="hush")["jobs"] == []


def test_the_shortest_path_is_found_in_either_direction(graph: Graph) -> None:
    found = graph.ask("path", start=RAW, end=SCORE)
    assert (found["direction"], found["hops"]) == ("downstream", 3)
    assert [one.get("hash") or names([one])[0] for one in found["path"]] == [
        *(RAW, "prepare", CLEAN, "train", MODEL, "evaluate", SCORE)
    ]
    back = graph.ask("path", start=SCORE, end=RAW)
    assert (back["direction"], back["path"]) == ("upstream", found["path"][::-1])
    none = graph.ask("path", start=RAW, end=SECOND)
    assert none == {"direction": None, "hops": None, "path": [], "truncated": False}


def test_sessions_are_listed_by_what_they_are(graph: Graph) -> None:
    listed = graph.pages("sessions", "sessions")
    assert [one["hash"] for one in listed] == [graph.sessions["second"], graph.sessions["first"]]
    assert [one["jobCount"] for one in listed] == [1, 3]
    for asked in ({"commit": COMMIT}, {"commit": COMMIT[:8]}, {"until": listed[0]["registeredAt"]}):
        (found,) = graph.ask("sessions", **asked)["sessions"]
        assert found["hash"] == graph.sessions["first"]
    (found,) = graph.ask("sessions", since=listed[0]["registeredAt"])["sessions"]
    assert found["hash"] == graph.sessions["second"]
    assert len(graph.ask("sessions", owner="anonymous")["sessions"]) == 2
    assert graph.ask("sessions", owner="nobody-at-all")["sessions"] == []
    assert graph.ask("sessions", project="none")["sessions"] == []
    assert graph.ask("sessions", until="2020-01-01T00:00:00Z")["sessions"] == []


def test_jobs_are_found_by_words_time_and_commit(graph: Graph) -> None:
    assert names(graph.pages("jobs", "jobs")) == ["again", "evaluate", "train", "prepare"]
    by_words = {
        "train": ["again", "train"],
        "TRAIN.py": ["again", "train"],
        "lr 3e-4": ["train"],
        "trai*": ["again", "train"],
        "trai": [],
        "model.pt": ["evaluate"],
        "raw csv prepare": ["prepare"],
    }
    for words, expected in by_words.items():
        assert names(graph.ask("jobs", command=words)["jobs"]) == expected, words
    assert names(graph.pages("jobs", "jobs", command="python")) == [
        *("again", "evaluate", "train", "prepare")
    ]
    assert names(graph.ask("jobs", commit=OTHER_COMMIT)["jobs"]) == ["again"]
    assert names(graph.ask("jobs", commit=OTHER_COMMIT[:10], command="train")["jobs"]) == ["again"]
    assert names(graph.ask("jobs", since=1_700_000_020, until="2023-11-14T22:13:50Z")["jobs"]) == [
        "evaluate"
    ]
    assert graph.ask("jobs", kind="build")["jobs"] == []
    assert names(graph.ask("jobs", job_hash=TRAINED)["jobs"]) == ["train"]
    whole = graph.ask(f"jobs/{uid('train')}", session=graph.sessions["first"])
    assert {one["hash"] for one in whole["inputs"]} == {CLEAN, DATASET}
    assert whole["edgesAreWhole"]
    assert whole["jobHash"] == TRAINED


@pytest.mark.parametrize("digits", [8, 9, 31, 64])
def test_a_job_is_found_by_the_beginning_of_its_hash_and_of_its_uid(
    graph: Graph, digits: int
) -> None:
    # The job that is hidden did the same, and nothing tells of it.
    assert graph.ask(f"jobs/{TRAINED[:digits]}")["jobUid"] == uid("train")
    assert graph.ask(f"jobs/blake3:{TRAINED[:digits].upper()}")["jobUid"] == uid("train")
    assert graph.ask(f"jobs/{uid('again')[:digits]}")["jobHash"] == digest("what was done again")


def test_a_hash_of_work_that_was_done_twice_names_no_job_alone(graph: Graph) -> None:
    name, uids = digest("done twice"), [uid("once"), uid("twice")]
    sessions = [
        register(graph.registry, [job(one, "make", 1, 0, job_hash=name)])
        for one in ("once", "twice")
    ]
    refused = graph.answer(f"jobs/{name}")
    assert refused.status_code == 409
    assert "more than one job" in refused.json()["detail"]
    assert graph.ask(f"jobs/{name}", session=sessions[0])["jobUid"] == uids[0]
    found = graph.pages("jobs", "jobs", job_hash=f"blake3:{name}")
    assert {one["jobUid"] for one in found} == set(uids)
    page = graph.registry.client.get(f"/search?q=blake3:{name}").text
    assert all(f"/jobs/{one}" in page for one in uids)
    page = graph.registry.client.get(f"/jobs/{name}?session={sessions[1]}").text
    assert (name in page, uids[1] in page) == (True, True)


def test_lineage_tells_as_many_hops_as_are_asked_for(graph: Graph) -> None:
    for depth, wanted in ((1, ["evaluate"]), (2, ["train", "evaluate"]), (9, None)):
        path = f"/api/v1/artifacts/{SCORE}/lineage?depth={depth}"
        told = graph.registry.client.get(path).json()
        assert names(told["jobs"]) == (wanted or ["prepare", "train", "evaluate"])
        assert told["producedBy"]["jobUid"] == uid("evaluate")
    assert "jobs" not in graph.registry.client.get(f"/api/v1/artifacts/{SCORE}/lineage").json()


def test_labels_are_found_by_their_newest_documents(graph: Graph) -> None:
    found = graph.ask("labels", key="stage")["labels"]
    assert [(one["entityType"], one["artifactHash"]) for one in found] == [
        *(("dag", None), ("artifact", MODEL))
    ]
    assert found[1]["metadata"]["stage"] == "released"
    by_value = [
        *(("stage", "released", 1), ("stage", "draft", 1), ("tags", "a", 1), ("tags", "b", 1)),
        *(("n.deep", "true", 1), ("n", "true", 0), ("note", "it's", 1), ("stage", "hushed", 0)),
    ]
    for key, value, count in by_value:
        assert len(graph.ask("labels", key=key, value=value)["labels"]) == count, (key, value)
    assert len(graph.ask("labels", key="tags")["labels"]) == 1
    (told,) = graph.ask("labels", key="note", entity="job")["labels"]
    assert told["jobUid"] == uid("train")
    assert graph.ask("labels", key="note", entity="dag")["labels"] == []


def test_files_are_found_by_name_and_by_the_end_of_their_path(graph: Graph) -> None:
    found = graph.pages("files", "files", path="model.pt")
    assert [(one["path"], one["direction"]) for one in found] == [
        *(("/q/model.pt", "out"), ("/p/model.pt", "in"), ("/p/model.pt", "out"))
    ]
    for path, count in (("p/model.pt", 2), ("/p/model.pt", 2), ("del.pt", 0), ("/model.pt", 3)):
        assert len(graph.ask("files", path=path)["files"]) == count, path
    (read,) = graph.ask("files", path="data/raw.csv", direction="in")["files"]
    assert read["hash"] == RAW


def test_membership_is_exact_where_the_members_are_known(graph: Graph) -> None:
    told = graph.ask(f"artifacts/{DATASET}/members/{PARTS[1]}")
    assert (told["answer"], told["basis"], told["paths"]) == ("yes", "components", ["part-1"])
    assert told["isProven"]
    assert graph.ask(f"artifacts/{DATASET}/members/{RAW}")["answer"] == "no"
    assert graph.ask(f"artifacts/{RAW}/members/{RAW}")["answer"] == "unknown"
    probably = graph.ask(f"artifacts/{VAST}/members/{VAST_PARTS[3]}")
    assert (probably["answer"], probably["basis"]) == ("probably", "bloom")
    assert 0 < probably["falsePositiveRate"] < 0.01
    assert not probably["isProven"]
    strangers = [graph.ask(f"artifacts/{VAST}/members/{digest(f's{n}')}") for n in range(20)]
    assert sum(one["answer"] == "no" for one in strangers) >= 18
    listed = graph.pages(f"artifacts/{DATASET}/members", "members")
    assert [one["digest"] for one in listed] == PARTS
    (holder,) = graph.ask("datasets", member=PARTS[0])["datasets"]
    assert (holder["hash"], holder["path"]) == (DATASET, "part-0")
    assert graph.ask("datasets", member=RAW)["datasets"] == []


def test_a_comparison_tells_data_steps_commits_and_packages(graph: Graph) -> None:
    found = graph.ask("compare/artifacts", left=MODEL, right=SECOND)
    assert not found["isSame"]
    only_left = {one["hash"] for one in found["inputs"]["onlyLeft"]}
    assert only_left == {RAW, DATASET}
    assert found["commits"] == {"onlyLeft": [COMMIT], "onlyRight": [OTHER_COMMIT], "shared": []}
    assert found["packages"] == [
        {"manager": "pip", "name": "six", "left": [], "right": ["1"]},
        {"manager": "pip", "name": "torch", "left": ["2.4.0"], "right": ["2.4.0"]},
    ] or found["packages"][1]["right"] == ["2.5.1"]
    changed = [one for one in found["steps"] if one["left"] and one["right"]]
    assert names([changed[0]["left"], changed[0]["right"]]) == ["train", "again"]
    assert changed[0]["changes"] == ["command", "commit", "inputs", "outputs", "packages"]
    alone = [one["left"] for one in found["steps"] if one["right"] is None]
    assert names(alone) == ["prepare"]
    same = graph.ask("compare/artifacts", left=MODEL, right=MODEL)
    assert (same["isSame"], same["steps"], same["sameCount"]) == (True, [], 2)
    sessions = graph.ask(
        "compare/sessions", left=graph.sessions["first"], right=graph.sessions["second"]
    )
    assert sessions["left"]["jobCount"] == 3


def reader(name: str, at: float) -> dict[str, Any]:
    """A job that reads what others read, and writes something of its own."""
    links = {"reads": [link(RAW, "/p/raw")], "writes": [link(digest(f"of {name}"), "/p/o")]}
    return job(name, "python read.py", 1, at, **links)


def test_a_cursor_survives_new_registrations(registry: Registry) -> None:
    for number in range(4):
        register(registry, [reader(f"r{number}", number)])
    graph = Graph(registry, {})
    for way, key in (("consumers", "jobs"), ("downstream", "jobs"), ("results", "readers")):
        whole = [one["jobUid"] for one in graph.ask(f"artifacts/{RAW}/{way}")[key]]
        first = graph.ask(f"artifacts/{RAW}/{way}", limit=2)
        register(registry, [reader(f"late {way}", 9)])
        rest = graph.ask(f"artifacts/{RAW}/{way}", cursor=first["nextCursor"])
        assert [one["jobUid"] for one in (*first[key], *rest[key])] == whole, way


@pytest.mark.parametrize(
    ("path", "word"),
    [
        (f"artifacts/{RAW}/consumers?limit=0", "limit"),
        (f"artifacts/{RAW}/consumers?limit=1001", "limit"),
        (f"artifacts/{RAW}/consumers?limit=1e99", "limit"),
        (f"artifacts/{RAW}/consumers?limit=" + "9" * 5000, "limit"),
        (f"artifacts/{RAW}/consumers?cursor=x", "cursor"),
        (f"artifacts/{RAW}/consumers?cursor=", "cursor"),
        (f"artifacts/{RAW}/consumers?cursor=WyJhIiwtMV0", "cursor"),
        (f"artifacts/{RAW}/consumers?cursor=WyI4ZjM0YzBhMTkyZDMiLDQyXQ", "cursor"),
        (f"artifacts/{RAW}/consumers?cursor=" + "W" * 5000, "cursor"),
        (f"artifacts/{RAW}/consumers?colour=red", "colour"),
        (f"artifacts/{RAW}/consumers?members=perhaps", "members"),
        (f"artifacts/{RAW}/upstream?hops=-1", "hops"),
        (f"artifacts/{RAW}/members/zz", "digest"),
        (f"artifacts/{RAW}/members/{RAW}?algorithm=" + "a" * 99, "algorithm"),
        ("jobs?command=" + "'\"()*", "command"),
        ("jobs?command=%00", "command"),
        ("jobs?command=" + "a%20" * 5000, "command"),
        ("jobs?commit=HEAD", "commit"),
        ("jobs?since=yesterday", "since"),
        ("jobs?until=" + "9" * 20, "until"),
        ("jobs?kind=%00", "kind"),
        ("jobs/zz", "uid"),
        ("jobs/" + "a" * 7, "uid"),
        ("jobs/" + "a" * 65, "uid"),
        ("jobs?job_hash=" + "a" * 63, "job_hash"),
        (f"jobs/{uid('train')}?session=zz", "session"),
        ("labels", "key"),
        ("labels?key=%00", "key"),
        ("labels?key=a&value=%00", "value"),
        ("labels?key=a&entity=planet", "entity"),
        ("files?path=", "path"),
        ("files?path=a/", "path"),
        ("files?path=a%00b", "path"),
        ("files?path=a&direction=up", "direction"),
        ("path?start=" + RAW, "end"),
        ("sessions?owner=%00", "owner"),
    ],
)
def test_a_malformed_question_is_refused_naming_the_parameter(
    graph: Graph, path: str, word: str
) -> None:
    answer = graph.registry.client.get(f"/api/v1/graph/{path}")
    assert answer.status_code == 400, answer.text
    assert word in answer.json()["detail"]


@pytest.mark.parametrize(
    "text",
    [
        *("a OR b", "NEAR(a b)", "train' OR '1'='1", '"train', "train)", "col:train", "-train"),
        *("train AND NOT evaluate", "^train", "a\\b", "tr%", "' ; DROP TABLE job; --a", "é\u0301x"),
        *("a" * 255, " ".join(["w"] * 20), "\u212a", "\U0001e900\U0001e922", "ﬁne", "１２"),
    ],
)
def test_the_syntax_of_databases_means_nothing_in_a_search(graph: Graph, text: str) -> None:
    for path, parameters in (
        ("jobs", {"command": text}),
        ("labels", {"key": text, "value": text}),
        ("files", {"path": text}),
        ("sessions", {"owner": text, "project": text}),
    ):
        assert graph.answer(path, **parameters).status_code == 200, path
    assert len(graph.ask("jobs", command="python")["jobs"]) == 4


def test_the_graph_is_described_with_examples(graph: Graph) -> None:
    described = graph.registry.client.get("/schema/openapi.json").json()
    paths = {p: v for p, v in described["paths"].items() if p.startswith("/api/v1/graph")}
    assert len(paths) == 18
    for path, methods in paths.items():
        asked = methods["get"]
        assert asked["description"], path
        (content,) = asked["responses"]["200"]["content"].values()
        (example,) = content["examples"].values()
        assert example["value"], path
        for parameter in asked["parameters"]:
            assert parameter["in"] == "path" or parameter["description"], (path, parameter)


def test_what_takes_too_long_is_stopped_and_told(database_url: str) -> None:
    database = open_database(database_url)
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    with (
        pytest.raises(Unprocessable, match="ask for less"),
        reading(database, longest_s=0.1) as connection,
    ):
        connection.exec_driver_sql(endless)
    with reading(database) as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar_one() == 1
    database.dispose()


def test_nobody_can_claim_a_name_away(registry: Registry) -> None:
    registry.register()
    opened = registry.open()
    claim = [{"algorithm": "blake3", "digest": "f" * 64}, {"algorithm": "sha256", "digest": RAW}]
    opened.post("jobs/batch", {"jobs": [job("claim", "true", 1, 0)]})
    claim.append({"algorithm": "sha256", "digest": "b" * 64})
    opened.post("artifacts/batch", {"artifacts": [{"hashes": claim}]})
    opened.post("finalize", {})
    found = registry.client.get(f"/api/v1/artifacts/{'b' * 64}")
    assert (found.status_code, found.json()["hash"]) == (200, "b" * 64)
    assert registry.client.get(f"/api/v1/artifacts/{RAW}").json()["hash"] == "f" * 64
