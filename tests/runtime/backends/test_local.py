from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import warnings
from pathlib import Path

import psutil
import pytest

from cloudburst.errors import InternalError
from cloudburst.resources import Size
from cloudburst.runtime import oom, worker
from cloudburst.runtime.backends import local
from cloudburst.runtime.backends.local import LocalBackend
from cloudburst.runtime.events import Ended, Gone, Hello, LaunchFailed
from cloudburst.runtime.task import TaskId
from tests.assignments import captured
from tests.contracts.backends import PATIENCE_S, BackendContract, call, ended, launched, only, until

ROOT = Path(__file__).parents[3]


@pytest.fixture
def backend(tmp_path):
    backend = LocalBackend(f"file://{tmp_path}/store", tmp_path / "logs")
    yield backend
    backend.close()


def children():
    return {one.pid for one in psutil.Process().children(recursive=True)}


def wait_until(condition):
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def is_alive(pid):
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def _is_open(fd):
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def gone_of(backend, function, *values, **rest):
    """How a worker ends that is given a task which ends it."""
    backend.equip(captured(end=function, pid=os.getpid))
    [name] = launched(backend)
    backend.assign(name, [call("pid"), call("end", *values, task=7, **rest), call("pid", task=8)])
    [gone] = only(until(backend, Gone), Gone)
    assert (gone.worker, gone.task) == (name, TaskId(7))
    return gone


class TestLocalBackend(BackendContract):
    """Performers as processes of this machine."""


# ---------------------------------------------------------------- how workers end


def test_a_killed_performer_is_lost(backend):
    gone = gone_of(backend, lambda: os.kill(os.getpid(), signal.SIGKILL))
    assert (gone.cause, gone.detail) == ("lost", "killed by SIGKILL")


def test_a_performer_that_exits_is_lost_with_its_code_and_what_it_printed(backend):
    def end():
        print("so long")
        os._exit(3)

    gone = gone_of(backend, end)
    assert (gone.cause, gone.detail) == ("lost", "exit code 3")
    assert backend.logs(gone.log) == "so long\n"


def test_a_segfault_shows_where_it_happened(backend):
    def crash():
        import ctypes

        ctypes.string_at(0)

    gone = gone_of(backend, crash)
    assert (gone.cause, gone.detail) == ("lost", "killed by SIGSEGV")
    assert "in crash" in backend.logs(gone.log)


def test_a_kill_while_the_kernel_counted_one_for_memory_is_out_of_memory(backend, monkeypatch):
    kills = iter(range(100))
    monkeypatch.setattr(oom, "kills", lambda: next(kills))
    gone = gone_of(backend, lambda: os.kill(os.getpid(), signal.SIGKILL))
    assert gone.cause == "memory"
    monkeypatch.setattr(oom, "kills", lambda: 100)
    gone = gone_of(backend, lambda: os.kill(os.getpid(), signal.SIGKILL))
    assert gone.cause == "lost"


def test_another_death_while_the_kernel_counted_is_not_out_of_memory(backend, monkeypatch):
    kills = iter(range(100))
    monkeypatch.setattr(oom, "kills", lambda: next(kills))
    assert gone_of(backend, lambda: os._exit(3)).cause == "lost"


def test_a_performer_whose_pipes_were_closed_is_lost_and_does_not_live_on(backend):
    before = children()

    def close():
        os.closerange(3, 256)

    assert gone_of(backend, close).cause == "lost"
    wait_until(lambda: children() == before)


def test_a_performer_whose_pipe_now_is_the_users_file_writes_nothing_to_it(backend, tmp_path):
    path = str(tmp_path / "mine")

    def replace():
        fds = [fd for fd in range(3, 64) if _is_open(fd)]
        for fd in fds:
            os.close(fd)
            os.open(path, os.O_CREAT | os.O_WRONLY)

    gone = gone_of(backend, replace)
    assert gone.cause == "lost"
    assert Path(path).read_bytes() == b""


@pytest.mark.parametrize("how", ["exit", "interrupt"])
def test_a_stage_that_wants_to_exit_fails_and_its_worker_stays(backend, how):
    def leave(how):
        if how == "exit":
            sys.exit(3)
        raise KeyboardInterrupt

    backend.equip(captured(leave=leave, pid=os.getpid))
    [name] = launched(backend)
    first, second = ended(backend, name, call("leave", how), call("pid", task=1))
    assert (first.failure.cause, first.failure.exception) == ("raised", None)
    assert second.failure is None


