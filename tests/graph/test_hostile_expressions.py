"""Text that tries to be more than an expression: refused, at once, with nothing executed."""

import gc
import sys
import threading

import pytest

from flower.errors import ExpressionError
from flower.graph.expressions import expression
from flower.graph.expressions.text import MAX_DEPTH, MAX_LENGTH
from flower.graph.schema import schema_of

SCHEMA = schema_of({"delay": "int64", "x": "float64", "carrier": "str", "flag": "bool", "t": "datetime64[us, UTC]"})

ATTRIBUTES = [
    "delay.__class__", "delay.__class__.__mro__", "''.__class__.__mro__[1].__subclasses__()",
    "().__class__.__bases__[0]", "(1).__class__", "1 .real", "1.0.hex()", "delay.values", "delay.str",
    "carrier.str.lower()", "delay.max()", "x.sum() > 3", "delay.apply(print)", "delay.map(eval)", "delay.pipe(exec)",
    "x.__array_interface__", "x.dtype", "carrier.__reduce__()", "abs.__globals__", "abs.__self__",
    "min.__call__(1, 2)", "'a'.format(x)", "'{0.__class__}'.format(x)", "'%s'.__mod__(x)",
    "delay.__getattribute__('x')", "[].__class__", "{}.__class__", "''.join(['a'])", "t.dt.hour", "x.T",
    "delay.to_pickle('f')", "delay.to_csv('f')", "(delay).__doc__", "`delay`.__class__", "delay . __class__",
    "delay.\n__class__", "np.log(x)", "pd.read_pickle('f')", "os.system('id')", "sys.exit()", "builtins.eval('1')",
    "x.a.b.c.d", "...", ". delay", "x..y",
]  # fmt: skip
CALLS = [
    "eval('1')", "exec('1')", "compile('1', '', 'eval')", "open('f')", "open('f', 'w')", "__import__('os')",
    "getattr(x, 'y')", "setattr(x, 'y', 1)", "delattr(x, 'y')", "hasattr(x, 'y')", "globals()", "locals()", "vars()",
    "dir()", "type(x)", "id(x)", "print(x)", "input()", "breakpoint()", "exit()", "quit()", "help()", "object()",
    "super()", "memoryview(x)", "bytes(9)", "bytearray(10)", "range(10)", "list(x)", "dict()", "set()", "tuple()",
    "str(x)", "int(x)", "float(x)", "chr(1)", "repr(x)", "iter(x)", "next(x)", "map(abs, x)", "filter(abs, x)",
    "sorted(x)", "sum(x)", "any(x)", "all(x)", "callable(x)", "format(x)", "delay(1)", "abs(x)(1)", "(abs)(x)(x)",
    "'abs'(x)", "1(2)", "(1)(2)", "abs()", "abs(x, x)", "abs(*x)", "abs(**x)", "min(x)", "min(*[1, 2])",
    "where(flag, 1)", "len(carrier, carrier)", "isna()", "where()", "contains(carrier)", "`abs`(x)", "`eval`('1')",
    "None(x)", "True()", "sin(x)", "delay()", "pow(9, 9)", "divmod(1, 2)", "hash(x)", "staticmethod(x)", "lower()",
    "abs (x) (x)",
]  # fmt: skip
DUNDERS = [
    "__class__", "__builtins__", "__import__", "__name__", "__file__", "__dict__", "__loader__", "__debug__", "__x",
    "__builtins__['eval']", "__build_class__", "__spec__ == x", "delay + __class__", "abs(__name__)", "not __debug__",
]  # fmt: skip
SYNTAX = [
    "lambda: 1", "lambda x: x", "(lambda: 1)()", "[x for x in delay]", "(x for x in delay)", "{x for x in delay}",
    "{x: x for x in delay}", "[y := 1]", "(y := 1)", "y := x", "x = 1", "x == 1; import os", "import os",
    "from os import system", "def f(): pass", "class A: pass", "return x", "yield x", "await x", "async x", "del x",
    "assert x", "raise x", "pass", "break", "global x", "nonlocal x", "with x: pass", "try: x", "while True: x",
    "for x in y: z", "if x: y", "x if flag else 1", "x[0]", "x[:]", "x['a']", "x[1:2]", "carrier[0] == 'A'",
    "[1, 2, 3][0]", "[1]", "(1, 2)", "()", "[]", "{}", "{1}", "{1: 2}", "x @ x", "@x", "x > @limit", "@eval('1')",
    "x ^ 1", "x << 2", "x >> 2", "x <> 1", "x === 1", "x ! 1", "!x", "x++", "+x", "x--", "x is None", "x is not None",
    "*x", "**x", "x, y", "x,", "x as y", "x -> y", "x; y", "x : y", "x ? 1 : 2", "x && flag", "flag || flag", "$x",
    "x # comment", "# nothing", "x \\\n + 1", "except", "elif flag", "else", "finally", "match = 1", "x += 1",
    "x -= 1", "x |= 1", "x in carrier", "x in [x]", "x in (1, [2])", "x in {1}", "x in [*carrier]", "1 in 2 in [3]",
    "x not in x", "not", "and", "x and", "or x", "x or", "in [1]", "x in", "x >", "> x", "x + ", "* x", "(", ")", "(x",
    "x)", "[x", "x]", "((x)", "x x", "x 1", "1 x", "'a' 'b'", "x 'a'", "carrier == 'a' 'b'", "0 < (0 < x < 1) < 1",
]  # fmt: skip
STRINGS = [
    "f'{x}'", "f'{eval(1)}'", 'f"{__import__}"', "F'{x}'", "rf'{x}'", "b'x'", "r'x'", "u'x'", "Rb'x'", "f''",
    "''' x '''", '""" x """', "'x", "x'", '"x', "carrier == 'UA", "'\\x'", "'\\d'", "'\\N{DIGIT ONE}'", "'\\ud800'",
    "'\\U00110000'", "'\\0'", "'a\nb'", "'\\\n'", "'\ud800'", "`x", "x`", "``", "`a\nb`", "`x`y`", "t'{x}'",
    "carrier == f'{x}'",
]  # fmt: skip
NUMBERS = [
    "9**9**9", "9**9**9**9", "2**64", "10**10**10", "(9**9)**9**9", "-(2**63) - 1", "9223372036854775807 + 1", "1//0",
    "1 % 0", "2**-1", "x + 9**99", "9223372036854775808", "99999999999999999999999999", "9" * 41, "9" * 5000, "1e999",
    "-1e999", "1j", "1J", "0x10", "0o7", "0b1", "1.2.3", "1..2", "1e", "1e+", "12abc", "1_", "01", "1__0", "1if",
    "0xdeadbeef", "1.real", "1l", "1e5j", "4611686018427387904 * 4", "0**-1",
]  # fmt: skip
LOOK_ALIKES = [
    "\uff3f\uff3fclass\uff3f\uff3f", "x.\uff3f\uff3fclass\uff3f\uff3f", "\uff45\uff56\uff41\uff4c('1')",
    "\u1d49\u1d5b\u1d43\u02e1('1')", "\U0001d452\U0001d463\U0001d44e\U0001d459('1')", "x\uff0e__class__",
    "x\u2024values", "\uff08x\uff09", "x \uff1d\uff1d 1", "x\u200b > 1", "\u202ex > 1", "x \u2228 flag", "x \u2264 1",
    "x \u00d7 2", "\u2019a\u2019", "x \u2212 1", "\ufb01le()", "\u0435val('1')", "l\u0430mbda: 1", "x\u0301 > 1",
    "\u0661 + \u0662", "\u00b2", "x\u00b2 ** \u00b2", "\u3000\u3000", "x\u2028> 1", "\ufeffx > 1",
]  # fmt: skip
BYTES = [
    "x\x00", "\x00", "x > 1\x00import os", "x\x0c> 1", "x\x1b[31m", "x\x08", "\x7f", "x\x85> 1", "x\xa0> 1",
    "carrier == '\x00", "\udc80", "", " ", "\n", "\t\r\n",
]  # fmt: skip
HUGE = [
    "(" * 1000, "-" * 5000 + "1", "not " * 2000 + "flag", "~" * 5000 + "flag", "x" + "+x" * 3000, "x" + " ** x" * 1500,
    "abs(" * 500 + "x" + ")" * 500, "[" * 3000, "x in [" + "[" * 500, "x" * (MAX_LENGTH + 1),
    "'" + "a" * MAX_LENGTH + "'", "x > 1 and " * 2000 + "flag", " " * (MAX_LENGTH + 1), "where(flag," * 200 + "1",
    "`" * 9999, "'" * 9999, "(" * 5000 + ")" * 5000, "- " * (MAX_DEPTH + 2) + "x", "x" + "-(x" * 90 + ")" * 90,
    "\\" * 5000, "((x)" * 2000, "0 < " * 30 + "(" + "0 < " * 30 + "x" + " < 1" * 30 + ")" + " < 1" * 30,
    "1" + ",1" * 4000, "\u0430" * 9000 + "(", "f" * 9000 + "''",
]  # fmt: skip
PAYLOADS = ATTRIBUTES + CALLS + DUNDERS + SYNTAX + STRINGS + NUMBERS + LOOK_ALIKES + BYTES + HUGE

