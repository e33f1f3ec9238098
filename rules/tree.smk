# Phase II: the tree of refinements, and the leaf that a scorer selects.
rule tree:
    input:
        base=rules.gather_base.output,
        examples=rules.examples.output,
        interactions=rules.corpus.output.interactions,
        catalogue=rules.corpus.output.catalogue,
        reviews=rules.corpus.output.reviews,
        neighbours=rules.neighbours.output.neighbours,
        model=wiring.models.weights("slm"),
        template=wiring.template("tree"),
    output:
        layout.TREE_SHARD,
    log:
        "logs/{domain}/tree-{scatteritem}.log",
    benchmark:
        "logs/{domain}/tree-{scatteritem}.tsv"
    conda:
        "../envs/pulse.yaml"
    threads: wiring.gpu_threads
    resources:
        gpu=1,
        mem_mb=16000,
    params:
        code=wiring.code("tree"),
        settings=wiring.plain("tree"),
        rationales=wiring.part("rationales", "title_chars", "neighbour_items"),
        generation=wiring.part("generation", *WRITING),
        seed=settings.seed,
        work=layout.fill(layout.WORK, stage="tree"),
    script:
        "../workflow_scripts/tree.py"


use rule gather_positive as gather_tree with:
    input:
        gather.shards(layout.TREE_SHARD, allow_missing=True),
    output:
        layout.TREE,
    log:
        "logs/{domain}/gather_tree.log",
    benchmark:
        "logs/{domain}/gather_tree.tsv"


rule select:
    input:
        models=wiring.scorers.weights,
        tree=rules.gather_tree.output,
        examples=rules.examples.output,
        interactions=rules.corpus.output.interactions,
        catalogue=rules.corpus.output.catalogue,
        reviews=rules.corpus.output.reviews,
    output:
        layout.SELECTED,
    log:
        "logs/{domain}/select-{scorer}.log",
    benchmark:
        "logs/{domain}/select-{scorer}.tsv"
    conda:
        "../envs/pulse.yaml"
    threads: wiring.gpu_threads
    resources:
        gpu=1,
        mem_mb=8000,
    params:
        code=wiring.code("select"),
        settings=wiring.scorers.settings,
        rationales=wiring.part("rationales", *BEHAVIOUR_TEXTS),
        source=wiring.scorers.source,
        scorer=wiring.scorers.name,
    script:
        "../workflow_scripts/select.py"
