"""`${ … }`: JMESPath expressions, compiled once, limited in every direction, with the names that they read.

In reading order:

- `limits`: what an expression may cost, as numbers;
- `scanning`: where an expression begins and ends in a text;
- `parsing`: text → syntax tree, or an error that says what would be right;
- `references`: what a syntax tree reads;
- `functions`: the pure functions that may be called, as a table;
- `budget`, `interpreting`, `weighing`: evaluating within the limits;
- `expression`, `template`: the two things the rest of the program uses.
"""

from orchestrator.expressions.expression import Expression, compile_expression
from orchestrator.expressions.interpreting import is_true
from orchestrator.expressions.references import ROOTS, STEP_FIELDS, References
from orchestrator.expressions.template import Template, compile_template, compile_what_can_be

__all__ = [
    "ROOTS",
    "STEP_FIELDS",
    "Expression",
    "References",
    "Template",
    "compile_expression",
    "compile_template",
    "compile_what_can_be",
    "is_true",
]
