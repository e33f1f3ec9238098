"""Settings and language model of the embedded default, and sample titles."""

from pathlib import Path

import yaml

from pulse_core.config import Config, load_config
from pulse_core.models import prepare_model

TITLES = [
    "Rose Hand Cream for Dry Hands", "Fragrance-Free Oat Soap Bar", "Organic Peppermint Lip Balm", "Silk Sleep Mask",
    "Professional Nail File Set", "Daily Mineral Sun Lotion SPF 50", "Long-Wear Matte Lipstick", "Travel Size Shampoo",
    "Gentle Cleansing Foam", "Hydrating Night Serum", "Clear Brow Gel", "Bamboo Hair Brush",
]  # fmt: skip


def embedded_config() -> Config:
    """What config.yaml sets."""
    file = Path(__file__).resolve().parents[1] / "config.yaml"
    return load_config(yaml.safe_load(file.read_text(encoding="utf-8")))


def prepared_model() -> Path:
    """The directory of the embedded language model."""
    out = Path(__file__).resolve().parent / ".model"
    if not out.exists():
        prepare_model(embedded_config().models.slm, "causal", out)
    return out


def titles(start: int, count: int) -> list[str]:
    """`count` titles, which differ for each `start`."""
    return [f"{TITLES[(start + i) % len(TITLES)]} No. {start + i}" for i in range(count)]
