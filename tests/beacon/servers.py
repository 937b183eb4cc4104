"""A real nginx that logs as the README says, and a real Chromium, for tests of the script for pages."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.chrome.webdriver import WebDriver

ROOT = Path(__file__).resolve().parents[2]
_CONFIG = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  log_format trail escape=json '{{"time":"$msec","remote_addr":"$remote_addr","host":"$host",'
    '"method":"$request_method","target":"$request_uri","protocol":"$server_protocol","status":"$status","bytes_sent":"$bytes_sent",'
    '"referrer":"$http_referer","user_agent":"$http_user_agent","visitor_id":"$cookie_visitor",'
    '"user_id":"$arg_as"}}';
  access_log {folder}/landing/web/access.log trail;
  default_type text/html;
  server {{
    listen 127.0.0.1:{port};
    root {folder}/site;
    location = /trail.js {{ default_type text/javascript; }}
    location = /trail/event {{ return 204; }}
    location = /favicon.ico {{ return 204; }}
    location / {{ try_files $uri.html $uri /page.html; }}
  }}
}}
"""


@contextlib.contextmanager
def nginx(folder: Path, pages: dict[str, str]) -> Iterator[str]:
    """Serve pages by name, and trail.js; the log is `landing/web/access.log`. Gives where."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if found is None:
        pytest.skip("no nginx is installed")
    for name in ("landing/web", "site"):
        (folder / name).mkdir(parents=True)
    for name, text in pages.items():
        (folder / "site" / f"{name}.html").write_text(text, encoding="utf-8")
    folder.chmod(0o755)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shutil.copy(ROOT / "pipeline" / "beacon" / "trail.js", folder / "site")
    config = folder / "nginx.conf"
    text = _CONFIG.format(folder=folder, port=port)
    config.write_text(f"user root;\n{text}" if Path("/root").owner() == "root" else text, encoding="utf-8")
    with subprocess.Popen([found, "-p", str(folder), "-c", str(config)], stderr=subprocess.PIPE) as process:
        try:
            _await(port, process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(10)


def _await(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(100):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if process.poll() is not None and process.stderr:
            raise RuntimeError(process.stderr.read().decode())
        time.sleep(0.05)
    raise TimeoutError("nginx did not answer")


@contextlib.contextmanager
def chromium(folder: Path) -> Iterator[WebDriver]:
    """A browser without a window of its own, but with tabs that hide each other."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.skip("no Chromium with its driver is installed")
    options = Options()
    options.binary_location = browser
    flags = "headless=new no-sandbox disable-gpu disable-quic no-first-run disable-background-networking"
    for flag in (*flags.split(), "disable-component-update", "disable-sync", f"user-data-dir={folder / 'profile'}"):
        options.add_argument(f"--{flag}")
    opened = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield opened
    finally:
        opened.quit()
