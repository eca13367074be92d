"""This project."""

TITLE = "Sideband"
DISTRIBUTION = ""
