# All systems in all domains, full rankings of the systems that can score the whole catalogue, and position bias.
SYSTEM_NAMES = [system.name for system in wiring.baselines.systems]


rule overall:
    input:
        examples=expand(layout.EXAMPLES, domain=settings.domains),
        candidates=expand(layout.CANDIDATES, domain=settings.domains),
        statistics=expand(layout.STATISTICS, domain=settings.domains),
        base=expand(layout.BASE_RATIONALES, domain=settings.domains),
        predictions=expand(layout.BASELINE_PREDICTIONS, domain=settings.domains, system=SYSTEM_NAMES),
        metrics=expand(layout.BASELINE_METRICS, domain=settings.domains, system=SYSTEM_NAMES),
    output:
        csv=layout.fill(layout.TABLE, table="overall.csv"),
        md=layout.fill(layout.TABLE, table="overall.md"),
        tex=layout.fill(layout.TABLE, table="overall.tex"),
        full_csv=layout.fill(layout.TABLE, table="full_ranking.csv"),
        full_md=layout.fill(layout.TABLE, table="full_ranking.md"),
        by_place=layout.fill(layout.TABLE, table="by_place.csv"),
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
        systems=SYSTEM_NAMES,
    script:
        "../workflow_scripts/overall.py"
