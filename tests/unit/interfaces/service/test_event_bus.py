"""Events reach those who wait for them."""

import asyncio

from provisioning.interfaces.service.event_bus import LIMIT, EventBus


def test_what_a_listener_does_not_want_crowds_nothing_out():
    """However many other events come before it looks."""

    async def listen():
        bus = EventBus()
        bus.attach(asyncio.get_running_loop())
        events = bus.subscribe(lambda shape: shape["is_mine"], lambda: bus.send({"is_mine": True}))
        first = await anext(events)
        bus.send({"is_mine": True, "number": 1})
        for _ in range(2 * LIMIT):
            bus.send({"is_mine": False})
        await asyncio.sleep(0.1)
        return first, await asyncio.wait_for(anext(events), 20)

    assert asyncio.run(listen()) == ({"is_mine": True}, {"is_mine": True, "number": 1})
