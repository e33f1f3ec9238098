"""Rule baseline_a_llmrec_reason: A-LLMRec with the selected rationales in its prompts."""

from workflow_scripts.baselines.a_llmrec import main

if "snakemake" in globals():
    main(globals()["snakemake"])
