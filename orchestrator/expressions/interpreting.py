"""jmespath's interpreter, made to stay within a budget and to answer the same on every input.

What differs from the library: each visited node costs one unit, whatever walks a value pays first, `if` and `default`
evaluate only what they need, and ordering a text and a number gives null (JMESPath's rule) instead of an exception.
"""

from typing import Any

from jmespath.exceptions import ArityError, JMESPathError, JMESPathTypeError
from jmespath.visitor import Options, TreeInterpreter

from orchestrator.errors import ExpressionError
from orchestrator.expressions.budget import Budget
from orchestrator.expressions.functions import PureFunctions
from orchestrator.jsontype import Json


def interpret(tree: Json, scope: Json) -> Json:
    """The value of a syntax tree. Raises ExpressionError whose text holds no part of the scope's values."""
    budget = Budget()
    try:
        return _BoundedInterpreter(budget).visit(tree, scope)
    except ExpressionError:
        raise
    except JMESPathError as error:
        raise ExpressionError(_told(error)) from None
    except RecursionError:
        raise ExpressionError("a value is nested too deep") from None
    except (ValueError, TypeError, ArithmeticError) as error:
        # Their texts may quote values (a secret, a card number): only the kind is told.
        raise ExpressionError(f"it cannot be evaluated on these values ({type(error).__name__})") from None


def _told(error: JMESPathError) -> str:
    """The library's own text quotes the value; ours names its type only."""
    if isinstance(error, JMESPathTypeError):
        wanted = " or ".join(kind.replace("array-", "array of ") for kind in error.expected_types)
        return f"{error.function_name}() takes {wanted}, not {error.actual_type}"
    if isinstance(error, ArityError):
        return f"{error.function_name}() takes {error.expected_arity} arguments, not {error.actual_arity}"
    return f"it cannot be evaluated ({type(error).__name__})"


class _BoundedInterpreter(TreeInterpreter):
    def __init__(self, budget: Budget) -> None:
        super().__init__(Options(custom_functions=PureFunctions(budget)))
        self._budget = budget

    def visit(self, node: Any, *args: Any, **kwargs: Any) -> Json:
        self._budget.spend(1)
        return super().visit(node, *args, **kwargs)

    def visit_function_expression(self, node: Any, value: Json) -> Json:
        name, arguments = node["value"], node["children"]
        if name == "if":
            holds = is_true(self.visit(arguments[0], value))
            return self.visit(arguments[1 if holds else 2], value)
        if name == "default":
            given = self.visit(arguments[0], value)
            return self.visit(arguments[1], value) if given is None else given
        return super().visit_function_expression(node, value)

    def visit_comparator(self, node: Any, value: Json) -> Json:
        left, right = (self.visit(child, value) for child in node["children"])
        compare = self.COMPARATOR_FUNC[node["value"]]
        if node["value"] in ("eq", "ne"):
            # Equality walks no further than the left side goes.
            self._budget.spend_on_all_of(left)
            return compare(left, right)
        if isinstance(left, str) and isinstance(right, str):
            self._budget.spend_on([left])
            return compare(left, right)
        return compare(left, right) if _is_number(left) and _is_number(right) else None

    def visit_flatten(self, node: Any, value: Json) -> Json:
        base = self.visit(node["children"][0], value)
        if not isinstance(base, list):
            return None
        self._budget.spend(len(base) + sum(len(part) for part in base if isinstance(part, list)))
        return [one for part in base for one in (part if isinstance(part, list) else [part])]

    def visit_slice(self, node: Any, value: Json) -> Json:
        if isinstance(value, list):
            self._budget.spend(len(value))
        return super().visit_slice(node, value)


def is_true(value: Json) -> bool:
    """JMESPath's truth: everything but false, null and what is empty. 0 is true."""
    return value is not None and value is not False and value not in ("", [], {})


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
