"""Both clients over both transports: order, size of calls, calls in flight, retries, versions."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from serving.client import AsyncClient, Client, ClientOptions, Retry, ServingError
from serving.client.channel import channel_options
from tests.serving.client.fakes import FakeModel, Fault, grpc_server, score
from tests.serving.client.proxy import Limit, refusing_proxy

TEXTS = [f"{'word ' * (number * 7 % 13)}{number} ü 中" for number in range(100)]


class Awaited:
    """An AsyncClient that is used like a Client."""

    def __init__(self, **arguments):
        self._arguments = arguments

    def __getattr__(self, name):
        async def call(*arguments):
            async with AsyncClient(**self._arguments) as client:
                return await getattr(client, name)(*arguments)

        return lambda *arguments: asyncio.run(call(*arguments))

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass


@pytest.fixture(params=[Client, Awaited])
def connect(request):
    return request.param


@pytest.mark.parametrize("rows_per_call", [1, 7, 100, 512])
def test_scores_stand_in_the_order_of_the_texts(connect, options, rows_per_call):
    with connect(options=options, rows_per_call=rows_per_call) as client:
        assert client.predict(TEXTS) == [score(text) for text in TEXTS]


def test_each_call_has_texts_of_about_one_length_and_no_more_than_asked(connect, options, model):
    with connect(options=options, rows_per_call=30, calls_in_flight=1) as client:
        client.predict(TEXTS)
    assert [len(call) for call in model.calls] == [30, 30, 30, 10]
    lengths = [len(text.encode()) for call in model.calls for text in call]
    assert lengths == sorted(lengths, reverse=True)


def test_a_score_in_the_band_has_no_class(connect, options):
    below, within, above = sorted(["a", "bb", "ccc"], key=score)
    with connect(options=options, unsure=(score(within), score(above))) as client:
        assert client.classify([above, below, within]) == ["clickbait", "news", "unsure"]
    with connect(options=options) as client:
        names = ["clickbait" if score(text) > 0.5 else "news" for text in (above, below)]
        assert client.classify([above, below]) == names


@pytest.mark.parametrize("unsure", [(0.8, 0.3), (0.1,), (-1, 0.5), (0.5, 2)])
def test_a_band_is_two_scores_in_order(unsure):
    with pytest.raises(ServingError):
        Client(unsure=unsure)


def test_no_texts_cost_no_call(connect, options, model):
    with connect(options=options) as client:
        assert client.predict([]) == []
    assert model.calls == []


@pytest.mark.parametrize("most", [1, 3])
def test_calls_in_flight_are_bounded(connect, options, model, most):
    model.delay_s = 0.01
    with connect(options=options, rows_per_call=5, calls_in_flight=most) as client:
        client.predict(TEXTS)
    assert model.most_at_once == most


def test_chunks_keep_their_order_and_calls_fly_across_their_ends(options, model):
    model.delay_s = 0.01
    chunks = [TEXTS[:10], [], TEXTS[10:35], TEXTS[35:36], []]
    with Client(options=options, rows_per_call=10) as client:
        scored = list(client.predict_chunks(chunks))
    assert scored == [[score(text) for text in chunk] for chunk in chunks]
    assert model.most_at_once > 1


def test_chunks_are_read_only_as_far_as_calls_fly(options):
    read = []

    def chunks():
        for number in range(50):
            read.append(number)
            yield [f"text {number}"]

    with Client(options=options, calls_in_flight=2) as client:
        scored = client.predict_chunks(chunks())
        next(scored)
        assert len(read) <= 4
        scored.close()


def test_a_message_may_be_larger_than_four_mebibytes(connect, options):
    texts = ["x" * 3_000_000, "y" * 3_000_000]
    with connect(options=options) as client:
        assert client.predict(texts) == [score(text) for text in texts]


def test_an_answer_may_be_larger_than_four_mebibytes(connect, target, model):
    model.padding_bytes = 6_000_000
    with connect(target=target) as client:
        assert client.predict(["a"]) == [score("a")]


@pytest.mark.parametrize("texts", [["a", "b"], ["x" * 1_000_000]], ids=["small", "above gRPC's retry buffer"])
def test_unavailable_is_tried_again(connect, options, model, texts):
    model.faults.extend([Fault("UNAVAILABLE", "draining")] * 2)
    with connect(options=options) as client:
        assert client.predict(texts) == [score(text) for text in texts]


@pytest.mark.parametrize("code", ["INTERNAL", "RESOURCE_EXHAUSTED", "INVALID_ARGUMENT"])
def test_nothing_else_is_tried_again(connect, options, model, code):
    model.faults.append(Fault(code, "once"))
    with connect(options=options) as client, pytest.raises(ServingError) as raised:
        client.predict(["a"])
    assert raised.value.code == code
    assert model.calls == []


@pytest.mark.parametrize("rows_per_call", [100, 1])
@pytest.mark.parametrize("text", ["", "Server Threadpool Exhausted", "Concurrent RPC limit exceeded!"])
def test_a_server_short_of_threads_is_asked_until_it_answers(connect, options, model, rows_per_call, text):
    """By build, TF Serving refuses a call with an empty text or gRPC's while all its threads are busy."""
    model.faults.extend([Fault("RESOURCE_EXHAUSTED", text)] * 20)
    with connect(options=options, rows_per_call=rows_per_call, retry=Retry(2, 0.005, 0.02)) as client:
        assert client.predict(TEXTS) == [score(text) for text in TEXTS]
    assert not model.faults


