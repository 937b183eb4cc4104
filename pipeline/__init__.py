"""What Trail does, in plain Python, pyarrow and DuckDB; it never imports the orchestrator.

The rooms, in the order in which a line passes them: settings, schemas, formats, ingest, enrich, warehouse, models,
people, lookup. A later room may use an earlier one, never the reverse.
"""

from pipeline.warehouse import connect

__all__ = ["connect"]
