"""What the pages are put together from: words, links, folded graphs, and the bundle's build."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from roar_core.testing.needs import leave_out
from roar_glaas.errors import GlaasError
from roar_glaas.pages.differences import words
from roar_glaas.pages.drawing import MOST_APART, drawing, fold
from roar_glaas.pages.links import from_template, tracker_links, web_address
from roar_glaas.pages.plain import duration, heading, plain, size
from roar_glaas.settings import Settings, read_settings

PLUGIN = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("/usr/bin/python3 -u src/train.py --lr 1", "python3 train.py"),
        ("CUDA_VISIBLE_DEVICES=0 torchrun --nproc 4 train.py", "torchrun train.py"),
        ("python -m torch.distributed.run src/train.py", "python train.py"),
        ("python -m pytest tests", "python -m pytest"),
        ("sh -c 'cat a > b'", "sh -c …"),
        ("/opt/tools/dvc repro", "dvc"),
        ("", "(no command)"),
        ("A=1", "(no command)"),
        ("x" * 100, "x" * 39 + "…"),
    ],
)
def test_a_command_in_a_few_words(command: str, told: str) -> None:
    assert heading(command) == told


def test_what_cannot_be_seen_is_written_out() -> None:
    assert plain("a\u202eb\x1b[0m\ufeff\n\t") == "a\\u202eb\\u001b[0m\\ufeff\n\t"
    assert plain("naïve 数据 🦁") == "naïve 数据 🦁"


def test_sizes_and_durations_are_told_in_units_that_matter() -> None:
    assert [size(n) for n in (None, 0, 999, 1000, 12_345_678)] == [
        *("unknown", "0 bytes", "999 bytes", "1 kB", "12.3 MB")
    ]
    told = [duration(s) for s in (0.25, 75.5, 3_700, 200_000)]
    assert told == ["0.25 s", "1 min 16 s", "1 h 1 min", "2 d 7 h"]


@pytest.mark.parametrize(
    "text",
    [
        *("javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "//example.org/x"),
        *("https://", "https:///path", "https://a b/", "https://a\\@evil.example/", "https://[x/"),
        *("http://example.org/", "HTTPS://" + "x" * 3_000, "", None, 7, ["https://a.example/"]),
    ],
)
def test_only_https_addresses_become_links(text: object) -> None:
    assert web_address(text) is None
    assert tracker_links({"trackers": [{"tracker": "wandb", "url": text}]}) == []


def test_runs_are_found_where_either_client_tells_them() -> None:
    ours = {"trackers": [{"tracker": "wandb", "url": "https://wandb.example/a/b/runs/c"}]}
    runs = [{"tracker": "mlflow", "url": "https://mlflow.example/#/runs/1"}, "no run"]
    stock = {"analysis": {"experiment_tracking": {"runs": runs}}}
    assert [link.words for link in tracker_links(ours | stock)] == [
        "View in W&B",
        "View in MLflow",
    ]
    for odd in ({"trackers": 3}, {"analysis": []}, {"analysis": {"experiment_tracking": "x"}}):
        assert tracker_links(odd) == []


@pytest.mark.parametrize(
    "template",
    [
        *("javascript:alert({session})", "ftp://ci.example/{session}", "{repository}/x"),
        *("https://{session}.example/", "https://ci.example{session}", "https://ci.example/{who}"),
        *("https://ci.example/{session!r}", "https://ci.example/{session:>9}", "https://x/{"),
    ],
)
def test_a_link_template_that_could_lead_anywhere_is_refused(template: str, tmp_path: Path) -> None:
    with pytest.raises(GlaasError, match="run_url"):
        read_settings(tmp_path, {"GLAAS_RUN_URL": template})


def test_values_in_a_link_cannot_change_where_it_leads() -> None:
    template = "https://ci.example/{session}?of={artifact}"
    Settings(data=Path(), training_request_url=template)
    told = from_template(template, {"session": "../../x?y#z", "artifact": "a&b=c"})
    assert told == "https://ci.example/..%2F..%2Fx%3Fy%23z?of=a%26b%3Dc"
    assert from_template(template, {"session": "x", "artifact": None}) is None
    assert from_template("", {}) is None


@pytest.mark.parametrize(
    ("number", "ties"),
    [
        (2_000, [(n, n + 1) for n in range(1_999)]),
        (2_000, [(0, n) for n in range(1, 2_000)]),
        (2_000, []),
        (1_500, [(n - n % 37 - 1, n) for n in range(37, 1_500)]),
    ],
    ids=["a chain", "a fan", "apart", "layers"],
)
def test_large_graphs_are_folded_to_what_can_be_drawn(
    number: int, ties: list[tuple[int, int]]
) -> None:
    for names in (["same"] * number, [f"job {n}" for n in range(number)]):
        groups, group_of = fold(names, ties)
        nodes = number - len(group_of) + len(groups)
        assert nodes <= MOST_APART
        assert set(group_of.values()) == set(range(len(groups)))
    assert fold(["same"] * MOST_APART, []) == ([], {})


def test_of_bytes_written_twice_a_reader_has_the_later_before_it() -> None:
    def job(uid: str, reads: str, writes: str) -> dict[str, object]:
        sides = {
            side: [{"hash": name, "path": name, "total": None} for name in names]
            for side, names in (("inputs", reads), ("outputs", writes))
        }
        about = {"sessionHash": "", "stepNumber": 1, "command": uid, "exitCode": 0}
        return {"jobUid": uid, **about, **sides}

    told = drawing([job("1", "b", "a"), job("2", "a", "b"), job("3", "b", "a"), job("4", "a", "")])
    ties = {(file["name"], file["writer"], *file["readers"]) for file in told["files"]}
    assert ties == {("b", None, 0), ("a", 0, 1), ("b", 1, 2), ("a", 2, 3)}


def test_two_commands_are_compared_word_by_word() -> None:
    left, right = words("train --lr 0.1 --seed 7", "train --lr 0.2 --seed 7 --amp")
    assert [piece.text for piece in left if not piece.is_same] == ["0.1"]
    assert [piece.text for piece in right if not piece.is_same] == ["0.2", "--amp"]
    long = "x " * 5_000
    assert words(long, long + "y")[0][0].is_same is False


@pytest.mark.parametrize("wanted", ["", "required"])
def test_a_wheel_is_built_without_the_bundle_where_npm_cannot_be_reached(
    wanted: str, tmp_path: Path
) -> None:
    if shutil.which("npm") is None:
        leave_out("needs npm: apt install npm")
    left_out = shutil.ignore_patterns("_built", "tests", "__pycache__")
    shutil.copytree(PLUGIN, tmp_path / "glaas", ignore=left_out)
    nowhere = {"npm_config_registry": "http://127.0.0.1:9", "npm_config_cache": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path],
        cwd=tmp_path / "glaas",
        env=os.environ | nowhere | {"ROAR_GLAAS_BUNDLE": wanted},
        capture_output=True,
        text=True,
        check=False,
    )
    told = done.stdout + done.stderr
    assert "the graph pages' script was not bundled" in told
    if wanted:
        assert done.returncode != 0
        return
    assert done.returncode == 0, told
    [wheel] = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "roar_glaas/pages/style.css" in names
    assert not any("_built" in name for name in names)
