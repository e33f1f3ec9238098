# PULSE, from raw reviews to HR@1. Settings come from config.yaml and the configuration files laid over it.
#   snakemake --cores 8 --resources gpu=2 results/luxury/hr1.json
from snakemake.utils import min_version

min_version("9.0")


configfile: f"{workflow.basedir}/config.yaml"


include: "rules/common.smk"


scattergather:
    shards=settings.generation.shards,


include: "rules/data.smk"
include: "rules/sequence.smk"
include: "rules/models.smk"
include: "rules/rationales.smk"
include: "rules/thought_space.smk"
include: "rules/tree.smk"
include: "rules/ranking.smk"
include: "rules/baselines.smk"
include: "rules/evaluation.smk"
include: "rules/tables.smk"


wildcard_constraints:
    domain="|".join(settings.domains),
    model=wiring.models.pattern(),
    scorer=selection_inputs.SCORER_PATTERN,
    variant=selection_inputs.VARIANT_PATTERN,


rule all:
    default_target: True
    input:
        expand(layout.HR1, domain=settings.domains),


onstart:
    wiring.lock_working_directory()


localrules:
    all,
    download,
    models,


wiring.check_targets()
