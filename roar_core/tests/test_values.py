"""Small files compared by what they say."""

from __future__ import annotations

import pytest

from roar_core.lineage.values import COMPARED_BYTES_MAX, compare_contents


def compared(name: str, before: str, after: str) -> list[tuple[str, str | None, str | None]]:
    found = compare_contents(name, before.encode(), after.encode())
    assert found is not None
    return [tuple(change) for change in found]


def test_json_is_compared_by_key() -> None:
    assert compared(
        "m.json",
        '{"accuracy": 0.91, "layers": [{"n": 1}], "gone": null, "same": 1}',
        '{"same": 1.0, "layers": [{"n": 2}, 3], "accuracy": 0.93}',
    ) == [
        ("accuracy", "0.91", "0.93"),
        ("layers[0].n", "1", "2"),
        ("gone", "null", None),
        ("layers[1]", None, "3"),
    ]


def test_json_booleans_are_no_numbers_and_nan_is_nan() -> None:
    assert compared("m.json", '{"a": 1, "b": NaN}', '{"a": true, "b": NaN}') == [("a", "1", "true")]


def test_toml_is_compared_by_key() -> None:
    assert compared("p.toml", "[train]\nlr = 0.1\n", "[train]\nlr = 0.2\n") == [
        ("train.lr", "0.1", "0.2")
    ]


def test_a_table_of_one_row_is_compared_by_column() -> None:
    assert compared("m.csv", "lr,acc\n1,0.91\n", "lr,acc\n1,0.93\n") == [("acc", "0.91", "0.93")]


def test_rows_are_known_by_their_names_where_they_have_some() -> None:
    assert compared("m.csv", "model,acc\na,1\nb,2\n", "model,acc\nb,3\nc,4\na,1\n") == [
        ("rows", "2", "3"),
        ("b acc", "2", "3"),
        ("c", None, "present"),
    ]


def test_rows_are_known_by_their_numbers_else() -> None:
    assert compared("m.tsv", "x\ty\n1\t2\n1\t3\n", "x\ty\n1\t2\n1\t4\n") == [("row 2 y", "3", "4")]


def test_columns_come_and_go() -> None:
    assert compared("m.csv", "a,b\n1,2\n", "a,c\n1,2\n") == [
        ("column b", "present", None),
        ("column c", None, "present"),
    ]


def test_text_is_compared_by_line() -> None:
    assert compared("p.yaml", "lr: 0.1\nn: 1\n", "lr: 0.2\nn: 1\nz: 3\n") == [
        ("line 1", "lr: 0.1", "lr: 0.2"),
        ("line 3", None, "z: 3"),
    ]


@pytest.mark.parametrize("name", ["broken.json", "broken.toml", "broken.csv"])
def test_what_is_not_what_its_name_says_is_text(name: str) -> None:
    assert compared(name, '"a\n', '"b\n') == [("line 1", '"a', '"b')]


def test_json_nested_without_end_is_text() -> None:
    deep = "[" * 100_000
    assert compared("m.json", deep, deep + "1")[0][0] == "line 1"


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"a\0b", b"x" * (COMPARED_BYTES_MAX + 1)])
def test_bytes_and_large_files_are_not_compared(content: bytes) -> None:
    assert compare_contents("m.json", b"{}", content) is None
