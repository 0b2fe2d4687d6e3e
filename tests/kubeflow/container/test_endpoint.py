"""The store of a standard installation is found by the first of its addresses that answers."""

from __future__ import annotations

import os
import socket

import pytest

from kubeflow.container.endpoint import ENDPOINTS, choose_endpoint

GONE = "http://seaweedfs.kubeflow.invalid:9000"


@pytest.fixture
def listening():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def choose(monkeypatch):
    def choose(**environ: str) -> str | None:
        monkeypatch.setattr(os, "environ", environ)
        choose_endpoint()
        return environ.get("AWS_ENDPOINT_URL")

    return choose


def test_the_first_that_answers_is_taken(choose, listening):
    assert choose(**{ENDPOINTS: f"{GONE} {listening} {GONE}"}) == listening
    assert choose(**{ENDPOINTS: f"{listening} {GONE}"}) == listening


def test_where_none_answers_it_is_the_last(choose):
    assert choose(**{ENDPOINTS: f"{GONE} http://minio-service.invalid:9000"}) == "http://minio-service.invalid:9000"


def test_an_address_that_is_set_stays_and_without_any_there_is_none(choose, listening):
    assert choose(**{ENDPOINTS: listening, "AWS_ENDPOINT_URL": "https://mine"}) == "https://mine"
    assert choose() is None
    assert choose(**{ENDPOINTS: " "}) is None
