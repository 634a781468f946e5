"""The system that takes webhooks in stories: it sees through a forged one, and can be away and come back."""

import httpx
import pytest

from hardware_sim.portal.webhooks.webhooks import new_secret, signed
from hardware_sim.stories.receiver import Receiver

BODY = b'{"type": "granted"}'


async def test_it_knows_who_signed_and_comes_back_on_its_port() -> None:
    receiver = Receiver(secret=new_secret(), answer="418 Teapot")
    await receiver.start()
    port = receiver.port
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        for secret in (receiver.secret, new_secret()):
            assert (await client.post("/", content=BODY, headers=signed(secret, "m", 1, BODY))).status_code == 418
        await receiver.stop()
        with pytest.raises(httpx.ConnectError):
            await client.post("/", content=BODY)
        await receiver.start()
        tampered = signed(receiver.secret, "m", 1, BODY) | {"webhook-timestamp": "2"}
        await client.post("/", content=BODY, headers=tampered)
    await receiver.stop()
    assert [one.genuine for one in receiver.told("granted")] == [True, False, False]
    assert receiver.port == port
