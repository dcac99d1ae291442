"""The state machine against an adversary who looks for the shortest way to break a rule. The rules are in ``World``."""

from __future__ import annotations

from random import Random

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from cloudburst.runtime.events import Cancelled
from cloudburst.runtime.state import Limits
from tests.runtime.plans import SHAPES, SIZES, random_plan
from tests.runtime.world import FAILURES, LOSSES, REFUSALS, World

CHOICE = st.integers(0, 30)


class Run(RuleBasedStateMachine):
    """Events come in whatever order, one at a time or several at once."""

    @initialize(
        random=st.randoms(use_true_random=False),
        workers=st.integers(1, 3),
        cpu=st.sampled_from([None, 1024, 4096]),
        memory_mib=st.sampled_from([None, 4096]),
        keep_going=st.booleans(),
        crash_retries=st.integers(0, 2),
        shaped=st.booleans(),
        reuse=st.booleans(),
        prestart=st.booleans(),
        quota_wait_s=st.sampled_from([2.0, 1800.0]),
        part_counts=st.lists(st.integers(0, 4), min_size=1, max_size=3),
        chained=st.sampled_from([0.0, 0.9]),
        up=st.integers(0, 2),
        killed=st.sampled_from([None, 1]),
    )
    def begin(self, random, part_counts, chained, up, killed, **limits):
        sizes = SHAPES if limits["shaped"] else SIZES
        self.world = World(
            random_plan(random, 6, sizes, chained), Limits(**limits), part_counts, killed and Random(killed)
        )
        self.pending = []
        self.world.tell(*[self.world.come() for _ in range(min(up, limits["workers"]))])

    def happens(self, event, is_told):
        self.pending.append(event)
        if is_told:
            self.world.tell(*self.pending)
            self.pending = []

    def pick(self, things, choice):
        return sorted(things)[choice % len(things)]

    @property
    def busy(self):
        return [name for name, queue in self.world.workers.items() if queue]

    @precondition(lambda self: self.world.coming)
    @rule(choice=CHOICE, is_told=st.booleans())
    def a_worker_comes(self, choice, is_told):
        self.happens(self.world.come(self.pick(self.world.coming, choice)), is_told)

    @precondition(lambda self: self.world.coming)
    @rule(choice=CHOICE, cause=st.sampled_from(REFUSALS), is_told=st.booleans())
    def a_launch_is_refused(self, choice, cause, is_told):
        self.happens(self.world.refuse(self.pick(self.world.coming, choice), cause), is_told)

    @precondition(lambda self: self.world.coming)
    @rule(choice=CHOICE, cause=st.sampled_from(["lost", "reclaimed"]), is_told=st.booleans())
    def a_worker_dies_before_it_is_up(self, choice, cause, is_told):
        self.happens(self.world.die_unseen(self.pick(self.world.coming, choice), cause), is_told)

    @precondition(lambda self: self.world.stopping)
    @rule(choice=CHOICE, is_told=st.booleans())
    def a_worker_that_was_told_to_end_has_ended(self, choice, is_told):
        self.happens(self.world.fall(self.pick(self.world.stopping, choice)), is_told)

    @precondition(lambda self: self.busy)
    @rule(choice=CHOICE, how=st.sampled_from(["done", "done", "done", *FAILURES]), is_told=st.booleans())
    def an_attempt_ends(self, choice, how, is_told):
        self.happens(self.world.end(self.pick(self.busy, choice), how), is_told)

    @precondition(lambda self: self.busy)
    @rule(choice=CHOICE, cause=st.sampled_from(LOSSES), is_told=st.booleans())
    def an_attempt_costs_its_worker(self, choice, cause, is_told):
        self.happens(self.world.lose(self.pick(self.busy, choice), cause), is_told)

    @precondition(lambda self: self.world.workers)
    @rule(choice=CHOICE, cause=st.sampled_from(["lost", "stopped"]), is_told=st.booleans())
    def a_worker_leaves(self, choice, cause, is_told):
        self.happens(self.world.leave(self.pick(self.world.workers, choice), cause), is_told)

    @precondition(lambda self: self.world.stragglers)
    @rule(is_told=st.booleans())
    def a_record_comes_too_late(self, is_told):
        self.happens(self.world.straggle(), is_told)

    @precondition(lambda self: self.world.delays)
    @rule(choice=CHOICE, is_told=st.booleans())
    def a_delay_is_over(self, choice, is_told):
        self.happens(self.world.due(self.pick(self.world.delays, choice)), is_told)

    @precondition(lambda self: self.world.can_come_again())
    @rule(choice=CHOICE, is_told=st.booleans())
    def something_is_told_again(self, choice, is_told):
        events = self.world.can_come_again()
        self.happens(events[choice % len(events)], is_told)

    @rule(is_certain=st.integers(0, 9))
    def the_user_cancels(self, is_certain):
        if is_certain == 9:
            self.happens(Cancelled("enough"), is_told=True)

    @rule(kill_after=CHOICE)
    def the_driver_is_killed_and_another_goes_on(self, kill_after):
        self.world.check_replay(kill_after % (len(self.world.journal) + 1))

    def teardown(self):
        """Whatever has happened: once everything is answered, the run ends."""
        if not hasattr(self, "world"):
            return
        self.world.tell(*self.pending)
        for _ in range(300):
            if self.world.state.status != "running":
                break
            events = [self.world.come(number) for number in list(self.world.coming)]
            events += [self.world.end(name, "done") for name in self.busy]
            events += [self.world.due(number) for number in list(self.world.delays)]
            events += [self.world.fall(name) for name in list(self.world.stopping)]
            assert events, "the run waits for nothing"
            self.world.tell(*events)
        assert self.world.state.status != "running"
        self.world.check_replay(len(self.world.journal) // 2)


Run.TestCase.settings = settings(
    max_examples=150, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
TestRun = Run.TestCase
