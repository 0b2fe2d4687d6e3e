"""Evaluates the conditions of tasks: as much of the Common Expression Language as TFX and kfp write."""

from __future__ import annotations

import ast
import json
import operator
import re
from collections.abc import Mapping
from typing import Any

from kubeflow.spec.messages import ExecutorInput

_COMPARE = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_FIELDS = {"parameter_values": "parameterValues"}
_TOKENS = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|&&|\|\||!=|!|\btrue\b|\bfalse\b|\bint\(|\bdouble\(""")
_PYTHON = {"&&": " and ", "||": " or ", "!": " not ", "true": "True", "false": "False", "int(": "(", "double(": "("}


def evaluate(condition: str, executor_input: ExecutorInput) -> bool:
    """Returns whether a task with these inputs is triggered.

    Example:
        >>> evaluate("inputs.parameter_values['n'] == 2.0", {"inputs": {"parameterValues": {"n": 2}}})
        True

    Raises:
      ValueError: the condition has what this does not know, or what is not there.
    """
    text = _TOKENS.sub(lambda token: _PYTHON.get(token[0], token[0]), condition).strip()
    try:
        return bool(_value(ast.parse(text, mode="eval").body, executor_input))
    except (SyntaxError, KeyError, IndexError, TypeError) as error:
        raise ValueError(
            f"A condition must consist of comparisons of inputs. Received: {condition}: "
            f"{type(error).__name__}: {error}."
        ) from error


def _value(node: ast.expr, names: Mapping[str, object]) -> Any:  # a condition says no types
    match node:
        case ast.Constant():
            return node.value
        case ast.Name():
            return names[node.id]
        case ast.Attribute():
            return _value(node.value, names)[_FIELDS.get(node.attr, node.attr)]
        case ast.Subscript():
            return _value(node.value, names)[_value(node.slice, names)]
        case ast.BoolOp(op=ast.And()):
            return all(_value(operand, names) for operand in node.values)
        case ast.BoolOp():
            return any(_value(operand, names) for operand in node.values)
        case ast.UnaryOp(op=ast.Not()):
            return not _value(node.operand, names)
        case ast.UnaryOp(op=ast.USub()):
            return -_value(node.operand, names)
        case ast.BinOp(op=ast.Add()):
            return _value(node.left, names) + _value(node.right, names)
        case ast.Compare(ops=[op], comparators=[right]) if type(op) in _COMPARE:
            return _COMPARE[type(op)](_value(node.left, names), _value(right, names))
        case ast.Call(func=ast.Name(id="parseJson"), args=[text]):
            return json.loads(_value(text, names))
    raise SyntaxError(f"{ast.unparse(node)} is not known here")
