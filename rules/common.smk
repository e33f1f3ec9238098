# What every rule file uses: the validated configuration and small helpers of the wiring.
import sys

sys.path.insert(0, workflow.basedir)

from workflow_scripts.wiring import layout, selection_inputs
from workflow_scripts.wiring.wiring import Wiring

wiring = Wiring(config, workflow)
settings = wiring.settings
