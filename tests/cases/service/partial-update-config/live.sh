# What a client leaves out here is zero for Swarm: all tasks at once.
post /services/create <<END
{"Name": "web", "Labels": {"io.reconcile.cluster": "lab"}, "UpdateConfig": {"Order": "start-first"},
 "TaskTemplate": {"ContainerSpec": {"Image": "$image", "Args": ["sleep", "1000"]}}}
END
