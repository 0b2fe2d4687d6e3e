"""Errors of the client of Beam's job servers, as messages. Those of an engine that dies: `test_on_an_engine`."""

from __future__ import annotations

import pytest

from components.beam_faults import explain_beam
from components.errors import describe_failure

pytestmark = pytest.mark.slow  # imports Beam

TRACEBACK = """Error running pipeline.
Traceback (most recent call last):
  File "worker.py", line 1, in process
ValueError: no such headline [while running 'Read']
"""


def failed_job(text: str = TRACEBACK) -> Exception:
    """As the client raises it, of a job whose server told it so."""
    from apache_beam.portability.api import beam_job_api_pb2 as api
    from apache_beam.runners.portability.portable_runner import PipelineResult

    error = api.JobMessage(importance=api.JobMessage.JOB_MESSAGE_ERROR, message_text=text)
    messages = [api.JobMessagesResponse(message_response=error)]
    with pytest.raises(RuntimeError) as caught:
        states = [api.JobStateEvent(state=api.JobState.FAILED)]
        PipelineResult(None, "job-1", iter(messages), iter(states)).wait_until_finish()
    return caught.value


def test_a_step_that_fails_is_named():
    code, message = describe_failure(failed_job())
    assert code == 1
    assert message.startswith(
        "A Beam job must succeed. Received: ValueError: no such headline [while running 'Read']. The engine's and"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("java.net.ConnectException: finishConnect(..) failed", "Beam's engine must reach its workers. Received: "),
        ("TimeoutException: Timeout has occurred: 60000 ms", "Beam's engine must have free slots. Received: "),
        ("IOException: Insufficient number of network buffers: required 512", "Flink must have network buffers for a"),
        ("io.grpc.StatusRuntimeException: CANCELLED: client cancelled", "Beam's workers must live until a job ends."),
    ],
)
def test_what_flink_says_of_workers(text, expected):
    assert describe_failure(failed_job(text))[1].startswith(expected)


def test_it_is_found_behind_what_was_raised_from_it():
    try:
        try:
            raise failed_job()
        except RuntimeError as error:
            raise KeyError("outer") from error
    except KeyError as outer:
        assert describe_failure(outer)[1].startswith("A Beam job must succeed.")


def test_a_job_server_that_never_answers_is_said():
    from apache_beam import Create, Pipeline
    from apache_beam.options.pipeline_options import PipelineOptions
    from grpc import FutureTimeoutError

    from tests.helpers.beam_engine import free_port

    flags = ["--runner=PortableRunner", f"--job_endpoint=localhost:{free_port()}", "--job_server_timeout=1"]
    flags += ["--environment_type=EXTERNAL", "--environment_config=localhost:1"]
    with pytest.raises(FutureTimeoutError) as caught, Pipeline(options=PipelineOptions(flags)) as pipeline:
        _ = pipeline | Create([0])
    code, message = describe_failure(caught.value)
    assert code == 1
    assert message.startswith(
        "Beam's job server must answer. Received: nothing. Start it, or correct beam.job_endpoint."
    )


def test_other_errors_are_not_its_own():
    import apache_beam.runners.portability.portable_runner  # noqa: F401
    import grpc

    for error in (ValueError("x"), grpc.RpcError("another server's"), grpc.FutureTimeoutError()):
        assert explain_beam(error) is None
