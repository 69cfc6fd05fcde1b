"""From photos to a tuned classifier: conversion and training put together."""

import engine  # noqa: F401  (before others load TensorFlow)
