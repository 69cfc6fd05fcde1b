"""The files and the page that an evaluation leaves."""