def test_children_of_a_stage_end_with_its_worker(backend, tmp_path):
    def start(path):
        import subprocess
        import time

        child = subprocess.Popen(["sleep", "600"])
        with open(path, "w") as file:
            file.write(str(child.pid))
        time.sleep(600)

    path = tmp_path / "pid"
    backend.equip(captured(start=start))
    [name] = launched(backend)
    backend.assign(name, [call("start", str(path))])
    wait_until(lambda: path.exists() and path.read_text())
    backend.stop([name])
    until(backend, Gone)
    wait_until(lambda: not is_alive(int(path.read_text())))
    assert not is_alive(int(path.read_text()))


def test_a_fork_that_outlives_its_stage_does_not_hide_the_end_of_the_worker(backend):
    def fork():
        import time

        if os.fork() == 0:
            os.setsid()
            time.sleep(3)
            os._exit(0)
        os._exit(5)

    assert gone_of(backend, fork).detail == "exit code 5"


def test_a_child_that_holds_the_pipes_open_does_not_hide_the_end_of_the_worker(backend):
    def leak():
        import subprocess

        for fd in range(3, 64):
            if _is_open(fd):
                os.set_inheritable(fd, True)
        subprocess.Popen(["sleep", "4"], close_fds=False, start_new_session=True)
        os._exit(6)

    assert gone_of(backend, leak).detail == "exit code 6"


def test_threads_and_children_that_a_stage_leaves_behind_do_not_hold_up_the_worker(backend):
    def leave():
        import subprocess
        import threading
        import time

        threading.Thread(target=time.sleep, args=(600,)).start()
        subprocess.Popen(["sleep", "600"])

    backend.equip(captured(leave=leave, pid=os.getpid))
    [name] = launched(backend)
    assert [one.failure for one in ended(backend, name, call("leave"), call("pid", task=1))] == [None, None]


def test_a_queue_outlives_no_worker(backend):
    backend.equip(captured(pid=os.getpid))
    [name] = launched(backend)
    backend.stop([name])
    until(backend, Gone)
    backend.assign(name, [call("pid")])
    assert backend.poll(0.05) == []


# ---------------------------------------------------------------- what stages see


def value_of(backend, function, *values):
    """What a function prints in a worker."""
    backend.equip(captured(f=function))
    [name] = backend.workers() or launched(backend)
    [record] = ended(backend, name, call("f", *values))
    assert record.failure is None, record.failure
    return backend.logs(record.log)


def test_a_stage_is_where_the_client_is(backend, tmp_path, monkeypatch):
    def look():
        import os
        import sys

        print(os.getcwd(), os.environ.get("MOOD"), os.environ.get("PYTHONPATH"), sys.path[0], sep="|")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MOOD", "good")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.syspath_prepend("/some/place")
    assert value_of(backend, look) == f"{tmp_path}|good|None|/some/place\n"
    monkeypatch.setenv("MOOD", "better")
    monkeypatch.setenv("PYTHONPATH", "/a/path")
    assert value_of(backend, look) == f"{tmp_path}|better|/a/path|/some/place\n"


def test_a_client_whose_directory_is_gone_can_still_run(backend, tmp_path, monkeypatch):
    def no_directory():
        raise FileNotFoundError("No such file or directory")

    here = os.getcwd()
    monkeypatch.setattr(os, "getcwd", no_directory)
    backend.equip(captured(look=lambda: print(__import__("os").getcwd())))
    [name] = launched(backend)
    [record] = ended(backend, name, call("look"))
    assert backend.logs(record.log) == f"{here}\n"


def test_a_stage_reads_nothing_from_standard_input(backend):
    assert value_of(backend, lambda: print(repr(sys.stdin.read()))) == "''\n"


def test_a_stage_knows_that_it_is_performed(backend):
    def look():
        from cloudburst.runtime.place import is_performing

        print(is_performing())

    assert value_of(backend, look) == "True\n"


def test_output_of_all_kinds_is_kept(backend):
    def say():
        import logging
        import subprocess

        print("print", end="")
        print(" \N{SNOWMAN}", flush=False)
        sys.stderr.write("error\n")
        logging.getLogger("mine").info("info")
        logging.getLogger("mine").debug("debug")
        subprocess.run(["echo", "child"])
        os.write(1, b"raw \xff garbage\n")

    assert value_of(backend, say) == "print \N{SNOWMAN}\nerror\nINFO mine: info\nchild\nraw \\xff garbage\n"


