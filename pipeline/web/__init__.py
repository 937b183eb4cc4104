"""The support page in a browser: who is signed in, what they may see, and the shell that keeps it safe.

What a look-up finds is in `lookup`; nothing here reads a table by itself.
"""
