# SASRec, and what derives from it: user states, candidates, neighbours.
rule sasrec:
    input:
        interactions=rules.corpus.output.interactions,
        users=rules.corpus.output.users,
        catalogue=rules.corpus.output.catalogue,
        examples=rules.examples.output,
    output:
        model=layout.SASREC_MODEL,
        states=layout.SASREC_STATES,
        metrics=layout.SASREC_METRICS,
    log:
        "logs/{domain}/sasrec.log",
    benchmark:
        "logs/{domain}/sasrec.tsv"
    conda:
        "../envs/pulse.yaml"
    threads: wiring.cpu_threads
    resources:
        mem_mb=8000,
    params:
        code=wiring.code("sasrec"),
        settings=wiring.plain("sasrec"),
        seed=settings.seed,
        work=layout.fill(layout.WORK, stage="sasrec"),
    script:
        "../workflow_scripts/sasrec.py"


rule candidates:
    input:
        interactions=rules.corpus.output.interactions,
        users=rules.corpus.output.users,
        catalogue=rules.corpus.output.catalogue,
        examples=rules.examples.output,
        # Hard candidates are drawn from SASRec's ranking; uniform ones need no model.
        model=(rules.sasrec.output.model if settings.candidates.kind == "sasrec_hard" else []),
    output:
        layout.CANDIDATES,
    log:
        "logs/{domain}/candidates.log",
    benchmark:
        "logs/{domain}/candidates.tsv"
    priority: 1  # before SASRec, so that a catalogue too small for the candidates fails early
    conda:
        "../envs/pulse.yaml"
    params:
        code=wiring.code("candidates"),
        settings=wiring.plain("candidates"),
        sasrec=(wiring.plain("sasrec") if settings.candidates.kind == "sasrec_hard" else {}),
        seed=settings.seed,
    script:
        "../workflow_scripts/candidates.py"


rule neighbours:
    input:
        interactions=rules.corpus.output.interactions,
        users=rules.corpus.output.users,
        examples=rules.examples.output,
        model=rules.sasrec.output.model,
    output:
        neighbours=layout.NEIGHBOURS,
        leak=layout.NEIGHBOUR_LEAK,
    log:
        "logs/{domain}/neighbours.log",
    benchmark:
        "logs/{domain}/neighbours.tsv"
    conda:
        "../envs/pulse.yaml"
    threads: wiring.cpu_threads
    params:
        code=wiring.code("neighbours"),
        settings=wiring.plain("neighbours"),
        sasrec=wiring.plain("sasrec"),
        seed=settings.seed,
    script:
        "../workflow_scripts/neighbours.py"
