"""Casing policies: how a title's capitals are changed before the model reads it, in training and in serving.

In this data nearly every clickbait headline is Title Case and news is not, so a cased model learns capitals and fails
on text that is cased otherwise. A policy is two functions: `augment`, applied in training only, and `normalise`,
applied wherever the model reads a title and therefore exported with it.
"""

from __future__ import annotations

import tensorflow as tf
import tensorflow_text as tf_text

POLICIES = ("as_is", "lower", "augment")

#: Shares of the casings that `augment` draws for each headline of each epoch; chosen by measurement, see README.md.
AUGMENT_SHARES = {"as_is": 0.25, "lower": 0.25, "title": 0.20, "title_letters": 0.20, "sentence": 0.10}


def lower(text: tf.Tensor) -> tf.Tensor:
    """Lower-cases by Unicode's full mapping; string [n] to string [n]."""
    # ASCII first: with an encoding TensorFlow obeys the process's locale, and Turkish lower-cases I to a dotless one.
    return tf.strings.lower(tf.strings.lower(text), encoding="utf-8")


def upper(text: tf.Tensor) -> tf.Tensor:
    """Upper-cases by Unicode's full mapping; string [n] to string [n]."""
    return tf.strings.upper(tf.strings.upper(text), encoding="utf-8")


def title_case(text: tf.Tensor) -> tf.Tensor:
    """Capitalises each word ("You're"); string [n] to string [n]."""
    return _capitalise_parts(text, r"\s")


def title_letters(text: tf.Tensor) -> tf.Tensor:
    """Capitalises each run of letters, as Python's `str.title` does ("You'Re"); string [n] to string [n]."""
    return _capitalise_parts(text, r"[^\p{L}]")


def sentence_case(text: tf.Tensor) -> tf.Tensor:
    """Capitalises the first letter alone; string [n] to string [n]."""
    return _capitalise(lower(text))


def lower_shouting(text: tf.Tensor) -> tf.Tensor:
    """Lower-cases the texts that are all capitals, leaves the others; string [n] to string [n]."""
    shouted = tf.equal(upper(text), text)
    return tf.where(shouted, lower(text), text)


def normalise(text: tf.Tensor, policy: str) -> tf.Tensor:
    """Normalises titles for the encoder, in training, evaluation and serving; string [n] to string [n].

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
    casings = {"lower": lower, "title": title_case, "title_letters": title_letters, "sentence": sentence_case}
    result, bound = text, AUGMENT_SHARES["as_is"]
    for name, casing in casings.items():
        chosen = (draw >= bound) & (draw < bound + AUGMENT_SHARES[name])
        result = tf.where(chosen, casing(text), result)
        bound += AUGMENT_SHARES[name]
    return result


def _capitalise_parts(text: tf.Tensor, separator: str) -> tf.Tensor:
    parts = tf_text.regex_split(lower(text), delim_regex_pattern=separator, keep_delim_regex_pattern=separator)
    return tf.strings.reduce_join(tf.ragged.map_flat_values(_capitalise, parts), axis=-1)


def _capitalise(text: tf.Tensor) -> tf.Tensor:
    # Regular expressions, because tf.strings.substr fails on an empty string.
    first = tf.strings.regex_replace(text, r"(?s)^(.?).*$", r"\1")
    rest = tf.strings.regex_replace(text, r"(?s)^.", "")
    return tf.strings.join([upper(first), rest])
