# What PULSE is measured against, on the same examples and candidates.
rule counting_baseline:
    input:
        examples=rules.examples.output,
        candidates=rules.candidates.output,
        interactions=rules.corpus.output.interactions,
        catalogue=rules.corpus.output.catalogue,
    output:
        predictions="results/{domain}/baselines/{name}/predictions.parquet",
    log:
        "logs/{domain}/baseline-{name}.log",
    benchmark:
        "logs/{domain}/baseline-{name}.tsv"
    wildcard_constraints:
        name="popularity|brand_repeat",
    conda:
        "../envs/pulse.yaml"
    params:
        code=wiring.code("counting_baseline"),
    script:
        "../workflow_scripts/counting_baseline.py"


rule sasrec_baseline:
    input:
        examples=rules.examples.output,
        candidates=rules.candidates.output,
        model=rules.sasrec.output.model,
    output:
        predictions="results/{domain}/baselines/sasrec/predictions.parquet",
    log:
        "logs/{domain}/baseline-sasrec.log",
    benchmark:
        "logs/{domain}/baseline-sasrec.tsv"
    conda:
        "../envs/pulse.yaml"
    threads: wiring.cpu_threads
    params:
        code=wiring.code("sasrec_baseline"),
        settings=wiring.plain("sasrec"),
    script:
        "../workflow_scripts/sasrec_baseline.py"


rule untrained_slm:
    input:
        examples=rules.examples.output,
        candidates=rules.candidates.output,
        interactions=rules.corpus.output.interactions,
        catalogue=rules.corpus.output.catalogue,
        reviews=rules.corpus.output.reviews,
        model=wiring.models.weights("slm"),
    output:
        predictions="results/{domain}/baselines/untrained_slm/predictions.parquet",
    log:
        "logs/{domain}/baseline-untrained_slm.log",
    benchmark:
        "logs/{domain}/baseline-untrained_slm.tsv"
    conda:
        "../envs/pulse.yaml"
    threads: wiring.gpu_threads
    resources:
        gpu=1,
        mem_mb=16000,
    params:
        code=wiring.code("untrained_slm"),
        settings=wiring.part(
            "ranker",
            "history_items",
            "title_chars",
            "max_tokens",
            "batch_users",
            "dtype",
        ),
    script:
        "../workflow_scripts/untrained_slm.py"
