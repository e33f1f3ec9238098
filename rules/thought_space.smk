# End of Phase I: rationale encoder (E1) and history encoder (E2) in one space.
BEHAVIOUR_TEXTS = ["behaviour_items", "title_chars", "review_chars"]


rule thought_space:
    input:
        positives=wiring.thought_space_tables(layout.POSITIVE_RATIONALES),
        examples=wiring.thought_space_tables(layout.EXAMPLES),
        interactions=wiring.thought_space_tables(layout.INTERACTIONS),
        users=wiring.thought_space_tables(layout.USERS),
        catalogue=wiring.thought_space_tables(layout.CATALOGUE),
        reviews=wiring.thought_space_tables(layout.REVIEWS),
        model=wiring.models.weights("encoder"),
    output:
        rationale_encoder=layout.RATIONALE_ENCODER,
        history_encoder=layout.HISTORY_ENCODER,
        training=layout.THOUGHT_SPACE_TRAINING,
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
        work=layout.fill(layout.WORK, stage="thought_space"),
    script:
        "../workflow_scripts/thought_space.py"
