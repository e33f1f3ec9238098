# Written by the small language model: positive rationales (Phase I) and base rationales (Phase II).
# Each writing stage is scattered into `generation.shards` jobs and gathered again.
WRITING = ["engine", "batch_size", "chunk_prompts", "dtype", "vllm"]
PROMPT_TEXTS = ["history_items", "title_chars", "review_chars", "sampling"]


rule positive_rationales:
    input:
        examples=rules.examples.output,
        interactions=rules.corpus.output.interactions,
        catalogue=rules.corpus.output.catalogue,
        reviews=rules.corpus.output.reviews,
        model=wiring.models.weights("slm"),
        template=wiring.template("positive"),
    output:
        layout.POSITIVE_SHARD,
    log:
        "logs/{domain}/positive_rationales-{scatteritem}.log",
    benchmark:
        "logs/{domain}/positive_rationales-{scatteritem}.tsv"
    conda:
        "../envs/pulse.yaml"
    threads: wiring.gpu_threads
    resources:
        gpu=1,
        mem_mb=16000,
    params:
        code=wiring.code("positive_rationales"),
        settings=wiring.part("rationales", *PROMPT_TEXTS, "target_review_chars"),
        generation=wiring.part("generation", *WRITING),
        seed=settings.seed,
        work=layout.fill(layout.WORK, stage="positive_rationales"),
    script:
        "../workflow_scripts/positive_rationales.py"


rule gather_positive:
    input:
        gather.shards(layout.POSITIVE_SHARD, allow_missing=True),
    output:
        layout.POSITIVE_RATIONALES,
    log:
        "logs/{domain}/gather_positive.log",
    benchmark:
        "logs/{domain}/gather_positive.tsv"
    conda:
        "../envs/pulse.yaml"
    params:
        code=wiring.code("gather"),
    script:
        "../workflow_scripts/gather.py"


rule base_rationales:
    input:
        examples=rules.examples.output,
        interactions=rules.corpus.output.interactions,
        catalogue=rules.corpus.output.catalogue,
        reviews=rules.corpus.output.reviews,
        neighbours=rules.neighbours.output.neighbours,
        model=wiring.models.weights("slm"),
        template=wiring.template("base"),
    output:
        layout.BASE_SHARD,
    log:
        "logs/{domain}/base_rationales-{scatteritem}.log",
    benchmark:
        "logs/{domain}/base_rationales-{scatteritem}.tsv"
    conda:
        "../envs/pulse.yaml"
    threads: wiring.gpu_threads
    resources:
        gpu=1,
        mem_mb=16000,
    params:
        code=wiring.code("base_rationales"),
        settings=wiring.part("rationales", *PROMPT_TEXTS, "neighbour_items"),
        generation=wiring.part("generation", *WRITING),
        seed=settings.seed,
        work=layout.fill(layout.WORK, stage="base_rationales"),
    script:
        "../workflow_scripts/base_rationales.py"


use rule gather_positive as gather_base with:
    input:
        gather.shards(layout.BASE_SHARD, allow_missing=True),
    output:
        layout.BASE_RATIONALES,
    log:
        "logs/{domain}/gather_base.log",
    benchmark:
        "logs/{domain}/gather_base.tsv"
