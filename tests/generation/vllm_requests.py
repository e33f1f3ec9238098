"""The requests that tests/generation/test_vllm_engine.py sends to both engines; imports neither."""

from pulse_core.generation.requests import Message, Request, Sampling

MODEL_TOKENS = 512  # where the test model's LongRoPE switches factors
WORDS = "Bought: oat milk, dice, a red lipstick, more oat milk, and a gift that shines.\n"
REQUESTS = [
    Request((Message("user", f"{WORDS * 10}User {user}"),), Sampling(12, 0.7, 0.9, 20), user, samples=3)
    for user in range(2)
]
