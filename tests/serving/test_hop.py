import asyncio
import gc
import threading
import time
import weakref
from typing import Any

import pytest

from serving.hop import Hop


def test_work_is_done_in_other_threads_no_more_than_allowed_and_its_results_come_back() -> None:
    inside, most = 0, 0
    lock = threading.Lock()

    def square(number: int) -> int:
        nonlocal inside, most
        assert threading.current_thread() is not threading.main_thread()
        with lock:
            inside += 1
            most = max(most, inside)
        time.sleep(0.01)
        with lock:
            inside -= 1
        return number * number

    async def main(hop: Hop) -> list[int]:
        return await asyncio.gather(*(hop.run(square, number) for number in range(20)))

    hop = Hop("test", lambda: 3)
    for _ in range(2):  # event loops come and go
        assert asyncio.run(main(hop)) == [number * number for number in range(20)]
    assert most == 3


def test_what_the_work_raises_comes_back_and_the_threads_live_on() -> None:
    hop = Hop("test", lambda: 1)

    async def main() -> None:
        with pytest.raises(ZeroDivisionError):
            await hop.run(divmod, 1, 0)
        assert await hop.run(divmod, 7, 2) == (3, 1)

    asyncio.run(main())


def test_who_does_not_wait_any_more_disturbs_nobody() -> None:
    hop = Hop("test", lambda: 1)
    go = threading.Event()

    async def main() -> None:
        given_up = hop.run(go.wait, 10)
        given_up.cancel()
        go.set()
        assert await hop.run(divmod, 7, 2) == (3, 1)

    asyncio.run(main())
    go.clear()

    async def leave() -> None:
        hop.run(go.wait, 10)

    asyncio.run(leave())  # this loop is closed before the work is done
    go.set()
    assert asyncio.run(_ask(hop)) == (3, 1)


async def _ask(hop: Hop) -> Any:
    return await hop.run(divmod, 7, 2)


def test_nothing_of_a_request_is_kept_by_an_idle_thread() -> None:
    class Body: ...

    hop = Hop("test", lambda: 1)
    body = Body()
    kept = weakref.ref(body)

    async def main(body: Body) -> None:
        await hop.run(id, body)

    asyncio.run(main(body))
    del body
    end = time.monotonic() + 10
    while kept() is not None and time.monotonic() < end:
        gc.collect()
        time.sleep(0.01)
    assert kept() is None
