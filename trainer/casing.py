"""Casing policies: what a model sees of capitals, in training and in serving.

In this data nearly every clickbait headline is Title Case and news is not, so a cased model learns capitals and fails
on text that is cased otherwise. A policy is two functions: `augment`, applied in training only, and `normalise`,
applied wherever the model reads a title and therefore exported with it.
"""

from __future__ import annotations

import tensorflow as tf

POLICIES = ("as_is", "lower", "augment")

#: Shares of the casings that `augment` draws for each headline of each epoch.
AUGMENT_SHARES = {"as_is": 0.35, "lower": 0.35, "title": 0.20, "sentence": 0.10}


def lower(text: tf.Tensor) -> tf.Tensor:
    """Lower case by Unicode's simple mapping; string [n] to string [n]."""
    return tf.strings.lower(text, encoding="utf-8")


def title_case(text: tf.Tensor) -> tf.Tensor:
    """Each word's first letter upper, the rest lower; string [n] to string [n]. Runs of spaces become one."""
    words = tf.strings.split(lower(text))
    return tf.strings.reduce_join(tf.ragged.map_flat_values(_capitalise, words), axis=-1, separator=" ")


def sentence_case(text: tf.Tensor) -> tf.Tensor:
    """The first letter upper, the rest lower; string [n] to string [n]."""
    return _capitalise(lower(text))


def lower_shouting(text: tf.Tensor) -> tf.Tensor:
    """Lower-cases the texts that are all capitals, leaves the others; string [n] to string [n]."""
    shouted = tf.equal(tf.strings.upper(text, encoding="utf-8"), text)
    return tf.where(shouted, lower(text), text)


def normalise(text: tf.Tensor, policy: str) -> tf.Tensor:
    """What the encoder is given for a title, in training, evaluation and serving; string [n] to string [n].

    `as_is` changes nothing; `lower` lower-cases; `augment` lower-cases only text that is all capitals, because such
    text falls apart into rare subwords and its casing carries nothing.
    """
    if policy == "as_is":
        return text
    return lower(text) if policy == "lower" else lower_shouting(text)


def augment(text: tf.Tensor, seeds: tf.Tensor) -> tf.Tensor:
    """Draws a casing for each headline by `AUGMENT_SHARES`.

    Args:
      text: string [n].
      seeds: int64 [2], the stateless seed of this batch: equal seeds draw equal casings.

    Returns:
      string [n].
    """
    draw = tf.random.stateless_uniform(tf.shape(text), seeds)
    casings = {"lower": lower, "title": title_case, "sentence": sentence_case}
    result, bound = text, AUGMENT_SHARES["as_is"]
    for name, casing in casings.items():
        chosen = (draw >= bound) & (draw < bound + AUGMENT_SHARES[name])
        result = tf.where(chosen, casing(text), result)
        bound += AUGMENT_SHARES[name]
    return result


def _capitalise(text: tf.Tensor) -> tf.Tensor:
    # Regular expressions, because tf.strings.substr fails on an empty string.
    first = tf.strings.regex_replace(text, r"(?s)^(.?).*$", r"\1")
    rest = tf.strings.regex_replace(text, r"(?s)^.", "")
    return tf.strings.join([tf.strings.upper(first, encoding="utf-8"), rest])
