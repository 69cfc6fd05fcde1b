"""The version of the project; pyproject.toml takes it from here."""

VERSION = "0.1.0"
