"""What the pages that people open are made of: assets with their licences, templates that escape, and charts."""

from __future__ import annotations
