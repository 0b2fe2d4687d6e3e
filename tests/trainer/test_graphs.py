"""Products in bfloat16: only inside, only where asked, and only of what is rewritten."""

import numpy as np
import pytest
import tensorflow as tf

from trainer.precision import matrix_products, multiplies_bfloat16

A = tf.random.stateless_uniform([64, 64], [1, 2])


@pytest.fixture
def cpuinfo(tmp_path):
    def write(flags):
        path = tmp_path / "cpuinfo"
        path.write_text(f"processor : 0\nflags\t\t: fpu {flags} sse\n", encoding="utf-8")
        return path

    return write


def product():
    """Of a graph that nobody has run yet."""
    return tf.function(lambda x: tf.nn.relu(tf.matmul(x, x)))(A).numpy()


@pytest.mark.parametrize(
    ("flags", "native"), [("avx512_bf16", True), ("amx_bf16", True), ("avx512f avx512_vnni", False), ("", False)]
)
def test_native_where_the_processor_says_so(cpuinfo, flags, native):
    assert multiplies_bfloat16(cpuinfo(flags)) is native


def test_another_system_has_none(tmp_path):
    assert not multiplies_bfloat16(tmp_path / "missing")


def test_bfloat16_rounds_inside_and_not_behind():
    exact = A.numpy() @ A.numpy()
    with matrix_products("bfloat16"):
        rounded = product()
    assert 1e-4 < np.max(np.abs(rounded / exact - 1)) < 0.02
    np.testing.assert_allclose(product(), exact, rtol=1e-5)


@pytest.mark.parametrize(("precision", "flags"), [("float32", "avx512_bf16"), ("auto", "avx512f")])
def test_float32_where_it_is_asked_or_quicker(cpuinfo, precision, flags):
    with matrix_products(precision, cpuinfo(flags)):
        np.testing.assert_allclose(product(), A.numpy() @ A.numpy(), rtol=1e-5)


def test_a_failure_inside_leaves_nothing_behind():
    with pytest.raises(ZeroDivisionError), matrix_products("bfloat16"):
        raise ZeroDivisionError
    np.testing.assert_allclose(product(), A.numpy() @ A.numpy(), rtol=1e-5)
