"""Plugins of evalharness."""
