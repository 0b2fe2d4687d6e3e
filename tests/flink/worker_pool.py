"""Beam's worker pool at one address of this machine: its own listens at all of them, and each task manager has its own.

python -m tests.flink.worker_pool 127.0.0.2:50000
"""

from __future__ import annotations

import atexit
import sys

import grpc
from apache_beam.portability.api import beam_fn_api_pb2_grpc
from apache_beam.runners.worker.worker_pool_main import BeamFnExternalWorkerPoolServicer, kill_process_gracefully
from apache_beam.utils.thread_pool_executor import shared_unbounded_instance


def serve(address: str) -> grpc.Server:
    """Starts workers, each a process of `python`, for whoever asks at an address."""
    pool = BeamFnExternalWorkerPoolServicer(use_process=True)
    server = grpc.server(shared_unbounded_instance())
    beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(pool, server)
    server.add_insecure_port(address)
    server.start()
    atexit.register(lambda: [kill_process_gracefully(worker) for worker in pool._worker_processes.values()])
    return server


if __name__ == "__main__":
    serve(sys.argv[1]).wait_for_termination()
