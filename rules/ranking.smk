# One ranker per variant: trained with the rationales that a scorer selected, or without any.
rule ranker:
    input:
        examples=rules.examples.output,
        candidates=rules.candidates.output,
        interactions=rules.corpus.output.interactions,
        catalogue=rules.corpus.output.catalogue,
        reviews=rules.corpus.output.reviews,
        rationales=wiring.scorers.selected,
        model=wiring.models.weights("slm"),
    output:
        adapter=layout.RANKER_ADAPTER,
        predictions=layout.RANKER_PREDICTIONS,
        training=layout.RANKER_TRAINING,
    log:
        "logs/{domain}/ranker-{variant}.log",
    benchmark:
        "logs/{domain}/ranker-{variant}.tsv"
    conda:
        "../envs/pulse.yaml"
    threads: wiring.training_threads("ranker")
    resources:
        gpu=settings.ranker.processes,
        mem_mb=32000 * settings.ranker.processes,
    params:
        code=wiring.code("ranker"),
        settings=wiring.plain("ranker"),
        seed=settings.seed,
        work=layout.fill(layout.WORK, stage="ranker-{variant}"),
    script:
        "../workflow_scripts/ranker.py"


# The leak audit: PULSE's ranker with rationales whose selection saw the target.
rule oracle_predictions:
    input:
        examples=rules.examples.output,
        candidates=rules.candidates.output,
        interactions=rules.corpus.output.interactions,
        catalogue=rules.corpus.output.catalogue,
        reviews=rules.corpus.output.reviews,
        rationales=layout.fill(layout.SELECTED, scorer="thought_space_oracle"),
        adapter=layout.fill(layout.RANKER_ADAPTER, variant="thought_space"),
        model=wiring.models.weights("slm"),
    output:
        layout.ORACLE_PREDICTIONS,
    log:
        "logs/{domain}/oracle_predictions.log",
    benchmark:
        "logs/{domain}/oracle_predictions.tsv"
    conda:
        "../envs/pulse.yaml"
    threads: wiring.gpu_threads
    resources:
        gpu=1,
        mem_mb=16000,
    params:
        code=wiring.code("oracle_predictions"),
        settings=wiring.plain("ranker"),
    script:
        "../workflow_scripts/oracle_predictions.py"
