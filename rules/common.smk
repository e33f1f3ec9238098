# Shared by all rule files: the validated configuration, paths, and the wiring.
import sys

sys.path.insert(0, workflow.basedir)

from workflow_scripts.wiring import layout, selection_inputs
from workflow_scripts.wiring.wiring import Wiring

wiring = Wiring(config, workflow)
settings = wiring.settings
