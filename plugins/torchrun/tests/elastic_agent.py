"""Starts processes with the variables that PyTorch's elastic agent gives its workers.

A stand-in for `torchrun`, which weighs 200 MB: torch/distributed/elastic/agent/server/
local_elastic_agent.py, `_start_workers`, of PyTorch 2.13 is where these come from. As there, all
workers are started anew when one fails, and the rest are told to end.

    elastic_agent.py --nproc-per-node=N [--max-restarts=N] SCRIPT [ARGUMENT …]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--nproc-per-node", type=int, default=1)
    parser.add_argument("--max-restarts", type=int, default=0)
    parser.add_argument("script")
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    for restart in range(given.max_restarts + 1):
        workers = [start(given, rank, restart) for rank in range(given.nproc_per_node)]
        # One after the other: the first failure ends the others.
        codes = [worker.wait() for worker in workers]
        if not any(codes):
            return 0
    return 1


def start(given: argparse.Namespace, rank: int, restart: int) -> subprocess.Popen[bytes]:
    size = str(given.nproc_per_node)
    told = {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "GROUP_RANK": "0",
        "ROLE_RANK": str(rank),
        "ROLE_NAME": "default",
        "LOCAL_WORLD_SIZE": size,
        "WORLD_SIZE": size,
        "GROUP_WORLD_SIZE": "1",
        "ROLE_WORLD_SIZE": size,
        "MASTER_ADDR": "localhost",
        "MASTER_PORT": "29500",
        "TORCHELASTIC_RESTART_COUNT": str(restart),
        "TORCHELASTIC_MAX_RESTARTS": str(given.max_restarts),
        "TORCHELASTIC_RUN_ID": "none",
        "TORCHELASTIC_USE_AGENT_STORE": "True",
        "TORCH_NCCL_ASYNC_ERROR_HANDLING": "1",
    }
    argv = [sys.executable, "-u", given.script, *given.arguments]
    return subprocess.Popen(argv, env=os.environ | told)


if __name__ == "__main__":
    sys.exit(main())
