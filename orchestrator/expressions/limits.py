"""What an expression may cost, so that a definition that one does not trust cannot hold a worker.

Lengths are characters, sizes are bytes of JSON. Work is counted in units: a visited node is one, an element that a
function or a projection touches is one, and so are `TEXT_PER_UNIT` characters that are compared, joined or searched.
"""

MAX_SOURCE = 4_000
MAX_NODES = 500
MAX_DEPTH = 64
MAX_WORK = 500_000
TEXT_PER_UNIT = 32
MAX_TEXT = 1_000_000
MAX_RESULT_BYTES = 4 * 1024 * 1024
MAX_RESULT_DEPTH = 200
MAX_INTEGER_BITS = 64
MAX_DIGITS = 15
