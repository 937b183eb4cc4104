"""One block of lines to columns: the fast path for what it can vouch for, the exact path for the rest, in order.

Which file the block is of, and whether its lines were seen before, does not belong here.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pipeline.formats import Format, TextFormat
from pipeline.ingest import fast_json, fast_text
from pipeline.ingest.blocks import Block
from pipeline.ingest.columns import ParsedLines, line_table, rows_table
from pipeline.ingest.exact_path import read_lines


def parse_block(block: Block, known: Format | None) -> ParsedLines:
    """Parse a block.

    Args:
        block: whole lines.
        known: their format; None where none was found, and then every line is rejected.

    Returns:
        Kept lines as columns in the order of the lines, rejected lines with their reason, and the count of blank ones.
        The three sum to the block's lines.
    """
    blank = block.blank()
    skip = blank | block.needing_care()
    if known is None:
        parsed, care = line_table({}, 0), ~skip
    elif isinstance(known, TextFormat):
        parsed, care = fast_text.read_block(block, known, skip)
    else:
        parsed, care = fast_json.read_block(block, known, skip)
    rows, rejected = read_lines(block, np.flatnonzero((care | skip) & ~blank).tolist(), known)
    if rows:
        parsed = pa.concat_tables([parsed, rows_table(rows)]).unify_dictionaries()
        parsed = parsed.take(pa.array(np.argsort(parsed["line_offset"].to_numpy(), kind="stable")))
    return ParsedLines(parsed, rejected, int(blank.sum()))
