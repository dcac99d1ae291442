"""What is said to AWS next."""

from __future__ import annotations

import threading

from cloudburst.runtime.backends.fargate.agenda import Agenda, Urgency
from tests.runtime.backends.fargate.ecs import until


def taken(agenda, count):
    done = []
    for _, act in zip(range(count), agenda, strict=False):
        done.append(act())
    return done


def test_the_most_urgent_of_what_is_due_comes_first_and_else_the_oldest():
    agenda = Agenda(clock=lambda: 0.0)
    for name, urgency in [("l1", "LAUNCH"), ("k1", "LOOK"), ("s1", "STOP"), ("l2", "LAUNCH"), ("s2", "STOP")]:
        agenda.add(Urgency[urgency], lambda name=name: name)
    assert taken(agenda, 5) == ["s1", "s2", "l1", "l2", "k1"]


def test_what_is_not_due_waits_however_urgent_it_is():
    now = [0.0]
    agenda = Agenda(clock=lambda: now[0])
    agenda.add(Urgency.STOP, lambda: "late", delay_s=5.0)
    agenda.add(Urgency.LOOK, lambda: "now")
    assert taken(agenda, 1) == ["now"]
    now[0] = 5.0
    assert taken(agenda, 1) == ["late"]


def test_who_waits_is_woken_by_what_is_added_and_let_go_at_the_end():
    agenda, done = Agenda(), []

    def work():
        done.extend(act() for act in agenda)
        done.append("over")

    thread = threading.Thread(target=work)
    thread.start()
    agenda.add(Urgency.LOOK, lambda: "first")
    until(lambda: done == ["first"])
    agenda.close()
    thread.join(10)
    assert done == ["first", "over"]


def test_launches_can_be_forgotten():
    agenda = Agenda(clock=lambda: 0.0)
    agenda.add(Urgency.LAUNCH, lambda: "launch")
    agenda.add(Urgency.LOOK, lambda: "look")
    agenda.drop(Urgency.LAUNCH)
    assert taken(agenda, 1) == ["look"]
