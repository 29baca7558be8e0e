"""What a registry is deployed with, and the page about it: as far as no engine is needed."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs
import pytest
import yaml
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from roar_core.testing.needs import leave_out
from roar_glaas.cli import COMMANDS, glaas
from roar_glaas.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
DEPLOY = ROOT / "plugins/glaas/deploy"
PAGE = (ROOT / "docs/registry.md").read_text(encoding="utf-8")
SETTINGS = {field.name for field in attrs.fields(Settings)}


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions: (name, the rest on one line)."""
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    text = "\n".join(line for line in lines if not line.startswith("#"))
    joined = re.sub(r"\\\n\s*", "", text)
    return [
        (words[0], words[1]) for line in joined.splitlines() if (words := line.split(" ", 1))[1:]
    ]


def test_the_image_is_built_from_what_is_here_and_runs_as_nobody_special() -> None:
    found = instructions()
    names = [name for name, _ in found]
    assert names.count("FROM") == 2
    for name, rest in found:
        if name == "COPY":
            *sources, _ = rest.split()
            assert all((ROOT / source).is_dir() for source in sources)
    (user,) = [rest for name, rest in found if name == "USER"]
    assert user == "10001:10001"
    assert names.index("USER") < names.index("ENTRYPOINT")
    assert "HEALTHCHECK" in names
    variables = re.findall(r"GLAAS_(\w+)", "\n".join(rest for name, rest in found if name == "ENV"))
    assert {name.lower() for name in variables} <= SETTINGS


