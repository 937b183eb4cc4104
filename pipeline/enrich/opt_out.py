"""What a browser asked that is not to be tracked: `DNT: 1` or `Sec-GPC: 1`, found in `extra` where a log has them.

Formats keep headers that they do not know under the log's own name, so any name that ends with the header's counts.
Whether it matters is the setting `opt_out`, which the models read. Sources: W3C's Tracking Preference Expression, and
Global Privacy Control.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

_ANY = r"(?i)dnt|do[-_]not[-_]track|gpc"
# A member of a JSON object whose value is 1; within a text its quotes would stand behind backslashes. A header's values
# may be a list, as Caddy writes them; W3C logs have names such as cs(DNT).
_SAYS_ONE = r'\)?"\s*:\s*\[?\s*(?:1|"1")\s*[\],}]'
_ASKED = {
    "dnt": r'(?i)["_(.-](?:dnt|do[-_]not[-_]track)' + _SAYS_ONE,
    "gpc": r'(?i)["_(.-]gpc' + _SAYS_ONE,
}


def find_opt_outs(extra: pa.Array) -> pa.Array:
    """Find what browsers asked in values of `extra`.

    Args:
        extra: JSON objects as texts.

    Returns:
        As many texts: `dnt`, `gpc` or `dnt,gpc`; null where neither header is there and says 1.
    """
    if not len(extra) or not pc.any(pc.match_substring_regex(extra, _ANY)).as_py():
        return pa.nulls(len(extra), pa.string())
    dnt, gpc = (pc.fill_null(pc.match_substring_regex(extra, pattern), fill_value=False) for pattern in _ASKED.values())
    one = pc.if_else(dnt, "dnt", pc.if_else(gpc, "gpc", pa.scalar(None, pa.string())))
    return pc.if_else(pc.and_(dnt, gpc), "dnt,gpc", one)
