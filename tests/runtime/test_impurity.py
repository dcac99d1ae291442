from typing import Any

import pytest

from cloudburst.runtime.capture import capture
from tests.runtime.elsewhere import define

REACHED = {
    "import random\ndef f(): return random.random()": {"random"},
    "from random import randint\ndef f(): return randint(1, 2)": {"random"},
    "def f():\n    import random\n    return random.choice([1])": {"random"},
    "def f():\n    from random import choice as c\n    return c([1])": {"random"},
    "import random\ndef f(): return random.Random().random()": {"random"},
    "import random\ndef f(xs): return sorted(xs, key=lambda _: random.random())": {"random"},
    "import numpy as np\ndef f(): return np.random.rand(3)": {"numpy.random"},
    "import numpy\ndef f(): return numpy.random.default_rng().normal()": {"numpy.random"},
    "from numpy.random import rand\ndef f(): return rand(3)": {"numpy.random"},
    "from numpy import random as r\ndef f(): return r.normal()": {"numpy.random"},
    "import numpy.random as npr\ndef f(): return npr.normal()": {"numpy.random"},
    "def f():\n    import numpy as np\n    rng = np.random\n    return rng.rand()": {"numpy.random"},
    "import secrets\ndef f(): return secrets.token_hex()": {"secrets"},
    "import uuid\ndef f(): return uuid.uuid4()": {"uuid"},
    "from uuid import uuid1\ndef f(): return uuid1()": {"uuid"},
    "import time\ndef f(): return time.time()": {"time"},
    "from time import perf_counter\ndef f(): return perf_counter()": {"time"},
    "import time\ndef f(): return time.localtime()": {"time"},
    "from datetime import datetime\ndef f(): return datetime.now()": {"datetime"},
    "import datetime as dt\ndef f(): return dt.date.today()": {"datetime"},
    "import pandas as pd\ndef f(): return pd.Timestamp.now()": {"pandas.Timestamp"},
    "import os\ndef f(): return os.urandom(3)": {"os.urandom"},
    "import random, time\ndef g(): return random.random()\ndef f(): return g(), time.time()": {"random", "time"},
    "import random\nclass A:\n    def m(self): return random.random()\ndef f(): return A().m()": {"random"},
}

NOT_REACHED = [
    "import random, numpy, time, uuid, secrets\ndef f(): return 1",
    "import numpy as np\ndef f(): return np.sin(1), np.array([1])",
    "import numpy as np\ndef f(): return np.random.default_rng(0).normal()",
    "import numpy as np\nrng = np.random.default_rng(0)\ndef f(): return rng.normal()",
    "import random\nr = random.Random(3)\ndef f(): return r.random()",
    "import random\ndef f(): return random.Random(3).random()",
    "import numpy as np\ndef f():\n    np.random.seed(0)\n    return np.random.rand()",
    "import random\ndef f():\n    random.seed(0)\n    return random.random()",
    "import time\ndef f(): time.sleep(0)",
    "import time\ndef f(t): return time.localtime(t)",
    "import uuid\ndef f(x): return uuid.uuid5(uuid.NAMESPACE_DNS, x)",
    "from datetime import datetime\ndef f(): return datetime(2020, 1, 1)",
    "import pandas as pd\ndef f(): return pd.Timestamp('2020')",
    "import secrets\ndef f(a, b): return secrets.compare_digest(a, b)",
    "def f(random): return random.random",
    "import os\ndef f(): return os.path.join('a', 'b')",
]


@pytest.mark.parametrize("source", REACHED)
def test_what_differs_from_call_to_call_is_named(source: str) -> None:
    assert capture(define(source), stage="f").impure == REACHED[source]


@pytest.mark.parametrize("source", NOT_REACHED)
def test_what_is_the_same_each_time_is_not_named(source: str) -> None:
    assert capture(define(source), stage="f").impure == frozenset()


def test_installed_function_is_named_itself() -> None:
    import numpy as np

    functions: list[Any] = [np.random.rand, np.sum]
    assert [capture(function, stage="f").impure for function in functions] == [{"numpy.random"}, frozenset()]
