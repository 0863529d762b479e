"""How a service is asked: how many requests at once, when again, and when no more.

`pacing` finds how many requests may be open, `breaker` tells when a service is gone, `backoff` how long to wait; `schedule`
makes of them what is sent next. None of these knows a clock or an event loop. `attempts` sends requests from a loop, and
`answers` is that loop's thread seen from outside; asyncio is imported with these two, when a service is asked.
"""
