import math

import pytest
import torch

from tuning.engine.system_metrics import SystemMetrics

MACHINE = {
    "system/cpu_utilization_percentage",
    "system/system_memory_usage_megabytes",
    "system/process_cpu_percentage",
    "system/process_memory_megabytes",
}


def test_a_sample_is_of_the_time_since_the_last_one():
    system = SystemMetrics(torch.device("cpu"))
    idle = system.sample()
    total = sum(math.sqrt(number) for number in range(2_000_000))
    busy = system.sample()
    assert total and idle.keys() == busy.keys() == MACHINE
    assert 20 < busy["system/process_cpu_percentage"] < 400
    assert 50 < busy["system/process_memory_megabytes"] < busy["system/system_memory_usage_megabytes"]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_has_memory_and_a_load():
    torch.ones(1000, 1000, device="cuda")
    found = SystemMetrics(torch.device("cuda")).sample()
    assert found["system/gpu_0_memory_usage_megabytes"] > 4
    assert 0 <= found["system/gpu_0_utilization_percentage"] <= 100
