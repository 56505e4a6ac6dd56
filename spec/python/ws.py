"""WebSocket scenarios, played by the package websockets: ws.py SCENARIO URL (that of the routes in echo_routes.lua).

Exit code 0 means that it went as expected."""

import asyncio
import json
import random
import sys
import urllib.request

import websockets
from websockets.exceptions import ConnectionClosed, InvalidStatusCode
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

PATIENCE = 60  # seconds


def connect(base, path, **options):
    return websockets.connect(base.replace("http", "ws", 1) + path, **options)


def seen(base):
    return json.load(urllib.request.urlopen(base + "seen", timeout=PATIENCE))


async def until(ask, what):
    for _ in range(400):
        if ask():
            return
        await asyncio.sleep(0.025)
    raise AssertionError(f"waited in vain for {what}")


async def echo(base):
    async with connect(base, "echo") as ws:
        for text in ["hi", "", "Grüße, 世界", "x" * 126, "x" * 65536]:
            await ws.send(text)
            assert await ws.recv() == text
        for size in [0, 125, 126, 65535, 65536, 1000000]:
            await ws.send(bytes(size))
            assert await ws.recv() == bytes(size)
    assert ws.close_code == 1000


async def fragments(base):
    async def pieces():
        for i in range(200):
            yield f"piece {i} "
            await asyncio.sleep(0)

    async with connect(base, "echo") as ws:
        await ws.send(pieces())
        assert await ws.recv() == "".join(f"piece {i} " for i in range(200))
        await ws.send([b"one", b"", b"two"])
        assert await ws.recv() == b"onetwo"


async def ping(base):
    async with connect(base, "echo", ping_interval=0.02, ping_timeout=PATIENCE) as ws:
        for _ in range(20):
            await (await ws.ping())
        await (await ws.ping(b"x" * 125))
        await ws.send("ping me")  # websockets answers, and goes on
        await ws.send("still here")
        assert await ws.recv() == "still here"


async def subprotocol(base):
    async with connect(base, "proto", subprotocols=["unknown", "chat.v1", "chat.v2"]) as ws:
        assert ws.subprotocol == "chat.v2"
        assert await ws.recv() == "chat.v2"
    async with connect(base, "proto", subprotocols=["unknown"]) as ws:
        assert ws.subprotocol is None
        assert await ws.recv() == "none"


async def refused(base):
    for path, options, status in [
        ("nowhere", {}, 404),
        ("echo", {"origin": "https://elsewhere.example"}, 403),
    ]:
        try:
            async with connect(base, path, **options):
                raise AssertionError("it was opened")
        except InvalidStatusCode as error:
            assert error.status_code == status, error


async def close_by_client(base):
    async with connect(base, "echo") as ws:
        await ws.close(4000, "bye")
        assert ws.close_code == 4000
    await until(lambda: {"code": 4000, "reason": "bye"} in seen(base)["closes"], "the session's close")


async def close_by_server(base):
    for text, code, reason in [
        ("close 4001 grüß dich", 4001, "grüß dich"),
        ("return", 1000, ""),
        ("raise", 1011, ""),
    ]:
        async with connect(base, "echo") as ws:
            await ws.send(text)
            try:
                await ws.recv()
                raise AssertionError("a message came instead of a close")
            except ConnectionClosed as closed:
                assert (closed.rcvd.code, closed.rcvd.reason) == (code, reason), closed
                assert not closed.rcvd_then_sent or closed.sent.code == code


async def lost(base):
    ws = await connect(base, "echo")
    await ws.send("hi")
    await ws.recv()
    ws.transport.abort()
    await until(lambda: any(close["code"] == 1006 for close in seen(base)["closes"]), "a 1006")


async def room(base):
    async with connect(base, "room") as ann:
        assert await ann.recv() == "User joined (1 online)"
        async with connect(base, "room") as bob:
            assert await bob.recv() == "User joined (2 online)"
            assert await ann.recv() == "User joined (2 online)"
            await ann.send("ann: hello")
            assert await ann.recv() == await bob.recv() == "Message: ann: hello"
            await bob.send("bob: hello")
            assert await ann.recv() == await bob.recv() == "Message: bob: hello"
        assert await ann.recv() == "User left (1 online)"


async def deflate(base):
    settings = [
        {},
        {"server_no_context_takeover": True},
        {"client_no_context_takeover": True},
        {"server_max_window_bits": 9, "client_max_window_bits": 10},
        {"server_max_window_bits": 15, "client_max_window_bits": True},
        {"server_no_context_takeover": True, "client_no_context_takeover": True, "server_max_window_bits": 12},
    ]
    chance = random.Random(7692)
    words = ["alpha ", "beta ", "γάμμα ", "delta ", "🦊 "]
    for path in ["compressed", "takeover", "takeover?bits=9"]:
        for parameters in settings:
            if path == "takeover?bits=9":  # it refuses answers to what it has not asked for
                parameters = {"client_max_window_bits": True, **parameters}
            factory = ClientPerMessageDeflateFactory(**parameters)
            async with connect(base, path, compression=None, extensions=[factory]) as ws:
                assert [extension.name for extension in ws.extensions] == ["permessage-deflate"]
                for i in range(1000):
                    text = "".join(chance.choices(words, k=int(2 ** chance.uniform(0, 8))))
                    message = text if i % 3 else text.encode() + chance.randbytes(20)
                    await ws.send(message)
                    assert await ws.recv() == message


async def many(base):
    async def one(number):
        async with connect(base, "echo", open_timeout=PATIENCE) as ws:
            for i in range(5):
                await ws.send(f"{number} {i}")
                assert await ws.recv() == f"{number} {i}"

    await asyncio.gather(*(one(number) for number in range(100)))
    await until(lambda: seen(base)["open"] == 0, "the end of all sessions")


if __name__ == "__main__":
    asyncio.run(asyncio.wait_for(globals()[sys.argv[1]](sys.argv[2]), PATIENCE))
