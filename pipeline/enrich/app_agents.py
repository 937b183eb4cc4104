"""User agents of apps: `App/3.2 (iPhone; iOS 18.1)`, or an app's name before what a phone's library calls itself.

Browsers, and libraries by themselves, are the engine's. Whose app it is, or whether a bot's, is not decided here.
"""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import unquote

from pipeline.enrich.user_agents import Client

# What the engine says of an app that it does not know: the system's own web view or library, or nothing.
_NO_APP = frozenset(
    (None, "Mobile Safari UI/WKWebView", "Android", "Apple Mail", "okhttp", "CFNetwork", "Mobile Safari", "Dalvik")
)
_APP = re.compile(r"(?P<name>[^\s/();,:][^/();,:]{0,60})/(?P<version>\d[\w.+-]{0,30})(?=[\s(]|$)", re.ASCII)
_BROWSER = re.compile(r"(?:Mozilla|Opera)/", re.ASCII)
_SYSTEM = re.compile(
    r"\b(?P<name>iPadOS|iPhone OS|iOS|watchOS|tvOS|Android|macOS|Windows)[ /]?(?P<version>\d{1,4}(?:\.\d{1,4}){0,3})?",
    re.ASCII,
)
_FAMILY = {"iPadOS": "iOS", "iPhone OS": "iOS", "macOS": "Mac OS X"}
_LIBRARY = re.compile(r"(?:^|\s)(?:CFNetwork|Darwin|Alamofire|okhttp|Dart|Cronet|Dalvik)/", re.ASCII)
_ANDROID_LIBRARY = re.compile(r"\s(?:okhttp|Cronet)/", re.ASCII)
_TABLET = re.compile(r"iPad|\bSM-[TX]\d|\bTab(?:let)?\b", re.ASCII)
_PHONES = frozenset(("iOS", "Android"))


def read_app(text: str, client: Client) -> Client:
    """Say what an app's user agent says, where it is one; no patterns but those that are linear in the text.

    Args:
        text: the user agent, of bounded length.
        client: what the engine says of it.

    Returns:
        With the app as its browser, its version, its system and kind of device; `client` as it is for all others.
    """
    app = _APP.match(text)
    if app is None or _BROWSER.match(text) or _LIBRARY.search(app[0]) or client.device_type == "bot":
        return client
    rest = text[app.end() :]
    system = _SYSTEM.search(rest)
    is_named = client.browser not in _NO_APP
    if system is None and not _LIBRARY.search(rest):
        return client
    named = client if is_named else replace(client, browser=app["name"].strip(), browser_version=app["version"])
    if named.browser is not None and "%" in named.browser:
        named = replace(named, browser=unquote(named.browser))
    if system is not None:
        family = _FAMILY.get(system["name"], system["name"])
        if client.os is None:
            named = replace(named, os=family, os_version=system["version"])
        elif client.os == family and client.os_version is None:
            named = replace(named, os_version=system["version"])
    elif named.os is None and _ANDROID_LIBRARY.search(rest):
        named = replace(named, os="Android")
    if named.os in _PHONES:
        named = replace(named, device_type="tablet" if _TABLET.search(rest) else "mobile")
    return named
