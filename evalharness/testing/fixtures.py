"""Pytest fixtures for authors of plugins."""