def test_of_a_flood_of_output_both_ends_are_kept(backend):
    def flood():
        print("begin")
        for _ in range(300):
            print("x" * 100_000)
        print("end")

    text = value_of(backend, flood)
    assert 2_000_000 < len(text) < 12_000_000
    assert text.startswith("begin\n")
    assert text.endswith("end\n")
    assert "left out here" in text


def test_logging_of_the_users_own_making_is_left_alone(backend):
    def say():
        import logging

        logging.basicConfig(level=logging.WARNING, format="mine %(message)s", stream=sys.stdout)
        logging.getLogger("its").info("info")
        logging.getLogger("its").warning("warning")

    assert value_of(backend, say) == "mine warning\n"


def test_a_stage_may_replace_and_close_its_standard_output(backend):
    def spoil():
        sys.stdout.close()
        sys.stderr = None

    backend.equip(captured(spoil=spoil, pid=os.getpid))
    [name] = launched(backend)
    assert [one.failure for one in ended(backend, name, call("spoil"), call("pid", task=1))] == [None, None]


def test_the_main_module_of_a_worker_is_not_the_performer(backend):
    assert value_of(backend, lambda: print(sorted(vars(sys.modules["__main__"])))) == (
        "['__doc__', '__loader__', '__name__', '__package__', '__spec__']\n"
    )


def test_pools_of_processes_work_in_a_stage(backend):
    def parallel():
        from concurrent.futures import ProcessPoolExecutor

        with ProcessPoolExecutor(2) as pool:
            print(list(pool.map(abs, [-1, -2])))

    assert "[1, 2]\n" in value_of(backend, parallel)


def test_the_kernel_kills_a_worker_before_its_client(backend):
    if sys.platform != "linux":
        pytest.skip("only Linux can be told")
    assert value_of(backend, lambda: print(Path("/proc/self/oom_score_adj").read_text())).strip() == "500"


def test_the_peak_memory_is_that_of_the_attempt(backend):
    if sys.platform != "linux":
        pytest.skip("only Linux can reset it")
    mine = bytearray(300 << 20)  # a process begins as a copy of the one that starts it: this must not count
    backend.equip(captured(use=lambda n: len(bytearray(n))))
    [name] = launched(backend)
    large, small = ended(backend, name, call("use", 200 << 20), call("use", 1, task=1))
    assert 300 > large.peak_mib > 200 > small.peak_mib
    assert len(mine) == 300 << 20


# ---------------------------------------------------------------- the pool


def test_functions_go_to_each_worker_once(backend, monkeypatch):
    sent = []
    post = worker.Worker._post
    monkeypatch.setattr(worker.Worker, "_post", lambda self, message: (sent.append(message), post(self, message))[1])
    backend.equip(captured(f=abs, g=abs))
    one, two = launched(backend, 2)
    for name in (one, two, one):
        ended(backend, name, call("f", 1), call("f", 2))
    ended(backend, one, call("g", 1))
    assert [sorted(message[1]) for message in sent if message[0] == "functions"] == [["f"], ["f"], ["g"]]


def test_a_worker_that_cannot_be_started_fails_its_launch(backend, monkeypatch):
    def no_process(*args, **kwargs):
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(subprocess, "Popen", no_process)
    backend.equip({})
    backend.launch(Size(), 2, "t")
    events = backend.poll(PATIENCE_S)
    assert [(event.token, event.count) for event in events] == [("t", 1), ("t", 1)]
    assert "Cannot allocate memory" in events[0].detail


