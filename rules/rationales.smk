# The small language model writes: positive rationales (Phase I) and base rationales (Phase II).
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
        "results/{domain}/rationales/positive.parquet",
    log:
        "logs/{domain}/positive_rationales.log",
    benchmark:
        "logs/{domain}/positive_rationales.tsv"
    conda:
        "../envs/pulse.yaml"
    threads: wiring.torch_threads
    resources:
        gpu=1,
        mem_mb=16000,
    params:
        code=wiring.code("positive_rationales"),
        settings=wiring.part("rationales", *PROMPT_TEXTS, "target_review_chars"),
        generation=wiring.plain("generation"),
        seed=settings.seed,
        # Finished generations are journalled here, outside the outputs that Snakemake deletes when a job fails.
        work="results/{domain}/.work/positive_rationales",
    script:
        "../workflow_scripts/positive_rationales.py"


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
        "results/{domain}/rationales/base.parquet",
    log:
        "logs/{domain}/base_rationales.log",
    benchmark:
        "logs/{domain}/base_rationales.tsv"
    conda:
        "../envs/pulse.yaml"
    threads: wiring.torch_threads
    resources:
        gpu=1,
        mem_mb=16000,
    params:
        code=wiring.code("base_rationales"),
        settings=wiring.part("rationales", *PROMPT_TEXTS, "neighbour_items"),
        generation=wiring.plain("generation"),
        seed=settings.seed,
        work="results/{domain}/.work/base_rationales",
    script:
        "../workflow_scripts/base_rationales.py"
