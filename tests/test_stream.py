import pytest
import torch

from lt_core.stream import stream
from lt_core.value import InputError


def ten_times(position):
    if position == 7:
        raise InputError("seven is bad")
    return torch.tensor([position * 10])


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("workers", [0, 2])
def test_a_stream_is_in_order_and_leaves_torchs_generator_alone(workers):
    state = torch.get_rng_state()
    found = [(at, batch.flatten().tolist()) for at, batch in stream(ten_times, 7, 3, workers)]
    assert found == [(0, [0, 10, 20]), (3, [30, 40, 50]), (6, [60])]
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_in_a_worker_is_its_own_sentence(workers):
    with pytest.raises(InputError) as caught:
        list(stream(ten_times, 9, 3, workers))
    assert str(caught.value) == "seven is bad"


def test_nothing_makes_no_batch():
    assert list(stream(ten_times, 0, 3, 2)) == []
