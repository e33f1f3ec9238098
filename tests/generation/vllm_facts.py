"""Facts about vLLM that no table shows. In its environment: `python -m tests.generation.vllm_facts MODEL OUT`.

HAS_TRITON is set, as on every CUDA host, so that vLLM picks its model runner and loads logits processors as there.
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
    """Settings shared by all engines here."""
    limits = {"max_model_tokens": max_model_tokens, "gpu_memory_share": gpu_memory_share}
    return GenerationSettings.model_validate({"engine": "vllm", "dtype": "float32", "batch_size": 8, "vllm": limits})


def refusal(model: Path) -> dict[str, object]:
    """The error for overlong prompts, and whether the engine had already started."""
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
    generate = engine.generate

    def recorded(*arguments: object, **named: object) -> list:
        """Generate, keeping vLLM's outputs."""
        outputs.extend(generate(*arguments, **named))
        return outputs

    engine.generate = recorded
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
