"""DBOS with its SQLite database, to be measured beside Baton; no part of it.

dbos_peer.py after N        prints the milliseconds of N no-op steps in sequence
dbos_peer.py beside N       the same, beside each other
dbos_peer.py killed N MS    each step writes a line to `effects` and sleeps; a second start recovers
"""

import asyncio
import os
import sys
import time

from dbos import DBOS, SetWorkflowID

MODE, N = sys.argv[1], int(sys.argv[2])
PAUSE = int(sys.argv[3]) / 1000 if MODE == "killed" else 0
DBOS(
    config={
        "name": "bench",
        "system_database_url": "sqlite:///dbos.db",
        "run_admin_server": False,
        "log_level": "ERROR",
        "application_version": "v1",
        "executor_id": "local",
    }
)
EFFECTS = os.open("effects", os.O_CREAT | os.O_APPEND | os.O_WRONLY) if MODE == "killed" else -1


@DBOS.step()
def step(i):
    if EFFECTS >= 0:
        os.write(EFFECTS, f"{i}\n".encode())
        time.sleep(PAUSE)
    return i


@DBOS.step()
async def beside(i):
    return i


@DBOS.workflow()
def in_sequence(n):
    for i in range(n):
        step(i)
    return n


@DBOS.workflow()
async def all_at_once(n):
    await asyncio.gather(*[beside(i) for i in range(n)])
    return n


DBOS.launch()
if MODE == "killed":
    with SetWorkflowID("killed-1"):
        DBOS.start_workflow(in_sequence, N).get_result()
else:
    in_sequence(10)
    begun = time.perf_counter()
    if MODE == "after":
        in_sequence(N)
    else:
        asyncio.run(all_at_once(N))
    print(f"{(time.perf_counter() - begun) * 1000:.3f}")
DBOS.destroy()
