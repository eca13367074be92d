"""The command line: index documents with live progress, search them. May import every other layer.

Nothing is imported here, so that `sideband --help` answers at once.
"""