def test_the_image_s_steps_work(tmp_path: Path) -> None:
    source = tmp_path / "src"
    for name, rest in instructions():
        if name == "COPY":
            origin, target = rest.split()
            ignored = shutil.ignore_patterns("__pycache__", "node_modules", "tests")
            shutil.copytree(ROOT / origin, source / target, ignore=ignored)
    # The dependencies are those of this environment, not fetched again; all else is as it stands.
    environ = os.environ | {"PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0"}
    environ |= {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environ.pop("PYTHONPATH", None)
    for name, rest in instructions():
        if name != "RUN":
            continue
        step = re.sub(r"^(--mount=\S+\s+)+", "", rest)
        step = step.replace("chown 10001:10001", "true")
        step = step.replace("ROAR_GLAAS_BUNDLE=required", "ROAR_GLAAS_BUNDLE=skip")
        for place in ("/wheels", "/opt/glaas", "/data"):
            step = step.replace(place, f"{tmp_path}{place}")
        (tmp_path / "opt").mkdir(exist_ok=True)
        done = subprocess.run(
            ["sh", "-ec", step], cwd=source, env=environ, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "opt/glaas/bin/glaas").is_file()
    wheels = sorted(path.name.partition("-")[0] for path in (tmp_path / "wheels").iterdir())
    assert wheels == ["roar_core", "roar_glaas"]
    (site,) = (tmp_path / "opt/glaas/lib").glob("python*/site-packages")
    packaged = {path.name for path in (site / "roar_glaas").rglob("*")}
    own = {path.name for path in (ROOT / "plugins/glaas/src/roar_glaas").rglob("*.py")}
    assert own <= packaged
    assert {"style.css", "frame.html"} <= packaged


def test_the_compose_file_names_what_there_is() -> None:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    services = found["services"]
    build = services["glaas"]["build"]
    context = (DEPLOY / build["context"]).resolve()
    assert context == ROOT
    assert (context / build["dockerfile"]).is_file()
    variables = [name for name in services["glaas"]["environment"] if name.startswith("GLAAS_")]
    assert {name.removeprefix("GLAAS_").lower() for name in variables} <= SETTINGS
    assert services["glaas"]["command"][0] in COMMANDS
    for service in services.values():
        for volume in service["volumes"]:
            origin = volume.partition(":")[0]
            assert origin in found["volumes"] or (DEPLOY / origin).is_file()
        assert set(service["networks"]) <= set(found["networks"])
        assert set(service.get("depends_on", ())) <= set(services)
    # Nothing but the proxy is reached from outside, and the proxy does not reach the database.
    assert [name for name, service in services.items() if "ports" in service] == ["caddy"]
    assert not set(services["caddy"]["networks"]) & set(services["database"]["networks"])
    proxies = services["glaas"]["environment"]["GLAAS_TRUSTED_PROXIES"]
    assert found["networks"]["outside"]["ipam"]["config"] == [{"subnet": proxies}]


def test_the_unit_is_one_and_keeps_the_service_in(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        leave_out("needs systemd-analyze: apt install systemd")
    text = (DEPLOY / "glaas.service").read_text()
    (command,) = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
    unit = tmp_path / "glaas.service"
    unit.write_text(text.replace("/opt/glaas/bin/glaas", shutil.which("true") or "true"))
    analyze = ["systemd-analyze", "--offline=yes", "--threshold=20", "security", unit]
    verified = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
    assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")
    assert subprocess.run(analyze, capture_output=True).returncode == 0
    told = subprocess.run(
        [sys.executable, "-m", "roar_glaas.cli", "serve", "--help"], capture_output=True, text=True
    )
    for option in shlex.split(command)[2:]:
        assert not option.startswith("--") or option in told.stdout


@pytest.mark.parametrize("name", ["nginx.conf", "Caddyfile"])
def test_proxies_keep_the_figures_to_themselves_and_pass_on_the_name(name: str) -> None:
    text = (DEPLOY / name).read_text()
    assert "/metrics" in text
    assert text.count("{") == text.count("}")
    if name == "nginx.conf":
        assert "proxy_set_header Host $host;" in text
        assert "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;" in text


def test_nginx_takes_its_file(tmp_path: Path) -> None:
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if nginx is None:
        leave_out("needs nginx: apt install nginx-light")
    text = (DEPLOY / "nginx.conf").read_text()
    # The certificate is not here, and low ports and the log's folder may be forbidden.
    text = re.sub(r"ssl_certificate\w* .*;", "", text).replace("443 ssl", "8443")
    (tmp_path / "site.conf").write_text(text.replace("listen 80;", "listen 8080;"))
    places = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    inside = " ".join(f"{name}_temp_path {tmp_path}/{name};" for name in places)
    inside += " access_log off; include site.conf;"
    whole = f"error_log stderr;\npid {tmp_path}/pid;\nevents {{}}\nhttp {{ {inside} }}\n"
    (tmp_path / "nginx.conf").write_text(whole)
    check = [nginx, "-t", "-p", tmp_path, "-c", tmp_path / "nginx.conf"]
    done = subprocess.run(check, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_page_s_commands_work_as_they_stand(tmp_path: Path) -> None:
    """All of `glaas`, in the order of the page, but for what pipes through other programs."""
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if "/bin/glaas " in line]
    assert [line.split("/bin/glaas ")[1].split()[0] for line in lines] == [
        *("init", "user", "token", "backup", "stats", "restore", "verify", "backup")
    ]
    (tmp_path / "var/lib").mkdir(parents=True)
    (tmp_path / "var/backups/glaas").mkdir(parents=True)
    for line in lines:
        words = shlex.split(line.replace(" /var/", f" {tmp_path}/var/"))
        assert words[:4] == ["sudo", "-u", "glaas", "/opt/glaas/bin/glaas"]
        done = CliRunner().invoke(glaas, words[4:])
        assert done.exit_code == 0, f"{line}: {done.output} {done.exception}"


def test_the_page_knows_its_files_and_settings() -> None:
    for file in DEPLOY.iterdir():
        assert file.name.partition(".docker")[0] in PAGE
    table = PAGE.partition("## Settings of this page")[2]
    settings = re.findall(r"^\| `(\w+)`", table, re.MULTILINE)
    assert len(settings) == 12
    for name in {*settings, "public_url", "max_body_bytes", "database"}:
        assert name in SETTINGS
        assert f"`{name}`" in PAGE or f"**`{name}`**" in PAGE or name == "database"
    defaults = {field.name: field.default for field in attrs.fields(Settings)}
    for name, default in re.findall(r"^\| `(\w+)` \| (\d+) ", table, re.MULTILINE):
        assert defaults[name] == int(default)


def test_the_readme_lists_every_setting_with_its_default() -> None:
    text = (ROOT / "plugins/glaas/README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `\[?(\w+)\]?` \| ([^|]+) \|", text, re.MULTILINE))
    assert set(rows) == SETTINGS - {"data"}
    units = {"MiB": 1024**2, "GiB": 1024**3}
    for field in attrs.fields(Settings):
        told = rows.get(field.name, "").split()
        if type(field.default) is int:
            assert int(told[0]) * units.get(" ".join(told[1:]), 1) == field.default
        if type(field.default) is bool:
            assert told == [str(field.default).lower()]


def test_the_readme_s_links_and_commands_are_there(tmp_path: Path) -> None:
    text = (ROOT / "plugins/glaas/README.md").read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#\s]+)\)", text):
        assert (ROOT / "plugins/glaas" / link).exists(), link
    (block,) = re.findall(r"## Accounts and scopes\n\n```sh\n(.*?)```", text, re.DOTALL)
    key = tmp_path / "key.pub"
    public = Ed25519PrivateKey.generate().public_key()
    key.write_bytes(public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH))
    # Whom a later line names, and the example does not make.
    lines = ["glaas user add bob", *block.replace("~/.ssh/id_ed25519.pub", str(key)).splitlines()]
    for command in " && ".join(line.partition("  #")[0] for line in lines).split(" && "):
        words = [*shlex.split(command)[1:], "--data", str(tmp_path / "data")]
        done = CliRunner().invoke(glaas, words, input="correct horse battery\n")
        assert done.exit_code == 0, f"{command}: {done.output} {done.exception}"
