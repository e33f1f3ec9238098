# Systems by domains, the full ranking of those that score the whole catalogue, and position bias.
rule overall:
    input:
        expand(
            [
                *rules.examples.output,
                *rules.candidates.output,
                rules.corpus.output.statistics,
                *rules.gather_base.output,
            ],
            domain=settings.domains,
        ),
        expand(
            "results/{domain}/baselines/{name}/{file}",
            domain=settings.domains,
            name=[system.name for system in wiring.baselines.systems],
            file=["predictions.parquet", "metrics.json"],
        ),
    output:
        csv="results/tables/overall.csv",
        md="results/tables/overall.md",
        tex="results/tables/overall.tex",
        full_csv="results/tables/full_ranking.csv",
        full_md="results/tables/full_ranking.md",
        by_place="results/tables/by_place.csv",
    log:
        "logs/tables/overall.log",
    benchmark:
        "logs/tables/overall.tsv"
    conda:
        "../envs/pulse.yaml"
    threads: 2
    params:
        code=wiring.code("overall"),
        settings=wiring.plain("evaluation"),
        behaviour=settings.selection.behaviour,
        seed=settings.seed,
        domains=list(settings.domains),
        base="rationales/base.parquet",
    script:
        "../workflow_scripts/overall.py"
