# HR@1 of PULSE and of everything it is measured against, with what the figures depend on.
BASELINES = ["sasrec", "untrained_slm", "brand_repeat", "popularity"]
VARIANTS = ["thought_space", "no_reason"]
SCATTERED = ["positive_rationales", "base_rationales", "tree"]
# The stages whose seconds hr1.json tells, by the names of their benchmark files under logs/<domain>/.
TIMED = [
    *("corpus", "examples", "sasrec", "candidates", "neighbours", "thought_space", "select-thought_space"),
    *("gather_positive", "gather_base", "gather_tree"),
    *(f"ranker-{variant}" for variant in VARIANTS),
    *(f"baseline-{name}" for name in BASELINES),
]


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
        predictions=expand(layout.RANKER_PREDICTIONS, variant=VARIANTS, allow_missing=True)
        + expand(layout.BASELINE_PREDICTIONS, system=BASELINES, allow_missing=True),
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
        seed=settings.seed,
        systems={"thought_space": "pulse"},
        benchmarks=lambda wildcards: wiring.evaluation.benchmarks(
            wildcards, TIMED, {stage: gather.shards(f"{stage}-{{scatteritem}}") for stage in SCATTERED}
        ),
    script:
        "../workflow_scripts/hr1.py"
