"""Systems compared with PULSE under one protocol: those of the paper's Table 3, and simple floors."""
