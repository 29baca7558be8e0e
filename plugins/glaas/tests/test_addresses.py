"""Addresses that people come by: printed by the client, mistyped, or of an empty registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry

HTML = {"Accept": "text/html,application/xhtml+xml"}


def test_an_empty_registry_says_how_to_register(registry: Registry) -> None:
    page = registry.client.get("/", headers=HTML).text
    assert "Nothing is here yet" in page
    assert f"roar config set --global registry.url {registry.url}\n" in page
    registry.register()
    assert "Nothing is here yet" not in registry.client.get("/", headers=HTML).text


def test_what_the_client_prints_leads_to_the_page(shared: Registry) -> None:
    session = shared.register()
    for printed, page in [
        (f"/artifact/{'b' * 64}", f"/artifacts/{'b' * 64}"),
        ("/login", "/sign-in"),
    ]:
        answer = shared.client.get(printed, headers=HTML, follow_redirects=True)
        assert (answer.status_code, answer.url.path) == (200, page)
    answer = shared.client.get("/artifact/..%2F..%2F%0d%0aX: y", headers=HTML)
    assert "x" not in answer.headers
    assert answer.headers.get("location", "/artifacts/").startswith("/artifacts/")
    page = shared.client.get(f"/dag/{session}", headers=HTML).text
    assert "<dt>owner</dt><dd>anonymous</dd>" in page
    assert "<dt>seen by</dt><dd>everybody</dd>" in page
    assert ">out</" in shared.client.get(f"/artifacts/{'b' * 64}/recipe").text


def test_an_unknown_address_is_a_page_for_people_and_json_for_programs(shared: Registry) -> None:
    page = shared.client.get("/nothing/here", headers=HTML)
    assert page.status_code == 404
    assert "There is no page at this address" in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    for path, headers in [("/nothing/here", {}), ("/api/v1/nothing", HTML)]:
        answer = shared.client.get(path, headers=headers)
        assert answer.status_code == 404
        assert "/schema/openapi.json" in answer.json()["detail"]


def test_an_input_has_the_size_that_its_session_told_of_it(shared: Registry) -> None:
    opened = shared.open()
    digest, uid = "d" * 64, "9" * 32
    job = {"command": "python x.py", "timestamp": 1_700_000_000.25, "job_uid": uid}
    job |= {"step_number": 1, "duration_seconds": 1.5, "exit_code": 0, "metadata": "{}"}
    opened.post("jobs/batch", {"jobs": [job]})
    said = {"hashes": [{"algorithm": "blake3", "digest": digest}], "size": 66_330}
    opened.post("artifacts/batch", {"artifacts": [said]})
    opened.post(f"jobs/{uid}/inputs", {"artifacts": [{"hash": digest, "path": "/p/test.csv"}]})
    expected = {"jobs": 1, "inputs": 1, "outputs": 0, "artifacts": 1}
    found = opened.post("finalize", {"git_commit": "c" * 40, "expected": expected})
    page = shared.client.get(f"/jobs/{uid}?session={found['session_hash']}", headers=HTML).text
    assert "66.3 kB" in page


def test_whoever_is_not_signed_in_is_told_where_to(shared: Registry) -> None:
    """The same for what is private and for what does not exist."""
    address = f"/dag/{'0' * 64}"
    answer = shared.client.get(address, headers=HTML)
    assert answer.status_code == 404
    assert f'<a href="/sign-in?next={address}">sign in</a>' in answer.text
