"""The peer of `benchmarks.services`: the `openai` package asks a server so many questions, at most 64 at once.

python -m benchmarks.openai_client URL QUESTIONS
"""

from __future__ import annotations

import asyncio
import sys

from openai import AsyncOpenAI


async def ask_all(url: str, questions: int, at_once: int = 64) -> int:
    """Ask every question and return how many were answered rightly."""
    allowed = asyncio.Semaphore(at_once)
    async with AsyncOpenAI(base_url=url, api_key="none", max_retries=8) as client:

        async def ask(number: int) -> bool:
            async with allowed:
                turn = {"role": "user", "content": f"What is {number}?"}
                answer = await client.chat.completions.create(model="m", messages=[turn], max_tokens=16, temperature=0)  # type: ignore[list-item]
                return answer.choices[0].message.content == str(number)

        return sum(await asyncio.gather(*map(ask, range(questions))))


if __name__ == "__main__":
    sys.stdout.write(f"{asyncio.run(ask_all(sys.argv[1], int(sys.argv[2])))}\n")
