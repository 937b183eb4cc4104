"""Signals that a request is a bot's, each with a name, from the row's own values alone.

A row keeps its signals; reports leave bots out by the flag. Nothing is dropped here or anywhere.
"""

from __future__ import annotations

import re

from pipeline.enrich.user_agents import Client

_LONGEST = 512

_WORDS = re.compile(
    r"bot(?![a-z])|bot[-_/]|b0t|crawl|spider|scrap|slurp|archiv|fetch|scanner|monitor(?:ing)?[/; ]|uptime|pingdom|"
    r"validator|link ?che?ck|checker|indexer|harvest|nutch|searchbot|facebookexternalhit|facebot|embedly|headless|"
    r"phantomjs|selenium|puppeteer|playwright|lighthouse|pagespeed|mediapartners|apis-google|google-(?:read|inspection|"
    r"safety|extended|adwords|ads|apps|favicon)|claude-|chatgpt-|openai|anthropic|bytespider|ahrefs|semrush|"
    r"statuscake|site24x7|zgrab|masscan|nmap|nikto|sqlmap|nessus|acunetix|netcraft|censys|expanse|qualys|wpscan|"
    r"httrack|teleport|webcopier|larbin|robot|thumbnail|screenshot|webcapture|copyscape|plagiar|analyzer|sitemap|"
    r"backlink|advertis|surveyor|probe|snoop|sniff|extractor|siphon|grabber|collector|reaper|metadata|expander|"
    r"hookshot|camo[ /(]|onebox|observatory|imageproxy",
    re.IGNORECASE,
)
_LIBRARIES = re.compile(
    r"^(?:curl|wget|lib-?www|lwp|python|aiohttp|httpx|java/|jakarta|apache-http|commons-http|go-http|ruby|faraday|"
    r"mechanize|rest-client|node|axios|got[ /]|undici|superagent|php|guzzle|symfony|perl|pycurl|urllib|http_request|"
    r"http-?client|winhttp|postman|insomnia|powershell|deno|bun/|reqwest|restsharp|unirest|typhoeus|zend|pear|"
    r"snoopy|ning|netty|jersey|vert\.x|akka|w3c_|fasthttp|colly|grequests|hackney|mojo|www::|zabbix|nagios|check_|"
    r"kube|elb-healthchecker|googlehc|varnish|haproxy)",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"https?://|www\.|[\w.+-]{1,64}(?:@| at )[\w-]{1,64}\.\w", re.IGNORECASE)


def bot_signals(user_agent: str | None, client: Client | None) -> tuple[str, ...]:
    """Name the signals that a user agent's sender is a program.

    Args:
        user_agent: as written; None or empty where the request had none.
        client: its parsed meaning.

    Returns:
        Of `no_user_agent`, `declared` (the parser knows it), `word` (a word only programs use), `library` (an HTTP
        library's own name), `address` (a home page or mail address to complain to) and `no_browser` (no browser,
        system or device is named); empty for none.
    """
    if not user_agent:
        return ("no_user_agent",)
    text = user_agent[:_LONGEST]
    signals = []
    if client is not None and client.device_type == "bot":
        signals.append("declared")
    if _WORDS.search(text):
        signals.append("word")
    if _LIBRARIES.search(text):
        signals.append("library")
    if _ADDRESS.search(text):
        signals.append("address")
    if client is not None and client.browser is None and client.os is None and client.device is None:
        signals.append("no_browser")
    return tuple(signals)
