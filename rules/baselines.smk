# One rule `baseline_<name>` per system of pulse_core/systems.py, on the same examples and candidates.
for system in wiring.baselines.systems:

    rule:
        name:
            f"baseline_{system.name}"
        input:
            **wiring.baselines.inputs(system),
        output:
            **wiring.baselines.outputs(system),
        log:
            f"logs/{{domain}}/baseline-{system.name}.log",
        benchmark:
            f"logs/{{domain}}/baseline-{system.name}.tsv"
        conda:
            "../envs/pulse.yaml"
        threads: wiring.gpu_threads if system.gpu else wiring.cpu_threads
        resources:
            **wiring.baselines.resources(system),
        params:
            **wiring.baselines.params(system),
        # Not `system.name`: Snakemake formats this line when a job runs, after the loop.
        script:
            "../workflow_scripts/baselines/{params.system}.py"
