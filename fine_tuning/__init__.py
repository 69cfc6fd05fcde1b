"""From photos to a tuned classifier: conversion and training put together."""
