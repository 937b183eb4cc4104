"""The made-up service *Session Tracker*: its people, what they did for a fortnight, the logs of it, and the truth.

Everything is made of a seed: the same seed gives the same bytes. Nothing here is used by the pipeline itself.
"""

from pipeline.demo.make import DemoPaths, make_demo

__all__ = ["DemoPaths", "make_demo"]
