"""A graph in the languages of others: what any text becomes there, read back by their rules."""

from __future__ import annotations

import json
import re
import subprocess
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roar_core.lineage import dot, mermaid
from roar_core.lineage.graph import Graph, GraphEdge, GraphNode, legible

HOSTILE = [
    "<script>alert(1)</script>",
    '"]]>',
    "a\nb\r\tc\0",
    "abc\u202ecba",
    "\\N \\G \\l \\",
    "&lt; &amp; &#60; &",
    "#34; #quot; #",
    "end",
    "%% comment",
    "`**bold**` _x_ __init__.py ~~no~~",
    "1. one",
    "- list",
    "# title",
    "a@example.org https://example.org www.example.org",
    "--> A[x] ---|y| B; C",
    "x" * 10_000,
    "  two  blanks  ",
    b"na\xefve \xff".decode("utf-8", "surrogateescape"),
    "\ud800",
    "données 数据 🦁",
    "",
]
ANY_TEXT = st.one_of(st.sampled_from(HOSTILE), st.text())

# What a label may hold: letters and digits of any language, a few signs, and entity codes.
_LABEL = r'"(?:[\w ,/=@.-]|#\d+;|<br/>)*"'
_NODE = rf"  \w+(?:\({_LABEL}\)|\[{_LABEL}\]|\[\({_LABEL}\)\]|\[\[{_LABEL}\]\])(?::::\w+)?"
_TIE = rf"  \w+ (?:-->|-\.->)(?:\|{_LABEL}\|)? \w+"
_CLASS = r"  classDef \w+ [\w:# -]+"
MERMAID_LINE = re.compile(rf"flowchart LR|{_NODE}|{_TIE}|{_CLASS}")


def graph_of(*texts: str) -> Graph:
    """A node of each kind and state with these texts, and an edge labelled with each."""
    kinds = ("job", "other", "tasks", "artifact", "dataset")
    nodes = [GraphNode(f"n{i}", kind, texts, "failed") for i, kind in enumerate(kinds)]
    edges = [GraphEdge("n0", "n1", text, is_superseded=True) for text in texts]
    return Graph(tuple(nodes), (*edges, GraphEdge("n1", "n0")))


@given(ANY_TEXT)
def test_nothing_legible_is_invisible_or_turns_text_around(text: str) -> None:
    assert legible(text).isprintable()
    assert not text.isprintable() or legible(text) == text
    legible(text).encode("utf-8")


@given(ANY_TEXT, ANY_TEXT)
def test_any_text_makes_mermaid_of_a_strict_grammar(one: str, other: str) -> None:
    for line in mermaid.mermaid_lines(graph_of(one, other)):
        assert MERMAID_LINE.fullmatch(line), line


@given(ANY_TEXT)
def test_a_label_of_mermaid_reads_as_its_text(text: str) -> None:
    label = re.sub(r"#(\d+);", lambda code: chr(int(code[1])), mermaid.quoted(text)[1:-1])
    assert label == (legible(text) or " ")


@pytest.mark.parametrize(
    "text", ["1. one", "- list", "a@b.c", "www.x.org", "_x_", "--- ===", "http://x", "x `y`"]
)
def test_no_label_of_mermaid_is_markdown(text: str) -> None:
    plain = re.sub(r"#\d+;", "", mermaid.quoted(text)[1:-1])
    assert not re.search(r"^\d+\.\s|^[-+*]\s|\w@\w|www\.|[_*`~]|--|==|://", plain)


@pytest.mark.needs("dot")
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_graphviz_reads_any_text_back(text: str) -> None:
    document = "\n".join(dot.dot_lines(graph_of(text, "second"), name=text))
    done = subprocess.run(
        ["dot", "-Tjson"], input=document.encode("utf-8"), capture_output=True, check=True
    )
    assert not done.stderr
    read = json.loads(done.stdout)
    assert [node["name"] for node in read["objects"]] == [f"n{i}" for i in range(5)]
    assert len(read["edges"]) == 3
    drawn = [part["text"] for part in read["objects"][0]["_ldraw_"] if part["op"] == "T"]
    assert [unescape(line) for line in drawn][-1] == "second"
    assert "".join(drawn[:-1]) == legible(text)


def test_lines_of_a_node_stay_lines() -> None:
    graph = Graph((GraphNode("a", "job", ("one", "two")),), ())
    assert '"one<br/>two"' in "\n".join(mermaid.mermaid_lines(graph))
    assert 'label="one\\ntwo"' in "\n".join(dot.dot_lines(graph))
