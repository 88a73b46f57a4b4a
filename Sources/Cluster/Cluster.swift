// Cluster: the coordinator's and the worker's services.
