"""The small system of my_rag.py as a program: a question a line on stdin, a reply a line on stdout."""

from __future__ import annotations

import json
import sys

from my_rag import answer

for line in sys.stdin:
    question = json.loads(line)
    sys.stdout.write(json.dumps({"id": question["id"], **answer(question)}) + "\n")
    sys.stdout.flush()