watched: list[str] | None = None
watcher = threading.get_ident()


def _watch(event: str, arguments: object) -> None:
    # `ast.parse` is a compile that makes no code; what would run code, or reach out, is another event. Other threads of
    # this process, those of a cluster that other tests share, open files whenever they like.
    if watched is not None and event != "compile" and threading.get_ident() == watcher:
        watched.append(event)


sys.addaudithook(_watch)


def refusal(payload: str) -> tuple[ExpressionError, list[str], int]:
    """The error of a payload, the audited events on the way to it, and how many Python functions were called."""
    global watched
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    gc.disable()  # what is collected just now may have finalizers of its own
    watched = seen = []
    sys.setprofile(count)
    try:
        with pytest.raises(ExpressionError) as caught:
            expression(payload, SCHEMA)
    finally:
        sys.setprofile(None)
        watched = None
        gc.enable()
    return caught.value, seen, calls


def test_there_are_enough_of_them_and_none_twice():
    assert len(PAYLOADS) == len(set(PAYLOADS)) >= 200


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: ascii(payload[:40]))
def test_hostile_text_is_refused_at_once_and_nothing_runs(payload):
    error, events, calls = refusal(payload)
    assert set(events) <= {"sys.setprofile", "sys._getframe"}
    assert calls < 100_000
    assert len(str(error)) < 1500
    assert "^" in str(error) or "at most" in str(error)


def test_the_watch_sees_what_runs():
    global watched
    watched = seen = []
    eval("1 + 1")
    watched = None
    assert "exec" in seen


def test_the_watch_sees_nothing_of_other_threads():
    global watched
    watched = seen = []
    other = threading.Thread(target=eval, args=("1 + 1",))
    other.start()
    other.join()
    watched = None
    assert "exec" not in seen


def test_the_harmless_neighbours_of_hostile_text_are_accepted():
    for text in (
        "x > 1 and " * 100 + "flag",
        "x in [" + ", ".join(map(str, range(1000))) + "]",
        "carrier == '__class__.__mro__'",
        "carrier == 'import os; eval(1)'",
        "-" * 50 + "x",
        "2**62",
        "9223372036854775807",
    ):
        assert expression(text, SCHEMA).dtype(SCHEMA) is not None


def test_a_column_may_have_a_hostile_name():
    for name in ("__class__", "eval('1')", "lambda: 1", "a`b", "x.y", "\uff3f\uff3fclass\uff3f\uff3f", "import", "ﬁ"):
        schema = schema_of({name: "int64", "fi": "str"})
        quoted = "`" + name.replace("`", "``") + "`"
        assert expression(f"{quoted} + 1", schema).columns() == {name}
