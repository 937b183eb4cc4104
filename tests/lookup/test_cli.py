"""The command line as a person and as a program use it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipeline.cli import main
from pipeline.plain import length, plain
from tests.conftest import Demo
from tests.ingest.test_delivery import line


def trail(demo: Demo, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--config", str(demo.paths.config), *arguments])


def test_every_command_that_prints_rows_prints_json(demo: Demo) -> None:
    visit = json.loads(
        trail(demo, "sql", "--json", "select visit_id from visits where user_id is not null limit 1").output
    )
    visit_id = visit[0]["visit_id"]
    log = next(path for path in demo.paths.landing.rglob("*.json"))
    for arguments in (
        ["tables"],
        ["tables", "visits"],
        ["files", "visits"],
        ["settings"],
        ["user", "example.com"],
        ["visit", visit_id],
        ["affected", "/login", "--status", "4xx", "--from", "2026-03-02"],
        ["routes", "--least", "400"],
        ["doctor", str(log)],
        ["sql", "from visits limit 2"],
    ):
        result = trail(demo, *arguments, "--json")
        assert result.exit_code == 0, result.output
        assert json.loads(result.output), arguments
        assert trail(demo, *arguments).exit_code == 0


def test_who_met_something_is_listed_as_csv_and_what_is_wrong_is_said(demo: Demo) -> None:
    asked = ["affected", "/login", "--status", "4xx", "--from", "2026-03-02"]
    listed = trail(demo, *asked, "--csv", "--limit", "1000")
    assert listed.output.startswith("name,email,user_id,business_id,")
    told = json.loads(trail(demo, *asked, "--json", "--limit", "1000").output)
    assert len(listed.output.splitlines()) == 1 + len(told["listed"]) > 1
    for wrong in (["affected", "--status", "7"], ["routes", "--from", "never"]):
        refused = trail(demo, *wrong)
        assert (refused.exit_code, "it must be such as" in refused.output) == (1, True)


def test_a_user_is_found_by_address_and_a_request_by_reference(demo: Demo) -> None:
    (seen,) = json.loads(
        trail(
            demo, "sql", "--json",
            "select ip, extra, user_id, request_id from requests where status >= 500 and extra is not null"
            " and user_id is not null order by request_id limit 1",
        ).output
    )  # fmt: skip
    assert seen["user_id"] in trail(demo, "user", seen["ip"]).output
    assert seen["request_id"] in trail(demo, "explain", json.loads(seen["extra"])["error_reference"]).output
    assert trail(demo, "explain", "E-00000000").exit_code == 1


def test_a_file_is_written_out_again_as_it_was(demo: Demo, tmp_path: Path) -> None:
    logs = [path for path in sorted(demo.paths.landing.rglob("*.log*")) if path.is_file()]
    log = next(path for path in logs if path.suffix != ".gz")
    name = log.relative_to(demo.paths.landing).as_posix()
    assert name in trail(demo, "raw").output
    result = trail(demo, "raw", "--file", name, "--out", str(tmp_path / "out"))
    assert result.exit_code == 0, result.output
    assert "the file's hash is the ledger's" in result.output
    assert (tmp_path / "out").read_bytes() == log.read_bytes()
    missing = trail(demo, "raw", "--file", "nowhere.log")
    assert missing.exit_code == 1
    assert "0 files are 'nowhere.log'" in missing.output


def test_rejected_lines_are_tried_again(demo: Demo) -> None:
    wrong = trail(demo, "retry", "--reason", "ugly")
    assert wrong.exit_code == 1
    assert "no line is rejected for 'ugly'; reasons are" in wrong.output
    assert "0 tried" in trail(demo, "retry", "--source", "nowhere").output
    assert json.loads(trail(demo, "retry", "--source", "nowhere", "--json").output)["lines"]["tried"] == 0


def test_a_user_is_found_by_part_of_an_email_and_told_of(demo: Demo) -> None:
    query = "select email from user_lookup where email is not null and visits > 2 order by user_id limit 1"
    email = json.loads(trail(demo, "sql", "--json", query).output)[0]["email"]
    result = trail(demo, "user", email)
    assert "last visits" in result.output
    assert email in result.output
    assert trail(demo, "user", email[:7]).exit_code == 0


def test_explain_tells_the_line_and_its_meaning(demo: Demo) -> None:
    found = json.loads(
        trail(demo, "sql", "--json", "select request_id from clickstream where linked_by = 'same_visit' limit 1").output
    )
    output = trail(demo, "explain", found[0]["request_id"]).output
    for words in ("ua-parser", "why in this visit", "linked_by", "same_visit", "whose it is, shown by", "in the logs"):
        assert words in output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["user", "nobody at all"], "no such user"),
        (["visit", "20260302-0000000000000000"], "no such visit"),
        (["explain", "x"], "no such request"),
        (["sql", "select from where"], "Parser Error"),
        (["sql", "select * from read_text('/etc/hostname')"], "disabled by configuration"),
        (["sql", "select secret from nothing"], "Catalog Error"),
    ],
)
def test_errors_are_a_line_and_no_stack(demo: Demo, arguments: list[str], words: str) -> None:
    result = trail(demo, *arguments)
    assert result.exit_code == 1
    assert words in result.output
    assert "Traceback" not in result.output


def test_wrong_setting_names_itself(tmp_path: Path) -> None:
    config = tmp_path / "trail.toml"
    config.write_text("threads = 0\n")
    result = CliRunner().invoke(main, ["--config", str(config), "tables"])
    assert result.exit_code == 1
    assert "threads is 0; it must be a whole number from 1 to 1024" in result.output


def test_secret_is_never_printed(demo: Demo) -> None:
    assert "a secret of the demo" not in trail(demo, "settings", "--json").output


def test_doctor_warns_of_a_proxy_and_tells_rejects(demo: Demo, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(b"".join(line(second, client=3) for second in range(30)) + b"what is this\n")
    report = json.loads(trail(demo, "doctor", str(log), "--json").output)
    assert (report["format"], report["kept"], report["rejected"]) == ("combined", 30, 1)
    assert report["rejects"]["no_match"]["samples"][0]["text"] == "what is this"
    assert report["zones"] == {"+0000": 30}
    assert report["bot_share"] == 1.0
    assert any("all lines come from 203.0.113.3" in warning for warning in report["warnings"])


def test_control_characters_of_a_log_are_shown_not_obeyed() -> None:
    assert plain("\x1b[31mred\x07\u202e") == "\\x1b[31mred\\x07\\u202e"


def test_unknown_length_is_unknown() -> None:
    assert (length(None), length(0), length(59), length(3661)) == ("unknown", "0 s", "59 s", "1:01:01")


def test_a_closed_pipe_is_quiet(demo: Demo) -> None:
    query = "select * from range(200000)"
    command = f"{sys.executable} -m pipeline.cli --config {demo.paths.config} sql '{query}' | head -1"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=environment, check=False)
    assert done.stdout.strip() == "range"
    assert "Traceback" not in done.stderr
