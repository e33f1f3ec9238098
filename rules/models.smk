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


# Asked for by name (`snakemake --cores 2 models`) where the network is, before jobs run where there is none.
rule models:
    input:
        wiring.models.all_weights(),
