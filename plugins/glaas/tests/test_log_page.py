"""What docs/registry-log.md shows is what happens."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from logged import lift_guards

from roar_core.identity import canonical_json
from roar_core.transparency.statements import head_bytes, key_bytes, withheld_bytes
from roar_glaas.storage.tables import leaf, record_bytes

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry

PAGE = (Path(__file__).parents[3] / "docs" / "registry-log.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_script_of_the_page_checks_a_record(registry: Registry, tmp_path: Path) -> None:
    (script,) = re.findall(r"```python\n# check.py\n(.*?)```", PAGE, re.DOTALL)
    # The brief length is a promise: who reads it can see that it checks what it says.
    assert len([line for line in script.splitlines() if line]) <= 40
    file = tmp_path / "check.py"
    file.write_text(script, encoding="utf-8")
    for number in range(3):
        registry.register(uid=f"{number}" * 32, output=f"{number}" * 64)

    def check(number: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, file, registry.url, str(number)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    for number in (0, 2, 6):
        done = check(number)
        assert done.returncode == 0, done.stderr
        assert f"record {number} is in the log of 7 records" in done.stdout
    with registry.database() as database, database.write() as connection:
        connection.exec_driver_sql("DROP TRIGGER record_bytes_update")
        row = record_bytes.c.leaf_index == 2
        kept = connection.execute(sa.select(record_bytes.c.bytes).where(row)).scalar_one()
        other = bytes(kept).replace(b"train.py", b"other.py")
        connection.execute(sa.update(record_bytes).where(row).values(bytes=other))
    done = check(2)
    assert done.returncode == 1
    assert "AssertionError: leaf" in done.stderr


def test_a_record_is_shown_with_all_that_proves_it(registry: Registry) -> None:
    name = registry.register()
    assert 'href="/log/1"' in registry.client.get(f"/dag/{name}").text
    told = registry.client.get("/api/v1/log/records/2/proof").json()
    shown = registry.client.get("/log/2")
    assert shown.status_code == 200
    proof, head = told["inclusion"], told["head"]
    for word in (told["salt"], told["leafHash"], *proof["path"], proof["root"], head["signature"]):
        assert word in shown.text
    assert "gives the root of all 3 records" in shown.text
    assert "&#34;command&#34;: &#34;python train.py&#34;" in shown.text
    assert registry.client.get("/log/3").status_code == 404
    assert registry.client.get("/log/-1").status_code in (400, 404)
    with registry.database() as database, database.write() as connection:
        # Behind the server's back, as its keeper could: the leaf is another than it was.
        lift_guards(connection)
        connection.execute(sa.update(leaf).where(leaf.c.index == 2).values(hash=b"\1" * 32))
    assert "this log was changed" in registry.client.get("/log/2").text


def test_the_signed_bytes_are_those_of_the_page() -> None:
    moment, key, root = 1_700_000_000_000_000, b"\1" * 32, b"\2" * 32
    shown = re.findall(r"^```json\n(.*?)\n```", PAGE, re.DOTALL | re.MULTILINE)
    head = shown[0].replace("<key id>", key.hex()).replace("<root>", root.hex())
    assert head_bytes(11, root, moment, key).decode() == head
    named = shown[1].replace("<key id, or null without quotes>", key.hex())
    assert key_bytes(root, key, moment).decode() == named.replace("<public key>", root.hex())
    assert b'"previous":null' in key_bytes(root, None, moment)
    (withheld,) = re.findall(r'`(\{"at_us":…,"glaas":"withheld".*?\})`', PAGE)
    told = withheld.replace('"at_us":…', f'"at_us":{moment}').replace("<leaf>", root.hex())
    told = told.replace("<number>", "3").replace('"…"', '"why"')
    assert withheld_bytes(3, root, "why", moment).decode() == told
    assert canonical_json({"v": 1}) == b'{"v":1}'
