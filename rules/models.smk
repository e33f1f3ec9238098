# Pre-trained models, each prepared once: safetensors and tokenizer in one plain directory, whatever the origin.
rule model:
    output:
        layout.MODEL_WEIGHTS,
    log:
        "logs/models/{model}.log",
    benchmark:
        "logs/models/{model}.tsv"
    conda:
        "../envs/pulse.yaml"
    threads: wiring.cpu_threads
    resources:
        mem_mb=8000,
    params:
        code=wiring.code("model"),
        settings=wiring.models.settings,
        kind=wiring.models.kind,
    script:
        "../workflow_scripts/model.py"


# Run by name (`snakemake --cores 2 models`) on a machine with a network, if the jobs' machines have none.
rule models:
    input:
        wiring.models.all_weights(),
