"""The least a durable submit can be: FastAPI, one committed INSERT, nothing else; and a route that answers a constant.

It reads the same body into the same kind of row as the job history does, on SQLite with the same settings.
"""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import msgspec
import uvicorn
from fastapi import FastAPI, Request
from sqlalchemy import Column, Integer, MetaData, String, Table, Text, create_engine, event, insert
from sqlalchemy.ext.asyncio import create_async_engine

from commons.database.sqlite import LOCK_MS, PRAGMAS

ROW = Table(
    "job",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("user", String(50)),
    Column("code", Text),
    Column("labels", Text),
)


def application(folder: Path) -> FastAPI:
    ROW.metadata.create_all(create_engine(f"sqlite:///{folder}/bare.db"))
    engine = create_async_engine(f"sqlite+aiosqlite:///{folder}/bare.db", pool_size=1, max_overflow=0)  # one writer

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: object, _record: object) -> None:
        cursor = connection.cursor()  # type: ignore[attr-defined]
        for pragma in (*PRAGMAS, f"busy_timeout={LOCK_MS}"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    app = FastAPI()

    @app.post("/submit")
    async def submit(request: Request) -> dict[str, object]:
        body = msgspec.json.decode(await request.body())
        labels = body["labels"]
        values = {"user": labels["userCreator"], "code": body["executionContent"]["code"], "labels": str(labels)}
        async with engine.begin() as tx:
            inserted = await tx.execute(insert(ROW).values(values))
        return {"status": 0, "data": {"taskID": inserted.inserted_primary_key[0]}}

    @app.get("/constant")
    async def constant() -> dict[str, object]:
        return {"method": "/api/entrance/1/status", "status": 0, "message": "OK", "data": {"status": "Running"}}

    return app


def main() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()  # who reads the address may ask at once
        print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
        uvicorn.Server(uvicorn.Config(application(Path(sys.argv[1])), access_log=False, log_config=None)).run(
            sockets=[listening]
        )


if __name__ == "__main__":
    main()