@pytest.mark.parametrize("rows_per_call", [100, 1])
def test_a_server_short_of_threads_is_asked_until_the_deadline(connect, options, model, rows_per_call):
    model.faults.extend([Fault("RESOURCE_EXHAUSTED", "")] * 100_000)
    began = time.monotonic()
    with (
        connect(options=options, rows_per_call=rows_per_call, timeout_s=1.5, retry=Retry(2, 0.005, 0.02)) as client,
        pytest.raises(ServingError, match="thread for each call.*grpc_max_threads=64|within 1.5 s"),
    ):
        client.predict(TEXTS)
    assert time.monotonic() - began >= 1.2
    assert len(model.faults) < 100_000 - 5


def test_without_retries_a_server_short_of_threads_is_asked_once(connect, options, model):
    model.faults.append(Fault("RESOURCE_EXHAUSTED", ""))
    with connect(options=options, rows_per_call=1, retry=Retry(attempts=1)) as client, pytest.raises(ServingError):
        client.predict(["a"])
    model.faults.append(Fault("RESOURCE_EXHAUSTED", ""))
    with connect(options=options, rows_per_call=1, retry=Retry(attempts=1)) as client, pytest.raises(ServingError):
        client.predict(["a", "b"])


@pytest.mark.parametrize("rows_per_call", [100, 10])
def test_many_callers_share_a_server_with_a_single_thread(target, model, rows_per_call):
    model.delay_s = 0.002

    async def run(options):
        async with AsyncClient(options=options) as client:
            assert (await client.wait_until_ready(10)).version == 3
            return await asyncio.gather(*(client.predict(TEXTS) for _ in range(4)))

    with refusing_proxy(target, Limit(1)) as short_target:
        options = ClientOptions(short_target, rows_per_call=rows_per_call, retry=Retry(4, 0.005, 0.05))
        with Client(options=options) as client, ThreadPoolExecutor(4) as callers:
            assert client.wait_until_ready(10).version == 3
            assert list(callers.map(client.predict, [TEXTS] * 4)) == [[score(text) for text in TEXTS]] * 4
        assert asyncio.run(run(options)) == [[score(text) for text in TEXTS]] * 4


def test_retries_end(connect, options, model):
    model.faults.extend([Fault("UNAVAILABLE", "draining")] * 3)
    with (
        connect(options=options, retry=Retry(attempts=2, first_pause_s=0.01)) as client,
        pytest.raises(ServingError, match="draining"),
    ):
        client.predict(["a"])
    assert len(model.faults) == 1


def test_one_failed_call_fails_the_whole_and_leaves_the_client_usable(options, model):
    model.faults.append(Fault("INTERNAL", "boom"))

    async def run():
        async with AsyncClient(options=options, rows_per_call=1, calls_in_flight=2) as client:
            with pytest.raises(ServingError, match="boom"):
                await client.predict(TEXTS)
            return await client.predict(TEXTS)

    assert asyncio.run(run()) == [score(text) for text in TEXTS]
    model.faults.append(Fault("INTERNAL", "boom"))
    with Client(options=options, rows_per_call=1, calls_in_flight=2) as client:
        with pytest.raises(ServingError, match="boom"):
            client.predict(TEXTS)
        assert client.predict(TEXTS) == [score(text) for text in TEXTS]


def test_the_deadline_is_kept(connect, options, model):
    model.delay_s = 4
    began = time.monotonic()
    with connect(options=options, timeout_s=0.2) as client, pytest.raises(ServingError) as raised:
        client.predict(["a"])
    assert raised.value.code == "DEADLINE_EXCEEDED"
    assert time.monotonic() - began < 3.5


