"""Seconds of arithmetic on the machine planned for."""

from dataclasses import dataclass

from pulse_core.plan_settings import HardwareSettings, ShapeSettings
from pulse_core.planning.memory import GIB
from pulse_core.planning.shapes import cache_bytes, forward_operations, parameters


@dataclass(frozen=True)
class Machine:
    """One card, or the CPU where there is none."""

    settings: HardwareSettings

    @property
    def capacity(self) -> float:
        """Bytes of memory."""
        return self.settings.memory_gb * GIB

    def seconds(self, operations: float, width: int) -> float:
        """So many operations on numbers of `width` bytes."""
        peak = self.settings.tflops if width == 2 else self.settings.tflops_float32
        return operations / (1e12 * peak * self.settings.compute_share)

    def decode_seconds(
        self, shape: ShapeSettings, width: int, new_tokens: float, side_by_side: float, length: float
    ) -> float:
        """Writing `new_tokens` tokens in `side_by_side` sequences of `length` tokens on the average.

        A step reads the weights once and every sequence's cache, and multiplies each token with all weights, output
        layer included; the two are added, as little of one hides behind the other in eager code.
        """
        steps = new_tokens / side_by_side
        read = width * parameters(shape) + side_by_side * length * cache_bytes(shape, width)
        output = 2 * shape.vocabulary * shape.hidden
        work = forward_operations(shape, side_by_side, length) + side_by_side * output
        bandwidth = 1e9 * self.settings.bandwidth_gb * self.settings.bandwidth_share
        return steps * (read / bandwidth + self.seconds(work, width))
