"""How a service is asked: how many requests at once, when again, and when no more; asyncio is imported with `answers`.

`pacing` finds how many requests may be open, `breaker` when a service is gone, `backoff` how long to wait; none of them
knows a clock or a loop. `attempts` sends requests from an event loop, and `answers` is that loop's thread seen from outside.
"""
