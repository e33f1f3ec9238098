# HR@1 of PULSE and the systems it is compared with, with everything the figures depend on.
SCATTERED = ["positive_rationales", "base_rationales", "tree"]


rule hr1:
    input:
        unpack(wiring.evaluation.truth),
        unpack(wiring.evaluation.leak_audit),
        examples=rules.examples.output,
        candidates=rules.candidates.output,
        statistics=rules.corpus.output.statistics,
        users=rules.corpus.output.users,
        catalogue=rules.corpus.output.catalogue,
        leak=rules.neighbours.output.leak,
        base=rules.gather_base.output,
        tree=rules.gather_tree.output,
        selected=layout.fill(layout.SELECTED, scorer="thought_space"),
        predictions=list(wiring.evaluation.predictions.values()),
    output:
        layout.HR1,
    log:
        "logs/{domain}/hr1.log",
    benchmark:
        "logs/{domain}/hr1.tsv"
    conda:
        "../envs/pulse.yaml"
    threads: 2
    params:
        code=wiring.code("hr1"),
        settings=wiring.plain("evaluation"),
        protocol=wiring.evaluation.protocol(),
        recorded=wiring.evaluation.recorded(),
        seed=settings.seed,
        systems=list(wiring.evaluation.predictions),
        benchmarks=lambda wildcards: wiring.evaluation.benchmarks(
            wildcards, {stage: gather.shards(f"{stage}-{{scatteritem}}") for stage in SCATTERED}
        ),
    script:
        "../workflow_scripts/hr1.py"
