# Raw reviews -> corpus -> examples.
rule synthetic_raw:
    output:
        reviews=layout.SYNTHETIC_REVIEWS,
        metadata=layout.SYNTHETIC_METADATA,
        truth=layout.TRUTH,
        drivers=layout.TRUTH_DRIVERS,
    log:
        "logs/{domain}/synthetic_raw.log",
    benchmark:
        "logs/{domain}/synthetic_raw.tsv"
    conda:
        "../envs/pulse.yaml"
    params:
        code=wiring.code("synthetic_raw"),
        settings=wiring.plain("synthetic"),
        seed=settings.seed,
    script:
        "../workflow_scripts/synthetic_raw.py"


# Without outputs, so that Snakemake never deletes a finished download. Run by name: `snakemake --cores 1 download`.
rule download:
    log:
        "logs/download.log",
    benchmark:
        "logs/download.tsv"
    conda:
        "../envs/pulse.yaml"
    params:
        code=wiring.code("download"),
        domains=[name for name, domain in settings.domains.items() if domain.source == "amazon-2018"],
        raw_dir=str(wiring.raw.root()),
        settings=wiring.plain("download"),
    script:
        "../workflow_scripts/download.py"


rule corpus:
    input:
        unpack(wiring.raw.files),
    output:
        interactions=layout.INTERACTIONS,
        users=layout.USERS,
        catalogue=layout.CATALOGUE,
        reviews=layout.REVIEWS,
        statistics=layout.STATISTICS,
    log:
        "logs/{domain}/corpus.log",
    benchmark:
        "logs/{domain}/corpus.tsv"
    conda:
        "../envs/pulse.yaml"
    threads: 2
    resources:
        mem_mb=4000,
    params:
        code=wiring.code("corpus"),
        settings=wiring.plain("corpus"),
        source=lambda wildcards: settings.domains[wildcards.domain].source,
        raw=wiring.raw.digests,
    script:
        "../workflow_scripts/corpus.py"


rule examples:
    input:
        interactions=rules.corpus.output.interactions,
        users=rules.corpus.output.users,
    output:
        layout.EXAMPLES,
    log:
        "logs/{domain}/examples.log",
    benchmark:
        "logs/{domain}/examples.tsv"
    conda:
        "../envs/pulse.yaml"
    params:
        code=wiring.code("examples"),
        settings=wiring.plain("split"),
        seed=settings.seed,
    script:
        "../workflow_scripts/examples.py"
