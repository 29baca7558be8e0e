"""The ways of Python's standard library."""

from __future__ import annotations

from roar_core.testing.programs.table import CONTENT, Program, python

_POOL = """import multiprocessing
def work(i):
    with open("in") as f, open(f"o{i}", "w") as g:
        g.write(f.read())
    return i
if __name__ == "__main__":
    with multiprocessing.get_context(%r).Pool(2) as pool:
        print(sorted(pool.map(work, range(4))))
"""
_FOUR = {f"o{i}" for i in range(4)}

PROGRAMS: tuple[Program, ...] = (
    python(
        "python-open", 'open("out", "w").write(open("in").read())', reads={"in"}, writes={"out"}
    ),
    python(
        "python-pathlib",
        'from pathlib import Path\nPath("out").write_bytes(Path("in").read_bytes())',
        reads={"in"},
        writes={"out"},
    ),
    python("python-append", 'with open("in", "a") as f: f.write("x")', writes={"in"}),
    python(
        "python-read-modify-write",
        'with open("in", "r+") as f:\n    t = f.read(); f.seek(0); f.write(t.upper())',
        reads={"in"},
        writes={"in"},
    ),
    python("python-x-mode", 'with open("out", "x") as f: f.write("x")', writes={"out"}),
    python(
        "python-exists-only", 'import os\nassert os.path.exists("in") and os.stat("in").st_size'
    ),
    python(
        "python-listdir-only", 'import os\nprint(sorted(os.listdir(".")), os.path.getsize("in"))'
    ),
    python(
        "python-shutil-copy",
        'import shutil\nshutil.copy("in", "out")',
        reads={"in"},
        writes={"out"},
    ),
    python(
        "python-shutil-move",
        'import os, shutil\nos.mkdir("d")\nshutil.move("in", "d/in")',
        reads={"in"},
        writes={"d/in"},
    ),
    python(
        "python-copytree",
        'import shutil\nshutil.copytree("dir", "new")',
        files={"dir/a": "A\n", "dir/b/c": "C\n"},
        reads={"dir/a", "dir/b/c"},
        writes={"new/a", "new/b/c"},
    ),
    python(
        "python-replace",
        """import os
with open("in") as f, open("in.tmp", "w") as g:
    g.write(f.read().upper())
os.replace("in.tmp", "in")""",
        reads={"in"},
        writes={"in"},
    ),
    python(
        "python-tempfile",
        """import tempfile
with tempfile.NamedTemporaryFile(dir=".") as f, tempfile.TemporaryDirectory(dir=".") as d:
    f.write(b"x"); f.flush(); open(d + "/y", "w").write("y")""",
    ),
    python(
        "python-formats",
        """import csv, json, pickle
rows = list(csv.reader(open("in.csv")))
json.dump(rows, open("out.json", "w")); pickle.dump(rows, open("out.pkl", "wb"))
print(pickle.load(open("out.pkl", "rb")), json.load(open("out.json")))""",
        files={"in.csv": "a,b\n1,2\n"},
        reads={"in.csv"},
        writes={"out.json", "out.pkl"},
    ),
    python(
        "python-archives",
        """import gzip, zipfile
with gzip.GzipFile("out.gz", "wb", mtime=0) as f: f.write(open("in", "rb").read())
with zipfile.ZipFile("out.zip", "w") as z: z.write("in")
with zipfile.ZipFile("out.zip") as z: print(z.read("in"))""",
        reads={"in"},
        writes={"out.gz", "out.zip"},
    ),
    python(
        "python-mmap",
        """import mmap
with open("in", "r+b") as f, mmap.mmap(f.fileno(), 0) as m: m[0:1] = m[1:2]""",
        reads={"in"},
        writes={"in"},
    ),
    python(
        "python-dir-fd",
        """import os
d = os.open("dir", os.O_RDONLY)
os.read(os.open("in", os.O_RDONLY, dir_fd=d), 9)
os.rename("in", "out", src_dir_fd=d, dst_dir_fd=d)""",
        files={"dir/in": CONTENT},
        reads={"dir/in"},
        writes={"dir/out"},
    ),
    python(
        "python-imports-a-module",
        "import helper\nopen('out', 'w').write(str(helper.x))",
        files={"helper.py": "x = 1\n"},
        reads={"helper.py"},
        writes={"out"},
        unstable=("__pycache__/*",),
    ),
    python(
        "python-subprocess",
        """import subprocess
subprocess.run(["cp", "in", "one"], check=True)
with open("one") as f, open("two", "w") as g: subprocess.run(["cat"], stdin=f, stdout=g, check=True)
subprocess.run("cat two > three", shell=True, check=True, env={}, close_fds=True)""",
        reads={"in"},
        writes={"one", "two", "three"},
    ),
    python("multiprocessing-fork", _POOL % "fork", reads={"in"}, writes=_FOUR),
    python(
        "multiprocessing-spawn",
        _POOL % "spawn",
        reads={"in"},
        writes=_FOUR,
        unstable=("__pycache__/*",),
    ),
    python(
        "multiprocessing-forkserver",
        _POOL % "forkserver",
        reads={"in"},
        writes=_FOUR,
        unstable=("__pycache__/*",),
    ),
    python(
        "python-threads",
        """from concurrent.futures import ThreadPoolExecutor
def work(i): open(f"o{i}", "w").write(open("in").read())
with ThreadPoolExecutor(4) as pool: list(pool.map(work, range(4)))""",
        reads={"in"},
        writes=_FOUR,
    ),
    python(
        "sqlite-wal",
        """import sqlite3
db = sqlite3.connect("a.db"); db.execute("PRAGMA journal_mode = WAL")
with db: db.execute("UPDATE t SET x = 2")
db.close()""",
        before="sqlite3 a.db 'CREATE TABLE t AS SELECT 1 x'",
        needs=("sqlite3",),
        reads={"a.db"},
        writes={"a.db"},
    ),
    python(
        "sqlite-rollback-journal",
        """import sqlite3
db = sqlite3.connect("a.db")
with db: db.execute("CREATE TABLE t (x)"); db.execute("INSERT INTO t VALUES (1)")
print(db.execute("SELECT * FROM t").fetchall())""",
        writes={"a.db"},
    ),
    python(
        "five-hundred-files",
        """for i in range(500):
    with open(f"dir/{i}") as f, open(f"out{i}", "w") as g: g.write(f.read())""",
        files={f"dir/{i}": f"{i}\n" for i in range(500)},
        reads={f"dir/{i}" for i in range(500)},
        writes={f"out{i}" for i in range(500)},
    ),
    python(
        "python-exit-code", 'import sys\nopen("out", "w").write("x")\nsys.exit(3)', writes={"out"}
    ),
    python(
        "python-killed",
        'import os\nopen("out", "w").close()\nos.kill(os.getpid(), 9)',
        writes={"out"},
    ),
)
