"""What runs in the process of a Ray driver: the standard library and Ray itself.

_roar_ray_start  the first of it, in every Python of a command: waits for Ray to be imported
places           names in the run's folder
told             what the run has told this process
faults           nothing that goes wrong here reaches the user's program
entering         takes part in ray.init() and ray.shutdown()
clients          takes part in Ray Client, at both of its ends
reaching         how this process reaches the cluster, as a driver or as a client
observing        a driver that was submitted is observed like a worker
connection       one stay of this process in a cluster, from beginning to end
fetching         brings what nodes have sent to the run's folder
sweeping         asks each node for the rest, when the work is over
known            writes down of which tasks Ray itself knows
carrying         what of ours a cluster's nodes run first
submitting       has submitted jobs do the same on their cluster

A copy of it within the run's folder is what runs: the driver's Python need have nothing of roar's.
"""