def test_a_worker_that_ends_before_it_is_ready_fails_its_launch_with_what_it_printed(backend, tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text(
        "import sys; print('broken set-up'); sys.stdout.flush(); import os; os._exit(4)"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    backend.equip({})
    backend.launch(Size(), 1, "t")
    [event] = until(backend, LaunchFailed)
    assert event.token == "t"
    assert "exit code 4" in event.detail
    assert "broken set-up" in event.detail


def test_a_worker_that_cannot_open_the_store_fails_its_launch_and_says_why(tmp_path):
    backend = LocalBackend("memory:elsewhere", tmp_path / "logs")
    backend.equip({})
    backend.launch(Size(), 1, "t")
    [event] = until(backend, LaunchFailed)
    assert "StoreError: memory:elsewhere" in event.detail
    backend.close()


def test_a_worker_that_never_gets_ready_fails_its_launch(backend, tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text("import time; time.sleep(600)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(worker, "START_S", 0.2)
    backend.equip({})
    backend.launch(Size(), 1, "t")
    [event] = until(backend, LaunchFailed)
    assert "did not start in time" in event.detail


def test_a_launch_of_the_run_before_is_no_news_to_the_next(backend, tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text("import os; os._exit(4)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    backend.equip({})
    backend.launch(Size(), 1, "old")
    monkeypatch.delenv("PYTHONPATH")
    backend.equip({})
    backend.launch(Size(), 1, "new")
    events = until(backend, Hello)
    wait_until(lambda: events.extend(backend.poll(0.05)) or len(backend._workers) == 1)
    assert events == [Hello("w2")]


def test_a_worker_that_came_up_between_runs_is_found(backend):
    backend.equip({})
    backend.launch(Size(), 1, "t")
    [name] = backend._workers
    assert backend.workers() == []
    wait_until(lambda: (backend.equip({}), backend.workers())[1] == [name])


def test_two_threads_may_not_use_it_at_once(backend):
    backend.equip({})
    polling = threading.Thread(target=backend.poll, args=(PATIENCE_S,))
    polling.start()
    wait_until(backend._in_use.locked)
    with pytest.raises(InternalError, match="Two threads"):
        backend.equip({})
    backend.wake()
    polling.join()


def test_closing_leaves_no_process_and_no_open_file(tmp_path):
    process = psutil.Process()
    before, open_files = children(), process.num_fds()
    backend = LocalBackend(f"file://{tmp_path}/store", tmp_path / "logs")
    backend.equip(captured(wait=time.sleep))
    busy, _ = launched(backend, 2)
    backend.launch(Size(), 1, "late")
    backend.assign(busy, [call("wait", 600)])
    backend.close()
    assert children() == before
    assert process.num_fds() == open_files


def test_a_fork_of_the_client_lets_go_of_the_pool(backend):
    backend.equip(captured(wait=time.sleep))
    [name] = launched(backend)
    read, write = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads, from Python 3.12 on
        pid = os.fork()
    if pid == 0:
        try:
            left = [fd for fd in (backend._workers[name].records, backend._workers[name]._lifeline) if _is_open(fd)]
            os.write(write, str(left).encode())
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    assert os.read(read, 100) == b"[]"
    os.close(read)
    os.close(write)
    assert [one.failure for one in ended(backend, name, call("wait", 0))] == [None]


@pytest.mark.parametrize("task", ["time.sleep(600)", "sum(range(10**12))"], ids=["asleep", "holding the GIL"])
def test_performers_end_when_the_client_is_killed(tmp_path, task):
    if "sum" in task and sys.platform != "linux":
        pytest.skip("only Linux kills a process that lets nothing else run")
    script = textwrap.dedent(f"""
        import os, signal, subprocess, sys, time
        from cloudburst.runtime.backends.local import LocalBackend
        from tests.assignments import captured
        from tests.contracts.backends import call, launched, until
        from cloudburst.runtime.events import Began

        def busy():
            import subprocess, time
            child = subprocess.Popen(["sleep", "600"])
            {task}

        backend = LocalBackend("file://{tmp_path}/store", "{tmp_path}/logs")
        backend.equip(captured(busy=busy))
        idle, name = launched(backend, 2)
        backend.assign(name, [call("busy")])
        until(backend, Began)
        time.sleep(0.3)
        print("up", flush=True)
        time.sleep(600)
    """)
    client = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert client.stdout.readline() == "up\n"
    family = [one.pid for one in psutil.Process(client.pid).children(recursive=True)]
    assert len(family) == 3
    client.kill()
    client.wait()
    client.stdout.close()
    wait_until(lambda: not any(map(is_alive, family)))


def test_a_silent_attempt_is_announced_once(backend, monkeypatch):
    monkeypatch.setattr(local, "ANNOUNCE_S", 0.001)
    backend.equip(captured(wait=time.sleep))
    [name] = launched(backend)
    backend.assign(name, [call("wait", 0.3), call("wait", 0.3, task=1)])
    events = until(backend, Ended, 2)
    assert [type(event).__name__ for event in events] == ["Began", "Ended", "Began", "Ended"]
