"""Signals that a request is a bot's, each with a name, from the row's own values alone.

A row keeps its signals; reports leave bots out by the flag. Nothing is dropped here or anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.enrich.user_agents import Client

_LONGEST = 512

# Patterns are RE2's: linear in the text, whatever it holds.
_WORDS = (
    r"bot(?:[^a-z]|$)|bot[-_/]|b0t|crawl|spider|scrap|slurp|archiv|fetch|scanner|monitor(?:ing)?[/; ]|uptime|pingdom|"
    r"validator|link ?che?ck|checker|indexer|harvest|nutch|searchbot|facebookexternalhit|facebot|embedly|headless|"
    r"phantomjs|selenium|puppeteer|playwright|lighthouse|pagespeed|mediapartners|apis-google|google-(?:read|inspection|"
    r"safety|extended|adwords|ads|apps|favicon)|claude-|chatgpt-|openai|anthropic|bytespider|ahrefs|semrush|"
    r"statuscake|site24x7|zgrab|masscan|nmap|nikto|sqlmap|nessus|acunetix|netcraft|censys|expanse|qualys|wpscan|"
    r"httrack|teleport|webcopier|larbin|robot|thumbnail|screenshot|webcapture|copyscape|plagiar|analyzer|sitemap|"
    r"backlink|advertis|surveyor|probe|snoop|sniff|extractor|siphon|grabber|collector|reaper|metadata|expander|"
    r"hookshot|camo[ /(]|onebox|observatory|imageproxy"
)
_LIBRARIES = (
    r"^(?:curl|wget|lib-?www|lwp|python|aiohttp|httpx|java/|jakarta|apache-http|commons-http|go-http|ruby|faraday|"
    r"mechanize|rest-client|node|axios|got[ /]|undici|superagent|php|guzzle|symfony|perl|pycurl|urllib|http_request|"
    r"http-?client|winhttp|postman|insomnia|powershell|deno|bun/|reqwest|restsharp|unirest|typhoeus|zend|pear|"
    r"snoopy|ning|netty|jersey|vert\.x|akka|w3c_|fasthttp|colly|grequests|hackney|mojo|www::|zabbix|nagios|check_|"
    r"kube|elb-healthchecker|googlehc|varnish|haproxy)"
)
_ADDRESS = r"https?://|www\.|[\w.+-](?:@| at )[\w-]+\.\w"


def bot_signals(user_agents: Sequence[str | None], clients: Sequence[Client | None]) -> list[tuple[str, ...]]:
    """Name the signals that user agents' senders are programs.

    Args:
        user_agents: as written; None or empty where the request had none.
        clients: their parsed meanings; None where there is none.

    Returns:
        For each, of `no_user_agent`, `declared` (the parser knows it), `word` (a word only programs use), `library` (an
        HTTP library's own name), `address` (a home page or mail address to complain to) and `no_browser` (no browser,
        system or device is named); empty for none.
    """
    texts = pa.array([(text or "")[:_LONGEST] for text in user_agents], pa.string())
    found = {name: _matches(texts, pattern) for name, pattern in _PATTERNS.items()}
    signals: list[tuple[str, ...]] = []
    for place, (text, client) in enumerate(zip(user_agents, clients, strict=True)):
        if not text:
            signals.append(("no_user_agent",))
            continue
        named = ["declared"] if client is not None and client.device_type == "bot" else []
        named += [name for name, matches in found.items() if matches[place]]
        if client is not None and client.browser is None and client.os is None and client.device is None:
            named.append("no_browser")
        signals.append(tuple(named))
    return signals


_PATTERNS = {"word": _WORDS, "library": _LIBRARIES, "address": _ADDRESS}


def _matches(texts: pa.Array, pattern: str) -> np.ndarray:
    return pc.match_substring_regex(texts, pattern, ignore_case=True).to_numpy(zero_copy_only=False)
