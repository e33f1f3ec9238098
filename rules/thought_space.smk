# Phase I ends: rationale encoder (E1) and history encoder (E2) in one space.
BEHAVIOUR_TEXTS = ["behaviour_items", "title_chars", "review_chars"]


rule thought_space:
    input:
        positives=wiring.thought_space_tables("rationales/positive.parquet"),
        examples=wiring.thought_space_tables("examples.parquet"),
        interactions=wiring.thought_space_tables("corpus/interactions.parquet"),
        users=wiring.thought_space_tables("corpus/users.parquet"),
        catalogue=wiring.thought_space_tables("corpus/items.parquet"),
        reviews=wiring.thought_space_tables("corpus/reviews.parquet"),
        model=wiring.models.weights("encoder"),
    output:
        rationale_encoder="results/{domain}/thought_space/rationale_encoder/model.safetensors",
        history_encoder="results/{domain}/thought_space/history_encoder/model.safetensors",
        training="results/{domain}/thought_space/training.json",
    log:
        "logs/{domain}/thought_space.log",
    benchmark:
        "logs/{domain}/thought_space.tsv"
    conda:
        "../envs/pulse.yaml"
    threads: wiring.training_threads("thought_space")
    resources:
        gpu=settings.thought_space.processes,
        mem_mb=16000 * settings.thought_space.processes,
    params:
        code=wiring.code("thought_space"),
        settings=wiring.plain("thought_space"),
        rationales=wiring.part("rationales", *BEHAVIOUR_TEXTS),
        seed=settings.seed,
        # The state of a training under way lies here, outside the outputs that Snakemake deletes when a job fails.
        work="results/{domain}/.work/thought_space",
    script:
        "../workflow_scripts/thought_space.py"
