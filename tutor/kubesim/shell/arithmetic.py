"""``$(( … ))``: whole numbers, ``+ - * / %``, comparisons and brackets."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping

_OPERATORS: dict[type[ast.AST], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_BITS = 64


class ArithmeticProblem(Exception):
    """An expression the shell refuses."""


def arithmetic(text: str, variables: Mapping[str, str]) -> str:
    """The value of an expression, as text.

    :raises ArithmeticProblem: a syntax error or a division by zero.
    """

    def value(match: re.Match[str]) -> str:
        found = variables.get(match[1], "")
        return found if re.fullmatch(r"-?\d+", found) else "0"

    plain = re.sub(r"\$?\b([A-Za-z_]\w*)", value, text.strip()) or "0"
    plain = re.sub(r"\b0+(?=\d)", "", plain)
    try:
        tree = ast.parse(plain[:500], mode="eval").body
    except (SyntaxError, ValueError, RecursionError) as e:
        raise ArithmeticProblem(f"arithmetic syntax error: {text}") from e
    return str(_wrap(_evaluate(tree)))


def _wrap(number: int) -> int:
    """As a machine word does."""
    number &= (1 << _BITS) - 1
    return number - (1 << _BITS) if number >> (_BITS - 1) else number


def _evaluate(node: ast.AST) -> int:
    match node:
        case ast.Constant(value=int(number)):
            return int(number)
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -_evaluate(inner)
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _OPERATORS:
            return int(_OPERATORS[type(op)](_evaluate(left), _evaluate(right)))
        case ast.BinOp(left=left, op=ast.Div() | ast.Mod() as op, right=right):
            a, b = _evaluate(left), _evaluate(right)
            if b == 0:
                raise ArithmeticProblem("divide by zero")
            quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
            return quotient if isinstance(op, ast.Div) else a - b * quotient
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _wrap(_OPERATORS[type(op)](_evaluate(left), _evaluate(right)))
    raise ArithmeticProblem("arithmetic syntax error")
