"""websocat ws://... tcp-listen:HOST:PORT --text, for machines without websocat: each read of the
one TCP connection is a text message, and the bytes of each message are written to it.
"""

import asyncio
import sys

import websockets


async def to_websocket(reader, websocket):
    while data := await reader.read(65536):
        await websocket.send(data.decode())


async def from_websocket(websocket, writer):
    async for message in websocket:
        writer.write(message if isinstance(message, bytes) else message.encode())
        await writer.drain()


async def main(url, listen):
    _, host, port = listen.split(":")
    accepted = asyncio.get_running_loop().create_future()
    server = await asyncio.start_server(
        lambda *streams: accepted.done() or accepted.set_result(streams), host, int(port))
    reader, writer = await accepted
    server.close()
    async with websockets.connect(url) as websocket:
        done, _ = await asyncio.wait(
            [asyncio.ensure_future(to_websocket(reader, websocket)),
             asyncio.ensure_future(from_websocket(websocket, writer))],
            return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()


if __name__ == "__main__":
    if sys.argv[3:] != ["--text"]:
        sys.exit("usage: websocat URL tcp-listen:HOST:PORT --text")
    asyncio.run(main(*sys.argv[1:3]))
