"""The schedule alone, without a device: every draw once, in order, and no draw beyond a look that may stop."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxsmooth.sampling.schedule import Schedule

LOOKS, CHECKPOINTS = np.array([10, 25, 60]), np.array([5, 30, 40, 100])


def run(slots, images, most, in_flight, stops, looks=LOOKS, checkpoints=CHECKPOINTS, reached=0):
    """Play all images through; the draws that each of them got, and the ends at which it was seen."""
    schedule = Schedule.empty(slots, looks, checkpoints)
    waiting, flying = list(range(images)), []
    draws, ends = {image: [] for image in range(images)}, {image: [] for image in range(images)}
    while True:
        free = schedule.free[: len(waiting)]
        new, waiting = waiting[: len(free)], waiting[len(free) :]
        schedule.place(free, np.array(new, int), np.full(len(new), reached))
        step = schedule.next_step(most)
        if step is not None:
            assert 0 < len(step.slot) <= most and step.drawn.sum() == len(step.slot)
            for slot, draw in zip(step.slot, step.draw, strict=True):
                draws[schedule.image[slot]].append(int(draw))
            flying.append(step.drawn)
        elif not flying:
            return draws, ends
        if step is None or len(flying) >= in_flight:
            ended, looked = schedule.receive(flying.pop(0))
            for slot in ended:
                ends[schedule.image[slot]].append(int(schedule.received[slot]))
            ready = ended[looked]
            done = schedule.look_of(ready) >= [stops(image) for image in schedule.image[ready]]
            schedule.go_on(np.setdiff1d(ended, ready[done]))
            schedule.release(ready[done])


@given(
    slots=st.integers(1, 7), images=st.integers(1, 12), most=st.integers(1, 200), in_flight=st.integers(1, 3),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_every_draw_once_and_none_beyond_a_stop(slots, images, most, in_flight, seed):
    stop = np.random.default_rng(seed).integers(0, 3, images)
    draws, ends = run(slots, images, most, in_flight, lambda image: stop[image])
    for image in range(images):
        assert draws[image] == list(range(LOOKS[stop[image]]))
        assert ends[image] == [end for end in (5, 10, 25, 30, 40, 60) if end <= LOOKS[stop[image]]]


@pytest.mark.parametrize("reached", [0, 3, 10, 12, 59])
def test_it_resumes_from_anywhere(reached):
    draws, _ = run(2, 3, 16, 2, lambda image: 2, reached=reached)
    assert all(drawn == list(range(reached, 60)) for drawn in draws.values())


def test_checkpoints_are_not_waited_for():
    """Draws beyond a checkpoint are issued before those up to it have come back; beyond a look they are not."""
    schedule = Schedule.empty(1, LOOKS, CHECKPOINTS)
    schedule.place(np.array([0]), np.array([0]), np.array([0]))
    assert len(schedule.next_step(100).slot) == 5
    assert len(schedule.next_step(100).slot) == 5
    assert schedule.next_step(100) is None


def test_the_oldest_images_come_first():
    schedule = Schedule.empty(3, np.array([4]), np.zeros(0, int))
    schedule.place(np.arange(3), np.array([7, 5, 6]), np.zeros(3, int))
    step = schedule.next_step(6)
    assert step.slot.tolist() == [1, 1, 1, 1, 2, 2] and step.draw.tolist() == [0, 1, 2, 3, 0, 1]
