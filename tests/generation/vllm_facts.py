"""What the vLLM engine does that no table shows: `python -m tests.generation.vllm_facts MODEL OUT`, in its environment.

vLLM is told that it has Triton, as it has on every CUDA host: so it decides on its model runner, and loads logits
processors, as it does there.
"""

import json
import sys
from pathlib import Path

import vllm.config.vllm as vllm_config

from pulse_core.errors import InputError
from pulse_core.generation.settings import GenerationSettings
from pulse_core.generation.vllm_engine import VLLMGenerator
from tests.generation.vllm_requests import MODEL_TOKENS, REQUESTS


def settings(max_model_tokens: int = MODEL_TOKENS, gpu_memory_share: float = 0.9) -> GenerationSettings:
    """Those of every engine here."""
    limits = {"max_model_tokens": max_model_tokens, "gpu_memory_share": gpu_memory_share}
    return GenerationSettings.model_validate({"engine": "vllm", "dtype": "float32", "batch_size": 8, "vllm": limits})


def refusal(model: Path) -> dict[str, object]:
    """What is said of prompts that are too long, and whether the weights had to be loaded for it."""
    generator = VLLMGenerator(model, settings(max_model_tokens=128))
    try:
        generator.prepare(REQUESTS)
    except InputError as error:
        return {"message": str(error), "started": "engine" in vars(generator)}
    return {"message": "", "started": True}


def main(model: Path, out: Path) -> None:
    """Write the facts as JSON."""
    vllm_config.HAS_TRITON = True
    generator = VLLMGenerator(model, settings())
    generator.prepare(REQUESTS)
    engine, outputs = generator.engine, []
    plain = engine.generate

    def kept(*arguments: object, **named: object) -> list:
        """vLLM's answers, remembered as they come."""
        outputs.extend(plain(*arguments, **named))
        return outputs

    engine.generate = kept
    texts = [[[text.text, text.mean_logprob] for text in answer] for answer in generator.generate(REQUESTS)]
    config = engine.llm_engine.vllm_config
    facts = {
        "second_runner": config.use_v2_model_runner,
        "refusal": refusal(model),
        "identity": generator.identity,
        "identity_of_longer": VLLMGenerator(model, settings(max_model_tokens=2 * MODEL_TOKENS)).identity,
        "identity_of_smaller_share": VLLMGenerator(model, settings(gpu_memory_share=0.5)).identity,
        "block": config.cache_config.block_size,
        "cached": [[len(output.prompt_token_ids), output.num_cached_tokens] for output in outputs],
        "texts": texts,
    }
    out.write_text(json.dumps(facts))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
