# What PULSE is measured against, on the same examples and candidates: a rule for each system of the registry
# (pulse_core/systems.py), `baseline_<name>`, with a script of its own.
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
        # By a param: Snakemake reads this line when a job runs, and the loop's variable is the last system's then.
        script:
            "../workflow_scripts/baselines/{params.system}.py"
