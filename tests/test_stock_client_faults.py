"""Each fault known of the stock client (reference: its 0.4.7), and the test that it is not ours."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from blake3 import blake3

from roar_core.testing.projects import ProjectUnderTest, Result


def digest(content: bytes) -> str:
    return f"blake3:{blake3(content).hexdigest()}"


def edge(result: Result, side: str, relative: str) -> dict[str, object]:
    assert result.job is not None, result.stderr
    (found,) = [e for e in result.job[side] if e["relative"] == relative]
    return dict(found)


def python(project: ProjectUnderTest, script: str, *arguments: str) -> Result:
    project.write("step.py", script)
    return project.run(sys.executable, "step.py", *arguments)


def test_ctrl_c_does_not_start_the_command_twice(project: ProjectUnderTest) -> None:
    script = "echo started >> starts.txt; kill -INT $$; sleep 5"
    result = project.run("sh", "-c", script)
    assert result.exit_code == -signal.SIGINT
    assert project.read("starts.txt") == "started\n"
    assert result.job is not None
    assert result.job["state"] == "failed"


def test_sigterm_orphans_nothing(project: ProjectUnderTest) -> None:
    script = "echo $$; exec sleep 60"
    process = subprocess.Popen(
        [sys.executable, "-m", "roar_core", "run", "sh", "-c", script],
        cwd=project.root,
        env=project.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        process.terminate()
        assert process.wait() == -signal.SIGTERM
    assert not Path(f"/proc/{child}").exists()
    assert project.json("show")["signal"] == "SIGTERM"


@pytest.mark.parametrize(
    "change",
    [
        "open('data.txt', 'w').write('new')",
        "open('data.txt', 'r+').write('new')",
        "open('new.tmp', 'w').write('new'); os.replace('new.tmp', 'data.txt')",
    ],
)
def test_an_input_that_is_overwritten_keeps_the_digest_of_what_was_read(
    project: ProjectUnderTest, change: str
) -> None:
    project.write("data.txt", "old")
    result = python(project, f"import os\nold = open('data.txt').read()\n{change}\n")
    before, after = edge(result, "inputs", "data.txt"), edge(result, "outputs", "data.txt")
    assert (before["hash"], before["hash_state"]) == (digest(b"old"), "before_change")
    assert (after["hash"], after["hash_state"]) == (digest(b"new"), "exact")


def test_an_input_that_the_job_deletes_stays_an_input(project: ProjectUnderTest) -> None:
    project.write("data.txt", "old")
    result = python(project, "import os\nopen('data.txt').read()\nos.unlink('data.txt')\n")
    found = edge(result, "inputs", "data.txt")
    assert (found["hash"], found["hash_state"]) == (digest(b"old"), "before_change")


def test_equal_size_and_preserved_times_do_not_give_the_old_digest(
    project: ProjectUnderTest,
) -> None:
    data = project.write("data.txt", "first")
    before = data.stat()
    project.run("cat", "data.txt")
    data.write_text("other")
    os.utime(data, ns=(before.st_atime_ns, before.st_mtime_ns))
    result = project.run("cat", "data.txt")
    assert edge(result, "inputs", "data.txt")["hash"] == digest(b"other")


def test_roars_own_packages_are_not_the_programs(project: ProjectUnderTest) -> None:
    result = python(project, "print('no imports at all')\n")
    assert result.job is not None
    packages = result.job["packages"]["python"]
    assert not {"attrs", "blake3", "click", "cattrs", "pluggy", "httpx"} & packages.keys()


def test_two_scripts_with_equal_paths_are_two_steps(project: ProjectUnderTest) -> None:
    project.write("in.txt", "x")
    for name in ("one.sh", "two.sh"):
        project.write(name, f"# {name}\ncat in.txt > out.txt\n")
    steps = {project.run("sh", name).job["step"] for name in ("one.sh", "two.sh")}  # type: ignore[index]
    assert steps == {"@1", "@2"}


def test_a_project_below_tmp_records_normally(project: ProjectUnderTest) -> None:
    assert str(project.root).startswith("/tmp/")
    project.write("in.txt", "x")
    result = project.run("cp", "in.txt", "out.txt")
    assert (result.reads, result.writes) == ({"in.txt"}, {"out.txt"})


def test_an_untracked_output_does_not_block_the_next_run(project: ProjectUnderTest) -> None:
    (project.root / ".roar").rmdir()
    project.write("make.py", "open('generated.py', 'w').write('x = 1')\n")
    git(project, "init", "-q")
    git(project, "add", ".")
    git(project, "commit", "-qm", "first")
    for _ in range(2):
        result = project.roar("run", "--dirty", "refuse", sys.executable, "make.py")
        assert result.exit_code == 0, result.stderr
    assert project.json("show")["git"]["dirty"] is False


def test_a_shells_redirection_is_seen(project: ProjectUnderTest) -> None:
    project.write("in.txt", "b\na\n")
    result = project.run("sh", "-c", "sort < in.txt > out.txt; echo more >> out.txt")
    assert (result.reads, result.writes) == ({"in.txt"}, {"out.txt"})
    assert edge(result, "outputs", "out.txt")["hash"] == digest(b"a\nb\nmore\n")


def test_a_renamed_output_has_one_absolute_path(project: ProjectUnderTest) -> None:
    (project.root / "out").mkdir()
    result = project.run("sh", "-c", "cd out && echo x > tmp && mv tmp final.txt")
    assert result.job is not None
    (output,) = result.job["outputs"]
    assert output["path"] == str(project.root / "out/final.txt")


def git(project: ProjectUnderTest, *arguments: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(
        ["git", *identity, *arguments], cwd=project.root, env=project.environment(), check=True
    )