def test_a_cancelled_predict_gives_its_places_back(options, model):
    model.delay_s = 0.05

    async def run():
        async with AsyncClient(options=options, rows_per_call=1, calls_in_flight=2) as client:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(client.predict(TEXTS), 0.12)
            return await asyncio.wait_for(client.predict(["a", "b", "c"]), 5)

    assert asyncio.run(run()) == [score("a"), score("b"), score("c")]


def test_threads_share_a_client(options):
    found = {}
    with Client(options=options, rows_per_call=9) as client:
        threads = [threading.Thread(target=lambda n=n: found.update({n: client.predict(TEXTS[n:])})) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == {n: [score(text) for text in TEXTS[n:]] for n in range(8)}


def test_version_label_and_signature_are_sent(connect, options, model):
    with connect(options=options, version=3) as client:
        client.predict(["a"])
    with connect(options=options, label="stable", signature="serving_examples") as client:
        assert client.predict(["ü"]) == [score("ü")]
    first, second = model.specs
    assert (first.version.value, first.signature_name) == (3, "serving_default")
    assert (second.version_label, second.signature_name) == ("stable", "serving_examples")


def test_status_and_metadata(connect, options):
    with connect(options=options) as client:
        assert [(one.version, one.state) for one in client.status()] == [(3, "AVAILABLE"), (1, "END")]
        metadata = client.metadata()
    assert (metadata.model, metadata.version) == ("clickbait", 3)
    signature = metadata.signatures["serving_default"]
    assert signature.describe_inputs() == "title: string [-1]"
    assert {name: str(info) for name, info in signature.outputs.items()} == {"probability": "float [-1, 1]"}
    with connect(options=options, version=1) as client:
        assert [one.version for one in client.status()] == [1]


@pytest.mark.parametrize("texts", ["one text", b"bytes", ["a", 7], ["a", None], ["half a pair \ud800"]])
def test_what_is_no_list_of_texts_is_refused_without_a_call(connect, options, model, texts):
    with connect(options=options) as client, pytest.raises(ServingError, match="Received") as raised:
        client.predict(texts)
    assert raised.value.exit_code == 2
    assert model.calls == []


def test_waiting_for_a_model_that_loads(connect, options, model):
    model.versions = {1: "LOADING"}
    threading.Timer(0.4, model.versions.update, [{1: "AVAILABLE"}]).start()
    with connect(options=options) as client:
        assert client.wait_until_ready(10).version == 1


def test_waiting_for_a_server_that_starts(connect, model):
    with grpc_server(model) as port:
        pass
    started = threading.Event()

    def serve():
        time.sleep(0.5)
        with grpc_server(model, port=port):
            started.wait(20)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with connect(target=f"localhost:{port}", wait_for_ready=True) as client:
            assert client.predict(["a"]) == [score("a")]
            assert client.wait_until_ready(10).version == 3
    finally:
        started.set()
        thread.join()


def test_waiting_ends_and_says_what_for(connect, options, model):
    model.versions = {1: "LOADING"}
    with connect(options=options) as client, pytest.raises(ServingError, match="LOADING"):
        client.wait_until_ready(0.3)


def test_the_addresses_of_a_resolved_target_share_the_calls():
    models = FakeModel(), FakeModel()
    with grpc_server(models[0]) as one, grpc_server(models[1]) as two:
        target = f"ipv4:127.0.0.1:{one},127.0.0.1:{two}"
        with Client(target, rows_per_call=1) as client:
            for _ in range(20):
                client.predict(TEXTS[:2])
    assert all(len(model.calls) > 10 for model in models)


def test_a_bare_name_is_one_server_and_dns_many():
    config = {
        name: dict(channel_options(ClientOptions(target=name)))["grpc.service_config"] for name in ("a:1", "dns:///a:1")
    }
    assert "round_robin" not in config["a:1"]
    assert "round_robin" in config["dns:///a:1"]


def test_pings_are_as_rare_as_servers_ask_and_messages_of_any_size():
    found = dict(channel_options(ClientOptions()))
    assert found["grpc.keepalive_time_ms"] > 300_000
    assert found["grpc.max_receive_message_length"] == found["grpc.max_send_message_length"] == -1
    assert json.loads(found["grpc.service_config"])["methodConfig"][0]["retryPolicy"] == {
        "maxAttempts": 4,
        "initialBackoff": "0.1s",
        "maxBackoff": "2.0s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }


def test_options_are_merged(options):
    with Client("elsewhere:1", options=options, rest=False, model="other") as client:
        assert client.options == dataclasses.replace(options, target="elsewhere:1", rest=False, model="other")
    with pytest.raises(ServingError, match="rows_per_call"):
        Client(rows_per_cal=3)
