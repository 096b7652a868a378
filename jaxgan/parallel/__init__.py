"""Several devices and several processes: rules for what lies where, and what processes tell each other.

``sharding`` has the rules, ``placing`` moves values, ``launch`` finds a job, ``join`` and ``distributed`` make one training of its processes.
"""
