import dataclasses
import enum
import subprocess
import sys
from pathlib import Path

import pytest

from cloudburst.runtime.codecs.pickling import CODEC
from tests.contracts.codecs import through

ROOT = Path(__file__).parents[3]

PROGRAM = """
import dataclasses, enum, functools, subprocess, sys
from cloudburst.runtime.codecs import decode, encode

LIMIT = 3

class Color(enum.Enum):
    RED = 1
    def limit(self):
        return LIMIT

@dataclasses.dataclass
class Point:
    "A point."
    x: int
    def shifted(self):
        return self.x + LIMIT

class Wrong(ValueError):
    pass

value = [Point(1), Color.RED, lambda: LIMIT, Wrong("no"), {Point: functools.partial(Point, 4)}]
sent = b"".join(encode(value)[1])
back = subprocess.run([sys.executable, "-c", sys.argv[1]], input=sent, stdout=subprocess.PIPE, check=True).stdout

before = dict(vars(Point))
point, color, local = decode("pickle", memoryview(back))
assert type(point) is Point and point == Point(9), type(point)
assert color is Color.RED
assert dict(vars(Point)) == before
LIMIT = 10
assert point.shifted() == 19
assert local.hello() == "hello"
again = decode("pickle", memoryview(b"".join(encode(local)[1])))
assert type(again) is type(local)
"""

WORKER = """
import sys
from cloudburst.runtime.codecs import decode, encode

point, color, function, wrong, made = decode("pickle", memoryview(sys.stdin.buffer.read()))
assert point.shifted() == 4 and color.limit() == 3 and function() == 3, point
assert type(point).__doc__ == "A point." and made[type(point)]() == type(point)(4)
assert isinstance(wrong, ValueError) and str(wrong) == "no"
type(point).left_behind = 1
point.x = 9

class Local:
    def hello(self):
        return "hello"

sys.stdout.buffer.write(b"".join(encode([point, color, Local()])[1]))
"""


def test_classes_of_a_script_go_to_a_worker_and_come_home_as_they_were():
    done = subprocess.run([sys.executable, "-c", PROGRAM, WORKER], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


NEWER = """
import sys
from cloudburst.runtime.codecs import decode, encode

class Counter:
    count = 1

first = b"".join(encode(Counter())[1])
Counter.count = 2
second = b"".join(encode(Counter())[1])
sys.stdout.buffer.write(len(first).to_bytes(4, "big") + first + second)
"""


def test_a_class_from_elsewhere_is_brought_up_to_date():
    sent = subprocess.run([sys.executable, "-c", NEWER], cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
    length = 4 + int.from_bytes(sent[:4], "big")
    first = CODEC.decode(memoryview(sent[4:length]))
    assert first.count == 1
    second = CODEC.decode(memoryview(sent[length:]))
    assert type(second) is type(first)
    assert first.count == second.count == 2


class Own(enum.Enum):
    A = 1


@dataclasses.dataclass
class Plain:
    x: int


def test_the_projects_own_modules_go_by_value():
    for value in (Own.A, Plain(1), [Plain], test_the_projects_own_modules_go_by_value):
        assert b"cloudpickle" in b"".join(CODEC.encode(value))
    assert through(CODEC, Own.A) is Own.A
    assert through(CODEC, Plain(1)) == Plain(1)
    assert through(CODEC, Plain) is Plain


def test_installed_packages_go_by_name():
    import decimal

    import pandas as pd

    for value in (decimal.Decimal(1), pd.DataFrame, pd.concat, len, [pd.Timestamp("2024-01-01")], pytest.fixture):
        assert b"cloudpickle" not in b"".join(CODEC.encode(value))
        assert through(CODEC, value) == value


def test_classes_made_in_a_function_come_back_as_themselves():
    class Local:
        def __init__(self, x):
            self.x = x

        def __eq__(self, other):
            return type(self) is type(other) and self.x == other.x

    method = Local.__eq__
    assert through(CODEC, Local(1)) == Local(1)
    assert Local.__eq__ is method


def test_functions_keep_what_they_close_over():
    base = 40
    assert through(CODEC, lambda x: base + x)(2) == 42
