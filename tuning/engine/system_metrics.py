"""What a training takes of its machine, a sample an epoch; by MLflow's names where it has one for the same."""

import shutil
import subprocess

import psutil
import torch


class SystemMetrics:
    """Samples of this process and its machine. Shares of time are those since the sample before."""

    def __init__(self, device: torch.device) -> None:
        self._device, self._process = device, psutil.Process()
        psutil.cpu_percent()
        self._process.cpu_percent()

    def sample(self) -> dict[str, float]:
        """CPU in % (of the process: 100 is one core), memory in MB; of a GPU its memory in use and its load."""
        memory = psutil.virtual_memory()
        found = {
            "system/cpu_utilization_percentage": psutil.cpu_percent(),
            "system/system_memory_usage_megabytes": (memory.total - memory.available) / 1e6,
            "system/process_cpu_percentage": self._process.cpu_percent(),
            "system/process_memory_megabytes": self._process.memory_info().rss / 1e6,
        }
        return found | self._gpu() if self._device.type == "cuda" else found

    def _gpu(self) -> dict[str, float]:
        free, total = torch.cuda.mem_get_info(self._device)
        found = {"system/gpu_0_memory_usage_megabytes": (total - free) / 1e6}
        load = _load(f"GPU-{torch.cuda.get_device_properties(self._device).uuid}")
        return found if load is None else found | {"system/gpu_0_utilization_percentage": load}


def _load(uuid: str) -> float | None:
    """A GPU's load in % as its driver tells it; None where it does not."""
    if shutil.which("nvidia-smi") is None:
        return None
    command = ["nvidia-smi", f"--id={uuid}", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
    said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30).stdout.strip()
    return float(said) if said.isdecimal() else None
