"""TFRecord files against TensorFlow's own reader and writer."""

from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.protocol import records
from serving.protocol.records import RecordError, frame, read_records

RECORDS = [b"", b"\0", b"abc" * 1000, bytes(range(256))]


def test_tensorflow_reads_what_is_written_and_the_other_way_round(tmp_path):
    import tensorflow as tf

    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.write_bytes(b"".join(map(frame, RECORDS)))
    assert list(tf.data.TFRecordDataset(str(ours)).as_numpy_iterator()) == RECORDS
    with tf.io.TFRecordWriter(str(theirs)) as writer:
        for record in RECORDS:
            writer.write(record)
    assert theirs.read_bytes() == ours.read_bytes()
    with theirs.open("rb") as stream:
        assert list(read_records(stream)) == RECORDS


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=4), st.data())
def test_a_file_that_was_cut_is_read_up_to_the_last_whole_record(whole, data):
    ends = [sum(map(len, map(frame, whole[:count]))) for count in range(len(whole) + 1)]
    size = data.draw(st.integers(0, ends[-1]))
    read, torn = [], False
    try:
        for record in read_records(io.BytesIO(b"".join(map(frame, whole))[:size])):
            read.append(record)
    except RecordError as error:
        torn = error.torn
    assert read == whole[: sum(end <= size for end in ends) - 1]
    assert torn == (size not in ends)


def test_a_record_that_claims_a_terabyte_is_refused_before_it_is_read():
    with pytest.raises(RecordError, match="1,099,511,627,776 bytes, more than that of any request"):
        list(read_records(io.BytesIO(_head(1 << 40) + b"text")))


def _head(size: int) -> bytes:
    length = struct.pack("<Q", size)
    return length + records._checksum(length)


@given(st.binary(min_size=1, max_size=40), st.data())
def test_a_changed_byte_is_noticed(record, data):
    content = bytearray(frame(record))
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(RecordError) as found:
        list(read_records(io.BytesIO(bytes(content))))
    assert not found.value.torn
